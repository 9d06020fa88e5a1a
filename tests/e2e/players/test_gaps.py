"""Segments at the live edge that no origin delivers: they are listed as gaps, and every player continues after them. hls.js
supports EXT-X-GAP; ffmpeg 5.1 and GStreamer 1.22 do not, and load the empty segments."""
import re
from pathlib import Path

import pytest
from channel_per_player import COMMANDS, PLAYERS, ChannelPerPlayerEvent
from harness.origin import Origin, ok, status
from harness.waiting import wait_until
from packaged_event import FRAMES_PER_SECOND, SEGMENT_SECONDS

MISSING = 2
NUMBER = re.compile(r"seg-(\d+)\.")
ENTRY = re.compile(r"((?:#EXTINF|#EXT-X-PROGRAM-DATE-TIME)[^\n]*\n)+[^#\n]*seg-(\d+)\.[^\n]*\n")
AFTERWARDS = 2   # segments


class Breaking:
    """The packager's files at two origins. After stop() the playlists of the first one have no new segment; those of the second
    one begin MISSING segments later, and number from 0."""

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


class GapEvent(ChannelPerPlayerEvent):
    """An event whose channels have the two origins of `breaking`."""

    def __init__(self, folder, programs, packaged):
        self.breaking = Breaking(packaged.folder)
        super().__init__(folder, programs, packaged, self.breaking.first.url, backup_origins=[self.breaking.second.url])

    def output(self, player):
        return (self.folder / f"{player}.out").read_text()

    def last_before(self, player):
        return self.breaking.last[f"/{PLAYERS[player]}/180p/index.m3u8"]

    def wait_for_all_players(self, is_there, what):
        for player in PLAYERS:
            wait_until(lambda p=player: is_there(p), 40, f"{player} {what}")

    def close(self):
        super().close()
        self.breaking.close()


@pytest.fixture
def gap_event(folder, programs, packaged_origin, viewer_page):
    made = GapEvent(folder, programs, packaged_origin)
    yield made
    made.close()


def pictures_of(player, said):
    """The presentation time of each frame, in frames."""
    if player == "ffmpeg":
        return [int(line.split(",")[2]) for line in said.splitlines()[:-1] if line and not line.startswith("#")]
    times = re.findall(r"\(picture:sink\).* pts: (\d+):(\d\d):([\d.]+)", said)
    return [(int(h) * 3600 + int(m) * 60 + float(s)) * FRAMES_PER_SECOND for h, m, s in times]


def jumps(player, said):
    times = pictures_of(player, said)
    steps = [round(b - a) for a, b in zip(times, times[1:])]
    return [step for step in steps if step != 1]


def play_over_the_gap(gap_event, viewer):
    viewer.wait_playing()
    gap_event.wait_for_all_players(lambda player: len(gap_event.served(player)) >= 2, "plays")
    gap_event.breaking.stop()
    wait_until(gap_event.breaking.is_back, 20, "the second origin has segments")
    gap_event.breaking.first.refuse()
    gap_event.wait_for_all_players(lambda player: gap_event.served(player)[-1] >= gap_event.last_before(player) + MISSING + AFTERWARDS, "continues")
    viewer.enough()
    after = viewer.wait_done()["after"]
    assert [e for e in after["errors"] if e["fatal"]] == []
    for player in PLAYERS:
        last = gap_event.last_before(player)
        numbers = gap_event.served(player)
        hole = range(last + 1, last + MISSING + 1)
        assert numbers == [n for n in range(numbers[0], numbers[-1] + 1) if n not in hole], player
    for player, process in gap_event.processes.items():
        assert process.poll() is None, player
        wait_until(lambda: jumps(player, gap_event.output(player)), 20, f"{player} shows the segments after the gap")
        assert jumps(player, gap_event.output(player)) == [1 + MISSING * SEGMENT_SECONDS * FRAMES_PER_SECOND], player


def test_players_continue_after_segments_that_no_origin_delivered(gap_event, watch):
    gap_event.start(nodes=("stadium",))
    for player in COMMANDS:
        gap_event.start_player(player)
    with gap_event.origin.in_time():
        play_over_the_gap(gap_event, watch(gap_event.page_url("hls-js"), 0))
