"""A channel with two origins: when the first one fails, or stands still, the second one carries on, and players notice nothing."""
from datetime import datetime, timedelta, timezone

import pytest
from harness.live import LiveChannel
from harness.waiting import wait_until

KICK_OFF = datetime(2026, 6, 1, 18, 0, tzinfo=timezone.utc)
FAST = {"origin": {"connect_timeout": "500ms", "first_byte_timeout": "1s", "low_speed_window": "1s"}}


class TwoOrigins:
    def __init__(self, event, origins, first, second):
        self.event = event
        event.live = LiveChannel(event.origin, target=2, **first)
        self.second = LiveChannel(origins(), target=2, **second)
        event.channels = [event.entry("demo", event.live.source, backup_origins=[self.second.origin.url])]
        event.stand(balancer={"balancer": FAST})
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
def alike(event, origins):
    return TwoOrigins(event, origins, {}, {})


@pytest.fixture
def unlike(event, origins):
    """The second origin began later, counts from 7 and names its files otherwise."""
    return TwoOrigins(event, origins, {"first_msn": 100, "began": KICK_OFF},
                      {"first_msn": 7, "began": KICK_OFF + timedelta(seconds=2), "name": "chunk", "listed": 4})


def test_the_second_origin_carries_on_when_the_first_refuses_and_hands_back(alike):
    live, second = alike.event.live, alike.second
    alike.event.origin.refuse()
    alike.advance()
    alike.plays(5, second, 5)
    alike.left()
    assert "~" not in alike.player.playlist.segment(5).text.split("/media/")[1]   # named as at the first origin
    alike.event.origin.resume()
    alike.advance()
    wait_until(lambda: alike.player.try_refresh().status == 200 and alike.event.balancer.logged("origin_returned"), 40, "the first origin is taken back")
    asked = live.origin.count("/live/demo/v1/index.m3u8")
    alike.advance()
    alike.plays(7, live, 7)
    wait_until(lambda: alike.player.try_refresh().status == 200 and live.origin.count("/live/demo/v1/index.m3u8") > asked, 10, "and asked")


def test_an_origin_whose_playlist_stands_still_is_left_until_it_moves(alike):
    live, second = alike.event.live, alike.second
    for _ in range(4):
        second.advance()   # only the second encoder lives
    wait_until(lambda: alike.player.try_refresh().status == 200 and alike.player.playlist.last_msn >= 8, 20, "the second origin's segments are listed")
    alike.left()
    alike.player.play(8, second.bytes_of("v1", 8), tries=3)
    live.advance(5)
    wait_until(lambda: alike.player.try_refresh().status == 200 and alike.event.balancer.logged("origin_returned"), 60, "the first origin is taken back")


def test_an_origin_with_other_numbers_and_names_goes_on_without_a_discontinuity(unlike):
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
