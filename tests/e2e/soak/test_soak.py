"""What only time brings out: a show of an hour and more in three minutes, or with TRIBUNE_SOAK_HOURS of days in hours, with quiet renditions, late
joiners, a DVR window, links and tokens that live shorter than the show, a new signing key, rotated logs, reloads, and nodes that come and go."""
import os

import pytest
from harness.fast_time import FastTime
from harness.waiting import IS_RELEASE
from soak_show import Show
from soak_viewers import DIRECT

pytestmark = pytest.mark.skipif(not IS_RELEASE, reason="a preloaded clock and a sanitizer's runtime do not go together")

SPEED = 24
MINUTES = 60 * float(os.environ["TRIBUNE_SOAK_HOURS"]) if "TRIBUNE_SOAK_HOURS" in os.environ else 64


class Use:
    """What the programs hold of the machine."""

    def __init__(self, show):
        programs = [show.event.balancer, *show.event.nodes.values()]
        self.memory = {p.name: p.memory_bytes() for p in programs}
        self.descriptors = {p.name: p.descriptors() for p in programs}

    def assert_not_grown(self, later, runs_on):
        """`runs_on`: programs that were not replaced meanwhile."""
        for name in runs_on:
            assert later.memory[name] < 1.25 * self.memory[name] + (24 << 20), (name, self.memory, later.memory)
            assert later.descriptors[name] <= self.descriptors[name] + 64, (name, self.descriptors, later.descriptors)


def operator_rounds(show):
    """What an operator does again and again: (minute, what) for the whole length of the show."""
    rounds = []
    for begin in range(0, int(show.minutes), 60):
        rounds += [(begin + 13, lambda: show.replace_node("b", "terminate")), (begin + 19, show.rotate_logs), (begin + 23, show.reload),
                   (begin + 29, lambda: show.replace_node("c", "kill")), (begin + 37, show.reload), (begin + 44, lambda: show.replace_node("b", "kill")),
                   (begin + 51, show.rotate_logs), (begin + 55, lambda: show.replace_node("c", "terminate"))]
    return rounds


def newcomers(show):
    """Viewers who come late, to what was listed long ago and to what nobody watched; in the long shape others every ten hours."""
    came = []
    for begin in range(0, int(show.minutes), 600):
        came += [(begin + 16, lambda: show.watch("late at the edge", show.live)),
                 (begin + 33, lambda: show.watch("late in the window", show.dvr, starts="head")),
                 (begin + 35, lambda: show.watch("late from the beginning", show.whole, starts="head", agent=DIRECT)),
                 (begin + 47, lambda: show.watch("late and direct", show.dvr, starts="head", agent=DIRECT)),
                 (begin + 50, lambda: show.watch("on a quiet rendition", show.live, variant=2)),
                 (begin + 60, lambda: show.watch("after the end", show.whole, starts="head"))]
    return came


def test_a_long_show_goes_on_for_everybody(event, folder):
    show = Show(event, FastTime(folder, SPEED), MINUTES)
    show.start()
    show.watch("redirected", show.live)
    show.watch("direct", show.live, agent=DIRECT)
    show.watch("with a break", show.live, agent=DIRECT, pauses=[(9, 24)])
    show.watch("with a short break", show.live, agent=DIRECT, pauses=[(5, 6), (11, 12), (28.5, 30)])
    show.watch("down-switching", show.live, switches={21: 1, 40: 0, 53: 1})
    show.watch("in the window", show.dvr, starts="head")
    show.watch("in the window, direct", show.dvr, starts="head", agent=DIRECT)
    show.watch("from the beginning", show.whole, starts="head")
    plan = operator_rounds(show) + newcomers(show) + [(7, show.reload), (10, show.take_up_key)]
    warm = None
    for minute, action in sorted(plan, key=lambda entry: entry[0]):
        if minute >= show.minutes:
            break
        if minute > 12 and warm is None:
            show.until(12)
            warm = Use(show)
        show.until(minute)
        action()
    show.until(show.minutes)
    end = Use(show)
    show.over.set()
    for viewer in show.viewers:
        viewer.join(30)
    assert not show.complaints(), show.complaints()
    for viewer in show.viewers:
        assert viewer.played > 10 and not viewer.is_alive(), (viewer.name, viewer.played)
    warm.assert_not_grown(end, ["balancer", "a"])
