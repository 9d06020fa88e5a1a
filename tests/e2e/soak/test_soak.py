"""A long event: 64 minutes in three, or with TRIBUNE_SOAK_HOURS days in hours, with unwatched renditions, late viewers, a DVR window, links and
tokens that expire before the event ends, a new signing key, rotated logs, reloads, and nodes that stop and restart."""
import os

import pytest
from harness.fast_time import FastTime
from soak_event import SoakEvent
from soak_viewers import DIRECT

pytestmark = pytest.mark.release_only("a preloaded clock and a sanitizer's runtime do not go together")

SPEED = 24
MINUTES = 60 * float(os.environ["TRIBUNE_SOAK_HOURS"]) if "TRIBUNE_SOAK_HOURS" in os.environ else 64


class Use:
    """Memory and descriptors of the processes."""

    def __init__(self, soak):
        programs = [soak.event.balancer, *soak.event.nodes.values()]
        self.memory = {p.name: p.memory_bytes() for p in programs}
        self.descriptors = {p.name: p.descriptors() for p in programs}

    def assert_not_grown(self, later, runs_on):
        """`runs_on`: processes that were not restarted meanwhile."""
        for name in runs_on:
            assert later.memory[name] < 1.25 * self.memory[name] + (24 << 20), (name, self.memory, later.memory)
            assert later.descriptors[name] <= self.descriptors[name] + 64, (name, self.descriptors, later.descriptors)


def operator_rounds(soak):
    """The repeated actions of an operator over the whole event: (minute, action)."""
    rounds = []
    for begin in range(0, int(soak.minutes), 60):
        rounds += [(begin + 13, lambda: soak.replace_node("b", "terminate")), (begin + 19, soak.rotate_logs), (begin + 23, soak.reload),
                   (begin + 29, lambda: soak.replace_node("c", "kill")), (begin + 37, soak.reload), (begin + 44, lambda: soak.replace_node("b", "kill")),
                   (begin + 51, soak.rotate_logs), (begin + 55, lambda: soak.replace_node("c", "terminate"))]
    return rounds


def newcomers(soak):
    """Late viewers, of old segments and of unwatched renditions; in the long variant others every ten hours."""
    came = []
    for begin in range(0, int(soak.minutes), 600):
        came += [(begin + 16, lambda: soak.watch("late at the edge", soak.live)),
                 (begin + 33, lambda: soak.watch("late in the window", soak.dvr, starts="head")),
                 (begin + 35, lambda: soak.watch("late from the beginning", soak.whole, starts="head", agent=DIRECT)),
                 (begin + 47, lambda: soak.watch("late and direct", soak.dvr, starts="head", agent=DIRECT)),
                 (begin + 50, lambda: soak.watch("on a quiet rendition", soak.live, variant=2)),
                 (begin + 60, lambda: soak.watch("after the end", soak.whole, starts="head"))]
    return came


def test_a_long_event_plays_for_all_viewers(event, folder):
    soak = SoakEvent(event, FastTime(folder, SPEED), MINUTES)
    soak.start()
    soak.watch("redirected", soak.live)
    soak.watch("direct", soak.live, agent=DIRECT)
    soak.watch("with a break", soak.live, agent=DIRECT, pauses=[(9, 24)])
    soak.watch("with a short break", soak.live, agent=DIRECT, pauses=[(5, 6), (11, 12), (28.5, 30)])
    soak.watch("down-switching", soak.live, switches={21: 1, 40: 0, 53: 1})
    soak.watch("in the window", soak.dvr, starts="head")
    soak.watch("in the window, direct", soak.dvr, starts="head", agent=DIRECT)
    soak.watch("from the beginning", soak.whole, starts="head")
    plan = operator_rounds(soak) + newcomers(soak) + [(7, soak.reload), (10, soak.take_up_key)]
    warm = None
    for minute, action in sorted(plan, key=lambda entry: entry[0]):
        if minute >= soak.minutes:
            break
        if minute > 12 and warm is None:
            soak.until(12)
            warm = Use(soak)
        soak.until(minute)
        action()
    soak.until(soak.minutes)
    end = Use(soak)
    soak.over.set()
    for viewer in soak.viewers:
        viewer.join(30)
    assert not soak.complaints(), soak.complaints()
    for viewer in soak.viewers:
        assert viewer.played > 10 and not viewer.is_alive(), (viewer.name, viewer.played)
    warm.assert_not_grown(end, ["balancer", "a"])
