"""A channel with two origins: when the first one fails or stalls, the second one takes over without a visible change for players."""
import re
from datetime import datetime, timedelta, timezone

import pytest
from harness.live_channel import LiveChannel
from harness.origin import ok
from harness.raw_client import fetch
from harness.waiting import wait_until

KICK_OFF = datetime(2026, 6, 1, 18, 0, tzinfo=timezone.utc)
FAST = {"origin": {"connect_timeout": "500ms", "first_byte_timeout": "1s", "low_speed_window": "1s"}}


class TwoOrigins:
    """A channel with two origins, and a player that watches it."""

    def __init__(self, event, origins, first, second):
        self.event = event
        event.live = LiveChannel(event.origin, target=2, **first)
        self.second = LiveChannel(origins(), target=2, **second)
        event.channels = [event.channel_config("demo", event.live.source, backup_origins=[self.second.origin.url])]
        event.start(balancer={"balancer": FAST})
        self.player = event.player().open()
        self.player.refresh()

    def advance(self):
        self.event.live.advance()
        self.second.advance()

    def plays(self, msn, live, live_msn):
        self.player.wait_for_msn(msn, within=10)
        self.player.play(msn, live.bytes_of("v1", live_msn), tries=3)
        assert self.player.playlist.discontinuity == 0
        assert "EXT-X-DISCONTINUITY\n" not in self.player.playlist.text

    def left(self):
        self.event.balancer.wait_log("origin_left")

    def returned(self):
        self.event.balancer.wait_log("origin_returned", within=40)


@pytest.fixture
def same_numbers(event, origins):
    return TwoOrigins(event, origins, {}, {})


@pytest.fixture
def unlike(event, origins):
    """The second origin began later, numbers from 7 and has other file names."""
    return TwoOrigins(event, origins, {"first_msn": 100, "began": KICK_OFF},
                      {"first_msn": 7, "began": KICK_OFF + timedelta(seconds=2), "name": "chunk", "listed": 4})


def test_the_second_origin_takes_over_when_the_first_fails_and_the_first_is_used_again_when_it_is_back(same_numbers):
    live, second = same_numbers.event.live, same_numbers.second
    same_numbers.event.origin.refuse()
    same_numbers.advance()
    same_numbers.plays(5, second, 5)
    same_numbers.left()
    assert "~" not in same_numbers.player.playlist.segment(5).text.split("/media/")[1]   # named as at the first origin
    same_numbers.event.origin.resume()
    same_numbers.advance()
    wait_until(lambda: same_numbers.player.try_refresh().status == 200 and same_numbers.event.balancer.logged("origin_returned"), 40, "the first origin is taken back")
    asked = live.origin.count("/live/demo/v1/index.m3u8")
    same_numbers.advance()
    same_numbers.plays(7, live, 7)
    wait_until(lambda: same_numbers.player.try_refresh().status == 200 and live.origin.count("/live/demo/v1/index.m3u8") > asked, 10, "and asked")


def test_an_origin_with_a_stalled_playlist_is_replaced_until_it_advances(same_numbers):
    live, second = same_numbers.event.live, same_numbers.second
    for _ in range(4):
        second.advance()   # only the second encoder runs
    wait_until(lambda: same_numbers.player.try_refresh().status == 200 and same_numbers.player.playlist.last_msn >= 8, 20, "the second origin's segments are listed")
    same_numbers.left()
    same_numbers.player.play(8, second.bytes_of("v1", 8), tries=3)
    live.advance(5)
    wait_until(lambda: same_numbers.player.try_refresh().status == 200 and same_numbers.event.balancer.logged("origin_returned"), 60, "the first origin is taken back")


def test_an_origin_with_other_numbers_and_names_takes_over_without_a_discontinuity(unlike):
    live, second = unlike.event.live, unlike.second
    listed = unlike.player.playlist.last_msn
    assert listed == 104
    unlike.event.origin.refuse()
    for step in range(1, 4):
        unlike.advance()
        unlike.plays(listed + step, second, 10 + step)
    unlike.left()
    unlike.event.origin.resume()
    wait_until(lambda: unlike.player.try_refresh().status == 200 and unlike.event.balancer.logged("origin_returned"), 40, "the first origin is taken back")
    unlike.advance()
    unlike.plays(listed + 4, live, listed + 4)


def ivs_of(playlist):
    """MSN -> the IV with which a player decrypts the segment: the one of the key, else the MSN."""
    found, number, iv = {}, playlist.msn, None
    for line in playlist.text.splitlines():
        if line.startswith("#EXT-X-KEY:"):
            said = re.search(r"IV=0x([0-9a-fA-F]+)", line)
            iv = int(said.group(1), 16) if said else None
        elif line and not line.startswith("#"):
            found[number] = number if iv is None else iv
            number += 1
    return found


