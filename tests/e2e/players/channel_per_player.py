"""An event with a channel for each player, so that the node's log tells which player was served."""
import re
import subprocess

from harness.waiting import stretched
from packaged_event import FRAMES_PER_SECOND, PackagedEvent

# Player -> channel of the packager. Of GStreamer's two HLS clients, playbin has hlsdemux and playbin3 has hlsdemux2.
PLAYERS = {"hls-js": "demo", "ffmpeg": "demo", "playbin3": "demo-ts", "playbin": "demo-ts"}
COMMANDS = {
    "ffmpeg": ("ffmpeg", "-nostdin", "-v", "repeat+warning", "-i", "{url}", "-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", f"1/{FRAMES_PER_SECOND}",
               "-flush_packets", "1", "-f", "framecrc", "-"),
    **{p: ("gst-launch-1.0", "-v", p, "uri={url}", "video-sink=fakesink name=picture sync=true silent=false", "audio-sink=fakesink sync=true") for p in ("playbin", "playbin3")},
}


class ChannelPerPlayerEvent(PackagedEvent):
    def __init__(self, folder, programs, packaged, origin_url, **channel):
        """`origin_url`: where the packager's files are served; `channel`: more settings of each channel."""
        super().__init__(folder, programs, packaged)
        self.channels = [self.channel_config(p, f"{origin_url}/{c}/180p/index.m3u8", links="auto", **channel) for p, c in PLAYERS.items()]
        self.processes = {}

    def start_player(self, player):
        command = [part.format(url=self.playlist_url(player)) for part in COMMANDS[player]]
        with open(self.folder / f"{player}.out", "wb") as out, open(self.folder / f"{player}.stderr", "wb") as errors:
            self.processes[player] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)

    def served(self, player):
        """Numbers of the segments that this player received, in their order."""
        found = (re.match(rf"/media/{player}/.*seg-(\d+)\.", path) for path in self.segments_served("stadium"))
        return [int(m.group(1)) for m in found if m]

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait(stretched(20))
