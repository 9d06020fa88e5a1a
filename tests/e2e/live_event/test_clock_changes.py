"""Clocks that step or differ between hosts: timers are unaffected, links and heartbeats tolerate the configured skew, no session expires."""
import pytest
from harness.fake_clock import FAKETIME, needs_faked_clock
from harness.raw_client import fetch
from harness.waiting import wait_until

pytestmark = needs_faked_clock


@pytest.fixture
def clock(folder):
    """Makes clocks that the test sets: (a function that sets the offset, the environment of processes with this clock)."""
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


def assert_continues(event, player):
    """The session receives the next segment, and the node serves it."""
    event.live.advance(1)
    msn = event.live.next_msn - 1
    player.wait_for_msn(msn)
    player.play(msn, event.live.bytes_of("v1", msn))


def lost_nodes(event):
    return len(event.balancer.logged("node_lost"))


def wait_heartbeats(event):
    """Waits until two more heartbeats are accepted."""
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
        assert_continues(event, player)
    assert event.is_up("stadium") and lost_nodes(event) == 0


def test_clock_steps_of_an_hour_lose_no_node_no_session_and_no_link(event, clock):
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
        assert fetch(first.uri).body == expected, "a link from before the step"
        assert_continues(event, player)
        wait_heartbeats(event)
        assert event.is_up("stadium"), offset
    assert lost_nodes(event) == 0
    assert event.balancer.admin("/status").json["balancer"]["nodes"][0]["state"] == "up"


def start_with_clock(event, environment):
    """Starts all processes with this clock, and with links that are valid for a minute or two."""
    event.channels[0]["link_lifetime"] = "1min"
    event.start_node(environment=environment)
    event.start_balancer(["stadium"], environment=environment)
    event.wait_registered("stadium")


def plays_from_the_beginning(event, player):
    segment = player.playlist.segment(0)
    wait_until(lambda: player.follow(segment.uri).body == event.live.bytes_of("v1", 0), 4, "the first segment is served")
    player.play(player.playlist.last_msn, event.live.bytes_of("v1", player.playlist.last_msn))


@pytest.mark.parametrize("links", ["direct", "redirect"])
def test_every_listed_segment_of_a_long_event_is_served_after_kills_and_restarts(event, clock, links):
    step, environment = clock("all", "+0s")
    event.live.window, event.live.extra_tags = 10_000, "#EXT-X-PLAYLIST-TYPE:EVENT"
    event.channels[0]["links"] = links
    start_with_clock(event, environment)
    player = event.player().open()
    player.refresh()
    for offset in ("+50s", "+600s", "+6000s"):
        step(offset)
        assert_continues(event, player)   # what was listed kept its text
        plays_from_the_beginning(event, player)
        newcomer = event.player().open()
        newcomer.refresh()
        plays_from_the_beginning(event, newcomer)
    # The newcomer's pin is written after the record of the newest segment, which has its expiry.
    wait_until(lambda: event.balancer.admin("/status").json["balancer"]["unsaved_pins"] == 0, 5, "the state is on disk")
    event.balancer.kill()
    event.nodes["stadium"].kill()
    event.nodes["stadium"].start()
    segment = player.playlist.segment(0)
    if links == "direct":        # the node has it on its own disk
        assert fetch(segment.uri).body == event.live.bytes_of("v1", 0)
    event.balancer.start()
    event.wait_registered("stadium")
    assert_continues(event, player)
    plays_from_the_beginning(event, player)
    # The end of the event, and viewers of the recording.
    event.live.is_ended = True
    wait_until(lambda: player.try_refresh().status == 200 and player.playlist.is_ended, 5, "the end is listed")
    for offset in ("+6050s", "+7000s", "+8000s"):
        step(offset)
        newcomer = event.player().open()
        newcomer.refresh()
        plays_from_the_beginning(event, newcomer)


def test_a_recording_can_be_watched_at_any_time_after_the_event(event, clock):
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
        step(f"+{int(offset[1:-1]) + 60}s")     # during playback
        wait_until(lambda: fetch(before.uri).body == event.live.bytes_of("v1", 20), 4, "a segment in the middle is served")
