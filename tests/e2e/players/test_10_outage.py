"""The origin is away for a while and comes back: every player goes on by itself, for playlists are served as they were until then."""
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from harness.origin import Origin, ok, status
from harness.waiting import stretched, wait_until
from stage import FRAMES_PER_SECOND, PackagedEvent

OUTAGE_SECONDS = float(os.environ.get("TRIBUNE_OUTAGE_SECONDS", "12"))
# Player -> channel of the packager.
PLAYERS = {"hls-js": "demo", "ffmpeg": "demo", "playbin3": "demo-ts", "playbin": "demo-ts"}
AFTERWARDS = 2   # segments
COMMANDS = {
    "ffmpeg": ("ffmpeg", "-nostdin", "-v", "repeat+warning", "-i", "{url}", "-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", f"1/{FRAMES_PER_SECOND}",
               "-flush_packets", "1", "-f", "framecrc", "-"),
    **{p: ("gst-launch-1.0", "-v", p, "uri={url}", "video-sink=fakesink name=picture sync=true silent=false", "audio-sink=fakesink sync=true") for p in ("playbin", "playbin3")},
}


class Leaving:
    """The packager's files at an origin that answers everything with 503 while it is away."""

    def __init__(self, folder):
        self.folder = Path(folder) / "www"
        self.is_away = False
        self.origin = Origin()
        self.origin.fallback = self.answer

    def answer(self, request, wire):
        file = self.folder / request.path.lstrip("/")
        if self.is_away or not file.is_file():
            return status(503 if self.is_away else 404)(request, wire)
        kind = "application/vnd.apple.mpegurl" if file.suffix == ".m3u8" else "video/mp4"
        return ok(file.read_bytes(), kind)(request, wire)


class Stage(PackagedEvent):
    """A channel for each player, so that the node's log says who was served."""

    def __init__(self, folder, programs, packaged):
        self.leaving = Leaving(packaged.folder)
        super().__init__(folder, programs, packaged)
        self.channels = [self.entry(p, f"{self.leaving.origin.url}/{c}/180p/index.m3u8", links="auto") for p, c in PLAYERS.items()]
        self.processes = {}

    def start(self, player):
        command = [part.format(url=self.playlist_url(player)) for part in COMMANDS[player]]
        with open(self.folder / f"{player}.out", "wb") as out, open(self.folder / f"{player}.stderr", "wb") as said:
            self.processes[player] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=said)

    def served(self, player):
        """Numbers of the segments that this player had, in their order."""
        found = (re.match(rf"/media/{player}/.*seg-(\d+)\.", path) for path in self.segments_served("stadium"))
        return [int(m.group(1)) for m in found if m]

    def goes_on(self, player, within):
        """How many seconds it takes until the player has segments again; None when it ends."""
        before, began = len(self.served(player)), time.monotonic()

        def has_segments():
            return len(self.served(player)) >= before + AFTERWARDS

        def has_ended():
            return player in self.processes and self.processes[player].poll() is not None
        wait_until(lambda: has_segments() or has_ended(), within, f"{player} goes on, or ends")
        return time.monotonic() - began if has_segments() else None

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait(stretched(20))
        self.leaving.origin.close()


@pytest.fixture
def stage(folder, programs, packaged_origin, viewer_page):
    made = Stage(folder, programs, packaged_origin)
    yield made
    made.close()


def test_an_origin_that_is_away_for_a_while_ends_no_player(stage, watch):
    stage.stand(nodes=("stadium",))
    for player in COMMANDS:
        stage.start(player)
    viewer = watch(stage.page_url("hls-js"), 0)
    viewer.wait_playing()
    for player in PLAYERS:
        wait_until(lambda: len(stage.served(player)) >= 2, 40, f"{player} plays")
    with stage.origin.in_time():
        stage.leaving.is_away = True
        back_at = time.monotonic() + OUTAGE_SECONDS
        wait_until(lambda: time.monotonic() >= back_at, OUTAGE_SECONDS + 5, "the outage is over")
        stage.leaving.is_away = False
        seconds = {player: stage.goes_on(player, 40) for player in PLAYERS}
        print("seconds until segments were loaded again:", seconds)
        assert None not in seconds.values(), seconds
        viewer.enough()
        assert [e for e in viewer.wait_done()["after"]["errors"] if e["fatal"]] == []
