"""The order of admission, the limit and the reported waiting times, verified from the balancer's event log."""
import asyncio
import datetime
import json
import statistics
import time

import pytest
from harness.queue_clients import ControlledQueueClients
from harness.raw_client import fetch
from harness.waiting import LONG, pace, wait_until

pytestmark = pytest.mark.release_too("its deadlines are those of the product; sanitized programs get longer ones")

LOST = ("ticket_abandoned", "ticket_unclaimed", "ticket_given_up")


def seconds(line):
    return datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()


async def set_limit(event, limit):
    answer = await asyncio.to_thread(fetch, event.balancer.admin_url + "/limits", method="PUT", body=json.dumps({"max_sessions": limit}).encode())
    assert answer.status == 200, answer.body


async def until_logged(crowd, event, name, count):
    await crowd.until(lambda: len(event.balancer.logged(name)) >= count, f"{count} times {name}")
    assert len(event.balancer.logged(name)) == count


def assert_limit_held(log):
    """No log event opens or reserves a session beyond the limit of that time, and the counts in the events follow from their order."""
    sessions = 0
    for line in log:
        if line["event"] in ("session_opened", "session_adopted"):
            sessions += 1
        elif line["event"] == "session_released":
            sessions -= 1
        else:
            assert line["event"] != "ticket_called" or line["sessions"] + line["kept"] <= line["limit"], line
            continue
        assert line["sessions"] == sessions, line
        assert line["event"] != "session_opened" or sessions <= line["limit"], line
    assert sessions == 0


