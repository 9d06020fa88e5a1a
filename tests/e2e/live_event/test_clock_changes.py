"""Clocks that step or disagree (fault 39): timers do not care, links and heartbeats bear the configured skew, nobody is expired."""
import pytest
from harness.fake_clock import FAKETIME, needs_faked_clock
from harness.waiting import wait_until
from harness.raw_client import fetch

pytestmark = needs_faked_clock


@pytest.fixture
def clock(folder):
    """A clock that the test sets; returns (a function that sets its offset, environment of who goes by it)."""
    def make(name, offset):
        file = folder / name

        def step(to):
            fresh = folder / (name + ".new")
            fresh.write_text(to)
            fresh.rename(file)
        step(offset)
        return step, {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
                      "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}

    return make


def goes_on(event, player):
    """The same session gets the next segment, and the node serves it."""
    event.live.advance(1)
    msn = event.live.next_msn - 1
    player.wait_for_msn(msn)
    player.play(msn, event.live.bytes_of("v1", msn))


def lost(event):
    return len(event.balancer.logged("node_lost"))


def heard_again(event):
    """Two heartbeats more were believed."""
    before = event.balancer.metric("tribune_balancer_heartbeats_total", result="accepted")
    wait_until(lambda: event.balancer.metric("tribune_balancer_heartbeats_total", result="accepted") >= before + 2, 6, "heartbeats")


@pytest.mark.parametrize("offset", ["+25s", "-25s"])
def test_hosts_whose_clocks_are_25_seconds_apart_work_together(event, clock, offset):
    _, environment = clock("node", offset)
    event.start_node(environment=environment)
    event.start_balancer(["stadium"])
    event.wait_registered("stadium")
    player = event.player().open()
    for _ in range(3):
        goes_on(event, player)
    assert event.is_up("stadium") and lost(event) == 0


def test_clocks_that_step_by_an_hour_lose_no_node_no_session_and_no_link(event, clock):
    step, environment = clock("all", "+0s")
    event.start_node(environment=environment)
    event.start_balancer(["stadium"], environment=environment)
    event.wait_registered("stadium")
    player = event.player().open()
    player.refresh()
    first = player.playlist.segments[-1]
    expected = event.live.bytes_of("v1", first.msn)
    for offset in ("+3600s", "-3600s", "+0s"):
        step(offset)
        assert fetch(first.uri).body == expected, "a link of before the step"
        goes_on(event, player)
        heard_again(event)
        assert event.is_up("stadium"), offset
    assert lost(event) == 0
    assert event.balancer.admin("/status").json["balancer"]["nodes"][0]["state"] == "up"


def start_with_clock(event, environment):
    """All of them go by that clock, and links live for a minute or two."""
    event.channels[0]["link_lifetime"] = "1min"
    event.start_node(environment=environment)
    event.start_balancer(["stadium"], environment=environment)
    event.wait_registered("stadium")


def plays_from_the_beginning(event, player):
    segment = player.playlist.segment(0)
    wait_until(lambda: player.follow(segment.uri).body == event.live.bytes_of("v1", 0), 4, "the first segment is served")
    player.play(player.playlist.last_msn, event.live.bytes_of("v1", player.playlist.last_msn))


@pytest.mark.parametrize("links", ["direct", "redirect"])
def test_every_segment_that_a_long_event_lists_is_served_whatever_dies_meanwhile(event, clock, links):
    step, environment = clock("all", "+0s")
    event.live.window, event.live.extra_tags = 10_000, "#EXT-X-PLAYLIST-TYPE:EVENT"
    event.channels[0]["links"] = links
    start_with_clock(event, environment)
    player = event.player().open()
    player.refresh()
    for offset in ("+50s", "+600s", "+6000s"):
        step(offset)
        goes_on(event, player)   # what was listed kept its text
        plays_from_the_beginning(event, player)
        newcomer = event.player().open()
        newcomer.refresh()
        plays_from_the_beginning(event, newcomer)
    event.balancer.kill()
    event.nodes["stadium"].kill()
    event.nodes["stadium"].start()
    segment = player.playlist.segment(0)
    if links == "direct":        # the node knows it from its own disk
        assert fetch(segment.uri).body == event.live.bytes_of("v1", 0)
    event.balancer.start()
    event.wait_registered("stadium")
    goes_on(event, player)
    plays_from_the_beginning(event, player)
    # The end, and those who watch the recording afterwards.
    event.live.is_ended = True
    wait_until(lambda: player.try_refresh().status == 200 and player.playlist.is_ended, 5, "the end is listed")
    for offset in ("+6050s", "+7000s", "+8000s"):
        step(offset)
        newcomer = event.player().open()
        newcomer.refresh()
        plays_from_the_beginning(event, newcomer)


def test_a_recording_can_be_watched_whenever_it_is_opened(event, clock):
    step, environment = clock("all", "+0s")
    event.live.window, event.live.is_ended = 10_000, True
    event.live.advance(40)
    start_with_clock(event, environment)
    for offset in ("+0s", "+70s", "+150s", "+4000s"):
        step(offset)
        player = event.player().open()
        player.refresh()
        plays_from_the_beginning(event, player)
        before = player.playlist.segment(20)
        step(f"+{int(offset[1:-1]) + 60}s")     # while it lasts
        wait_until(lambda: fetch(before.uri).body == event.live.bytes_of("v1", 20), 4, "a segment in the middle is served")
