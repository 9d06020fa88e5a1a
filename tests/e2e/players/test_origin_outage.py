"""An outage of the origin: the last playlists are served until it is back, and every player continues by itself."""
import os
import time
from pathlib import Path

import pytest
from channel_per_player import COMMANDS, PLAYERS, ChannelPerPlayerEvent
from harness.origin import Origin, ok, status
from harness.waiting import wait_until

OUTAGE_SECONDS = float(os.environ.get("TRIBUNE_OUTAGE_SECONDS", "12"))
AFTERWARDS = 2   # segments
class InterruptedOrigin:
    """The packager's files at an origin that responds with 503 to every request while `is_away`."""

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


class OutageEvent(ChannelPerPlayerEvent):
    """An event whose channels have the origin of `interrupted`."""

    def __init__(self, folder, programs, packaged):
        self.interrupted = InterruptedOrigin(packaged.folder)
        super().__init__(folder, programs, packaged, self.interrupted.origin.url)

    def continues(self, player, within):
        """How many seconds it takes until the player receives segments again; None when it exits."""
        before, began = len(self.served(player)), time.monotonic()

        def has_segments():
            return len(self.served(player)) >= before + AFTERWARDS

        def has_ended():
            return player in self.processes and self.processes[player].poll() is not None
        wait_until(lambda: has_segments() or has_ended(), within, f"{player} continues or exits")
        return time.monotonic() - began if has_segments() else None

    def close(self):
        super().close()
        self.interrupted.origin.close()


@pytest.fixture
def outage_event(folder, programs, packaged_origin, viewer_page):
    made = OutageEvent(folder, programs, packaged_origin)
    yield made
    made.close()


def test_every_player_survives_an_outage_of_the_origin(outage_event, watch):
    outage_event.start(nodes=("stadium",))
    for player in COMMANDS:
        outage_event.start_player(player)
    viewer = watch(outage_event.page_url("hls-js"), 0)
    viewer.wait_playing()
    for player in PLAYERS:
        wait_until(lambda: len(outage_event.served(player)) >= 2, 40, f"{player} plays")
    with outage_event.origin.in_time():
        outage_event.interrupted.is_away = True
        back_at = time.monotonic() + OUTAGE_SECONDS
        wait_until(lambda: time.monotonic() >= back_at, OUTAGE_SECONDS + 5, "the outage is over")
        outage_event.interrupted.is_away = False
        seconds = {player: outage_event.continues(player, 40) for player in PLAYERS}
        print("seconds until segments were loaded again:", seconds)
        assert None not in seconds.values(), seconds
        viewer.enough()
        assert [e for e in viewer.wait_done()["after"]["errors"] if e["fatal"]] == []
