"""Segments that no origin delivers, at the live edge: they are listed as gaps, and every player goes on behind them by itself. hls.js knows
EXT-X-GAP, ffmpeg 5.1 and GStreamer 1.22 do not, and load what holds no bytes."""
import re
import subprocess
from pathlib import Path

import pytest
from harness.origin import Origin, ok, status
from harness.waiting import stretched, wait_until
from stage import FRAMES_PER_SECOND, SEGMENT_SECONDS, PackagedEvent

MISSING = 2
NUMBER = re.compile(r"seg-(\d+)\.")
ENTRY = re.compile(r"((?:#EXTINF|#EXT-X-PROGRAM-DATE-TIME)[^\n]*\n)+[^#\n]*seg-(\d+)\.[^\n]*\n")
# Player -> channel of the packager. Of GStreamer's two HLS clients, playbin has hlsdemux and playbin3 has hlsdemux2.
PLAYERS = {"hls-js": "demo", "ffmpeg": "demo", "playbin3": "demo-ts", "playbin": "demo-ts"}
AFTERWARDS = 2   # segments


class Breaking:
    """The packager's files at two origins. The first one's playlists end at the segments of the moment that it is told to stop at; the second
    one's begin MISSING segments later, and count from 0."""

    def __init__(self, folder):
        self.folder = Path(folder) / "www"
        self.last = {}   # playlist -> the number of its last segment at the first origin
        self.first, self.second = Origin(), Origin()
        self.first.fallback = self.serving(lambda path, number: number <= self.last.get(path, number))
        self.second.fallback = self.serving(lambda path, number: number > self.last[path] + MISSING, renumber=True)

    def playlists(self):
        return [f"/{channel}/180p/index.m3u8" for channel in set(PLAYERS.values())]

    def numbers(self, path):
        return [int(n) for n in NUMBER.findall((self.folder / path.lstrip("/")).read_text())]

    def stop(self):
        self.last = {path: self.numbers(path)[-1] for path in self.playlists()}

    def is_back(self):
        return all(self.numbers(path)[-1] > self.last[path] + MISSING for path in self.last)

    def serving(self, has, renumber=False):
        def playlist(path, text):
            kept = ENTRY.sub(lambda m: m.group(0) if has(path, int(m.group(2))) else "", text)
            numbers = [int(n) for n in NUMBER.findall(kept)]
            sequence = (numbers[0] - self.last[path] - MISSING - 1) if renumber and numbers else numbers[0] if numbers else None
            return sequence is not None and re.sub(r"MEDIA-SEQUENCE:\d+", f"MEDIA-SEQUENCE:{sequence}", kept)

        def script(request, wire):
            file = self.folder / request.path.lstrip("/")
            if not file.is_file():
                return status(404)(request, wire)
            if file.suffix != ".m3u8":
                return ok(file.read_bytes(), "video/mp4")(request, wire)
            text = playlist(request.path, file.read_text())
            return ok(text.encode(), "application/vnd.apple.mpegurl")(request, wire) if text else status(503)(request, wire)

        return script

    def close(self):
        self.first.close()
        self.second.close()


COMMANDS = {
    "ffmpeg": ("ffmpeg", "-nostdin", "-v", "repeat+warning", "-i", "{url}", "-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", f"1/{FRAMES_PER_SECOND}",
               "-flush_packets", "1", "-f", "framecrc", "-"),
    **{p: ("gst-launch-1.0", "-v", p, "uri={url}", "video-sink=fakesink name=picture sync=true silent=false", "audio-sink=fakesink sync=true") for p in ("playbin", "playbin3")},
}


class Stage(PackagedEvent):
    """A channel for each player, so that the node's log says who was served."""

    def __init__(self, folder, programs, packaged):
        self.breaking = Breaking(packaged.folder)
        super().__init__(folder, programs, packaged)
        backups = [self.breaking.second.url]
        self.channels = [self.entry(p, f"{self.breaking.first.url}/{c}/180p/index.m3u8", links="auto", backup_origins=backups) for p, c in PLAYERS.items()]
        self.processes = {}

    def start(self, player):
        command = [part.format(url=self.playlist_url(player)) for part in COMMANDS[player]]
        with open(self.folder / f"{player}.out", "wb") as out, open(self.folder / f"{player}.stderr", "wb") as said:
            self.processes[player] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=said)

    def said(self, player):
        return (self.folder / f"{player}.out").read_text()

    def served(self, player):
        """Numbers of the segments that this player had, in their order."""
        found = (re.match(rf"/media/{player}/.*seg-(\d+)\.", path) for path in self.segments_served("stadium"))
        return [int(m.group(1)) for m in found if m]

    def last_before(self, player):
        return self.breaking.last[f"/{PLAYERS[player]}/180p/index.m3u8"]

    def wait_everybody(self, is_there, what):
        for player in PLAYERS:
            wait_until(lambda: is_there(player), 40, f"{player} {what}")

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait(stretched(20))
        self.breaking.close()


@pytest.fixture
def stage(folder, programs, packaged_origin, viewer_page):
    made = Stage(folder, programs, packaged_origin)
    yield made
    made.close()


def pictures_of(player, said):
    """When each frame was shown, in frames."""
    if player == "ffmpeg":
        return [int(line.split(",")[2]) for line in said.splitlines()[:-1] if line and not line.startswith("#")]
    times = re.findall(r"\(picture:sink\).* pts: (\d+):(\d\d):([\d.]+)", said)
    return [(int(h) * 3600 + int(m) * 60 + float(s)) * FRAMES_PER_SECOND for h, m, s in times]


def jumps(player, said):
    times = pictures_of(player, said)
    steps = [round(b - a) for a, b in zip(times, times[1:])]
    return [step for step in steps if step != 1]


def go_behind_the_gap(stage, viewer):
    viewer.wait_playing()
    stage.wait_everybody(lambda player: len(stage.served(player)) >= 2, "plays")
    stage.breaking.stop()
    wait_until(stage.breaking.is_back, 20, "the second origin has segments")
    stage.breaking.first.refuse()
    stage.wait_everybody(lambda player: stage.served(player)[-1] >= stage.last_before(player) + MISSING + AFTERWARDS, "plays on")
    viewer.enough()
    after = viewer.wait_done()["after"]
    assert [e for e in after["errors"] if e["fatal"]] == []
    for player in PLAYERS:
        last = stage.last_before(player)
        numbers = stage.served(player)
        hole = range(last + 1, last + MISSING + 1)
        assert numbers == [n for n in range(numbers[0], numbers[-1] + 1) if n not in hole], player
    for player, process in stage.processes.items():
        assert process.poll() is None, player
        wait_until(lambda: jumps(player, stage.said(player)), 20, f"{player} shows what is behind the hole")
        assert jumps(player, stage.said(player)) == [1 + MISSING * SEGMENT_SECONDS * FRAMES_PER_SECOND], player


def test_players_go_on_behind_segments_that_nobody_delivered(stage, watch):
    stage.stand(nodes=("stadium",))
    for player in COMMANDS:
        stage.start(player)
    with stage.origin.in_time():
        go_behind_the_gap(stage, watch(stage.page_url("hls-js"), 0))