def test_a_key_without_an_iv_uses_the_number_at_the_origin_of_the_segment(event, origins):
    """The second origin has other numbers: the playlist contains the IV that they imply."""
    first = LiveChannel(event.origin, target=2, first_msn=100, began=KICK_OFF)
    second = LiveChannel(origins(), target=2, first_msn=7, listed=4, began=KICK_OFF + timedelta(seconds=2), name="chunk")
    for live in (first, second):
        live.extra_tags = '#EXT-X-KEY:METHOD=AES-128,URI="key.bin"'
        live.origin.on("/live/demo/v1/key.bin", ok(b"k" * 16))
    event.live = first
    event.channels = [event.channel_config("demo", first.source, backup_origins=[second.origin.url])]
    event.start(balancer={"balancer": FAST})
    player = event.player().open()
    player.refresh()
    assert ivs_of(player.playlist) == {msn: msn for msn in range(100, 105)}
    event.origin.refuse()
    first.advance()
    second.advance()
    player.wait_for_msn(105, within=10)
    assert ivs_of(player.playlist) == {**{msn: msn for msn in range(player.playlist.msn, 105)}, 105: 11}
    player.play(105, second.bytes_of("v1", 11), tries=3)
    assert "#EXT-X-DISCONTINUITY\n" not in player.playlist.text


def two_origins(event, origins, later):
    """The segments of the first origin end at 104, ten seconds after it began; those of the second begin `later` seconds after that beginning."""
    first = LiveChannel(event.origin, target=2, first_msn=100, began=KICK_OFF)
    second = LiveChannel(origins(), target=2, first_msn=7, listed=4, began=KICK_OFF + timedelta(seconds=later), name="chunk")
    event.live = first
    event.channels = [event.channel_config("demo", first.source, backup_origins=[second.origin.url])]
    event.start(balancer={"balancer": FAST})
    return second


def assert_empty(*gaps):
    answers = [fetch(gap.uri) for gap in gaps]
    assert [(answer.status, answer.body, answer.header("Content-Type")) for answer in answers] == [(200, b"", "video/mp2t")] * len(gaps)
    assert len({gap.text for gap in gaps}) == len(gaps)


def lose_first_origin(event, second, first_new):
    """The first origin fails; a player that follows the second one for two more segments. `first_new`: the number of its chunk7."""
    player = event.player().open()
    player.refresh()
    event.origin.refuse()
    wait_until(lambda: player.try_refresh().status == 200 and player.playlist.last_msn > 104, 10, "the second origin's segments are listed")
    at_once = player.playlist
    for step in range(2):
        player.play(first_new + 3 + step, second.bytes_of("v1", 10 + step), tries=3)
        second.advance()
        player.wait_for_msn(first_new + 4 + step, within=10)
    return player, at_once


def test_segments_that_no_origin_delivers_are_listed_as_gaps(event, origins):
    """The oldest segment of the second origin begins 4 s after the end of the first: no origin delivers the segments between."""
    second = two_origins(event, origins, later=14)
    player, at_once = lose_first_origin(event, second, first_new=107)
    kinds = {segment.msn: "#EXT-X-GAP" in segment.tags for segment in at_once.segments}
    assert kinds == {msn: msn in (105, 106) for msn in range(102, 111)}
    assert [tag for tag in at_once.segment(105).tags if "EXTINF" in tag] == ["#EXTINF:2.0,"]
    # Players that request a gap receive an empty segment.
    assert_empty(at_once.segment(105), at_once.segment(106))
    assert player.playlist.discontinuity == 0 and "#EXT-X-DISCONTINUITY\n" not in player.playlist.text + at_once.text
    # The node received no request for a gap.
    assert {line["path"].rpartition("/")[2] for line in event.nodes["stadium"].access_log() if line["path"].startswith("/media/")} <= {"chunk10.ts", "chunk11.ts"}


def test_a_hole_of_more_than_a_few_segments_is_one_discontinuity_and_never_decreases_the_numbers(event, origins):
    second = two_origins(event, origins, later=10 + 2 * 9)
    player, _ = lose_first_origin(event, second, first_new=104)   # only the live edge is listed: chunk8 has the number 105
    assert player.playlist.discontinuity + player.playlist.text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert "#EXT-X-GAP" not in player.playlist.text


@pytest.mark.every_build
def test_gaps_of_the_source_are_passed_on(event):
    live = event.live
    body = live.media("v1").replace(b"#EXTINF:1.000,\nseg3.ts", b"#EXT-X-GAP\n#EXTINF:1.000,\nseg3.ts")
    event.origin.on("/live/demo/v1/index.m3u8", ok(body, "application/vnd.apple.mpegurl"))
    event.start()
    playlist = event.player().open().refresh()
    assert [segment.msn for segment in playlist.segments if "#EXT-X-GAP" in segment.tags] == [3]
    assert_empty(playlist.segment(3))
