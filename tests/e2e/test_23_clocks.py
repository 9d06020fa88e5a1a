"""Clocks that step or disagree (fault 39): timers do not care, links and heartbeats bear the configured skew, nobody is expired."""
import pytest
from harness.clocks import FAKETIME, needs_faked_clock
from harness.waiting import wait_until
from harness.wire import fetch

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
    event.wait_heard("stadium")
    player = event.player().open()
    for _ in range(3):
        goes_on(event, player)
    assert event.is_listed("stadium") and lost(event) == 0


def test_clocks_that_step_by_an_hour_lose_no_node_no_session_and_no_link(event, clock):
    step, environment = clock("all", "+0s")
    event.start_node(environment=environment)
    event.start_balancer(["stadium"], environment=environment)
    event.wait_heard("stadium")
    player = event.player().open()
    player.refresh()
    first = player.playlist.segments[-1]
    expected = event.live.bytes_of("v1", first.msn)
    for offset in ("+3600s", "-3600s", "+0s"):
        step(offset)
        assert fetch(first.uri).body == expected, "a link of before the step"
        goes_on(event, player)
        heard_again(event)
        assert event.is_listed("stadium"), offset
    assert lost(event) == 0
    assert event.balancer.admin("/status").json["balancer"]["nodes"][0]["state"] == "up"