def test_limit_changes_a_drill_and_mass_departure_break_neither_the_limit_nor_the_order(limited_event):
    size, limit, lowered, refresh = (1_000, 100, 50, 3.0) if LONG else (120, 40, 20, 1.0)
    waiting = size - limit
    event = limited_event(limit, log="debug", idle="120s", access={"refresh": f"{int(refresh)}s", "reservation": "60s", "lease_intervals": 60})
    balancer = event.balancer
    drill_ends = []

    async def operate(crowd):
        await crowd.until(lambda: len(crowd.watchers) == limit and sum(c.number is not None for c in crowd.clients) == waiting, "all have joined", 60)
        await set_limit(event, lowered)
        await pace(refresh * 2)
        assert len(crowd.watchers) == limit and balancer.logged("session_released") == [], "a lowered limit ends no session"
        crowd.end_sessions(limit - lowered)
        await until_logged(crowd, event, "session_released", limit - lowered)

        assert (await crowd.ask("GET", "/access_queue_switch?state=on"))[0] == 200
        crowd.end_sessions(5)
        await until_logged(crowd, event, "session_released", limit - lowered + 5)
        await pace(refresh)
        assert balancer.logged("ticket_called") == [], "the drill admits no client"
        drill_ends.append(time.time())
        assert (await crowd.ask("GET", "/access_queue_switch?state=off"))[0] == 200
        await until_logged(crowd, event, "ticket_claimed", 5)

        crowd.is_connected.clear()   # all waiting clients lose their connection, and half of the viewers leave
        crowd.end_sessions(lowered // 2)
        await until_logged(crowd, event, "ticket_called", 5 + lowered // 2)
        await pace(refresh * 2)
        crowd.is_connected.set()
        await until_logged(crowd, event, "ticket_claimed", 5 + lowered // 2)
        await set_limit(event, size)
        await crowd.until(lambda: len(crowd.watchers) == size - (limit - lowered) - 5 - lowered // 2, "all clients watch", 60)

    crowd = ControlledQueueClients(balancer.url, size, poll_seconds=refresh, playlist_seconds=5.0 if LONG else 2.0)
    asyncio.run(crowd.hold(operate, 300))
    assert crowd.failures == [] and [c.refusals for c in crowd.clients if c.refusals] == [], "a session was ended or a client rejected"
    assert all(c.granted_at is not None and not c.lost_place for c in crowd.clients), "a place was lost"
    wait_until(lambda: balancer.metric("tribune_access_sessions") == 0, 20, "all left")
    wait_until(lambda: len(balancer.logged("session_released")) == size, 10, "the log has all of it")

    log = [line for line in balancer.log() if line["event"].startswith(("session_", "ticket_"))]
    assert_limit_held(log)
    numbers = list(range(1, waiting + 1))
    for step in ("ticket_given", "ticket_called"):
        assert [line["number"] for line in log if line["event"] == step] == numbers, f"{step}: first come, first served, to the last one"
    assert sorted(line["number"] for line in log if line["event"] == "ticket_claimed") == numbers
    assert [line for line in log if line["event"] in LOST] == []
    assert {line["limit"] for line in log if line["event"] == "session_opened"} == {limit, lowered, size}
    assert min(seconds(line) for line in log if line["event"] == "ticket_called") >= drill_ends[0] - 0.002, "no ticket was called during the drill"


class QueueProgress:
    """The progress of the queue by the log: the time at which each ticket was called."""

    def __init__(self, event):
        self.called = {line["number"]: seconds(line) for line in event.balancer.logged("ticket_called")}
        self.times = sorted(self.called.values())

    def pace(self, since, until):
        """Calls per second."""
        return sum(since < t <= until for t in self.times) / max(0.1, until - since)


def error(reported, real):
    """The relative error of a reported time. Reported times are rounded up to whole seconds, so half a second is subtracted."""
    return abs(reported - 0.5 - real) / max(0.1, real)


def test_the_reported_waiting_time_is_right_within_20_percent(limited_event):
    """Sessions end at an even pace. The balancer reports no time before the queue has moved for ten seconds; from then on, for `asked_for` seconds,
    the test compares the reported times from `least` to `most` seconds with the time until the ticket was called, by the event log. The median of
    the errors is at most 20 %: of the real time where the pace stayed within a tenth (a busy machine may delay sessions that end), and of the time
    that follows from the pace until then, for all."""
    size, limit, per_second = (1_000, 100, 10) if LONG else (220, 60, 6)
    asked_for, least, most = (25.0, 10, 40) if LONG else (2.0, 4, 6)
    event = limited_event(limit, log="debug", idle="120s", access={"refresh": "3s" if LONG else "1s", "reservation": "60s", "lease_intervals": 60})
    crowd = ControlledQueueClients(event.balancer.url, size, poll_seconds=3.0 if LONG else 1.5)
    for client in crowd.clients[limit:]:
        client.may_join.clear()

    def judged():
        until = crowd.estimates[0].at + asked_for
        return [e for e in crowd.estimates if e.at <= until and least <= e.eta <= most]

    async def operate(running):
        def is_over():
            if not running.estimates or time.time() < running.estimates[0].at + asked_for:
                return False
            calls = event.balancer.metric("tribune_access_tickets_called_total")
            return calls >= max((e.number for e in judged()), default=0)
        await running.until(lambda: len(running.watchers) == limit, "the event is full", 60)
        for client in running.clients:
            client.may_join.set()
        await running.churn(per_second, is_over)
    asyncio.run(crowd.hold(operate, 200))
    assert crowd.failures == [] and [c.refusals for c in crowd.clients if c.refusals] == []
    answers = judged()
    wait_until(lambda: len(event.balancer.logged("ticket_called")) >= max(e.number for e in answers), 10, "the log has every call")
    line = QueueProgress(event)
    assert len(answers) >= 5, f"{len(answers)} of {len(crowd.estimates)} answers can be judged: {[(round(e.at - line.times[0], 1), e.eta) for e in crowd.estimates]}"
    real, by_pace = [], []
    for e in answers:
        begin, call = line.times[0], line.called[e.number]
        before = line.pace(begin, e.at)
        ahead = e.number - sum(t <= e.at for t in line.times)
        by_pace.append(error(e.eta, ahead / before))
        if abs(line.pace(e.at, call) / before - 1) <= 0.1:
            real.append(error(e.eta, call - e.at))
    print(f"{len(answers)} answers: wrong by {100 * statistics.median(by_pace):.1f} % of the pace's time;",
          f"{len(real)} in an even line: by {100 * statistics.median(real or [0]):.1f} % of the real time, at most {100 * max(real or [0]):.1f} %")
    assert statistics.median(by_pace) <= 0.2, sorted(by_pace)
    assert not real or statistics.median(real) <= 0.2, sorted(real)
