"""Many clients against a limit of sessions, with kills of the balancer, forged tickets, clock steps and drills."""
import asyncio

import pytest
from harness.access_api import end_access, request_access, session_of, wait_sessions_saved
from harness.fake_clock import FAKETIME, needs_faked_clock
from harness.parsing import Metrics
from harness.queue_clients import QueueClients, call
from harness.raw_client import fetch
from harness.waiting import LONG, pace, stretched, wait_until

LIMIT = 200
CROWD = 2000


def sessions(event):
    return event.balancer.metric("tribune_access_sessions")


def assert_fair(crowd, tolerance):
    """Clients are admitted in the order of their tickets, apart from `tolerance` places: clients poll at different times."""
    late = [n for i, n in enumerate(crowd.order) if i > 0 and n < max(crowd.order[max(0, i - 2000):i]) - tolerance]
    assert late == [], f"{len(late)} were overtaken by more than {tolerance}: {late[:10]}"


def test_2000_clients_against_a_limit_of_200_with_a_kill_in_the_middle(limited_event):
    # On a busy machine clients poll late; grace and reservation are long enough for that.
    event = limited_event(LIMIT, access={"restart_grace": f"{int(stretched(10 if LONG else 3))}s", "reservation": "60s", "lease_intervals": 100})
    crowd_size, watch_seconds = (CROWD, 18.0) if LONG else (CROWD // 4, 2.0)
    limit = LIMIT if LONG else LIMIT // 4
    if not LONG:
        event.balancer.reload({**event.balancer.config, "access": {**event.balancer.config["access"], "max_sessions": limit}})
    crowd = QueueClients(event.balancer.url, crowd_size, watch_seconds)
    most_sessions = []

    async def meanwhile(running):
        address = event.balancer.admin_url.removeprefix("http://")
        kills = 0
        while not running.is_over:
            granted = sum(c.granted_at is not None for c in running.clients)
            if kills == 0 and granted >= crowd_size // 3:
                kills = 1
                await asyncio.to_thread(event.balancer.kill)
                await asyncio.to_thread(event.balancer.start)
                address = event.balancer.admin_url.removeprefix("http://")
            answer = await call(address, "GET", "/metrics", patience=5)
            if answer and answer[0] == 200:
                most_sessions.append(Metrics(answer[1]).sum("tribune_access_sessions"))
            await pace(0.1)
        assert kills == 1

    asyncio.run(crowd.run(600 if LONG else 120, meanwhile))
    assert [c.refusals for c in crowd.clients if c.refusals] == []
    assert crowd.failures == []
    assert all(c.granted_at is not None for c in crowd.clients)
    assert not any(c.lost_place for c in crowd.clients), "a place was lost"
    assert max(most_sessions) <= limit and crowd.most_watching <= limit
    assert max(most_sessions) >= limit * 0.8, "the event was full"
    # A client polls twice per second; in that time as many tickets can be called as sessions are allowed.
    assert_fair(crowd, tolerance=limit)
    wait_until(lambda: sessions(event) == 0, 30, "no slot leaks")


def test_toggling_the_drill_1000_times_under_load_breaks_nothing(limited_event):
    times = 1000 if LONG else 200
    event = limited_event(100)
    crowd = QueueClients(event.balancer.url, 120, 1.5)
    toggled = []

    async def play(running):
        state = True
        while len(toggled) < times:
            answer = await running.ask("GET", "/access_queue_switch")
            assert answer == (200, {"overload_emulation": state}), answer
            toggled.append(state)
            state = not state
        assert times % 2 == 0

    async def all_of_it():
        await crowd.run(240, play)
    asyncio.run(all_of_it())
    assert len(toggled) == times
    assert all(c.granted_at is not None and not c.lost_place and not c.refusals for c in crowd.clients)
    assert crowd.failures == []
    event.balancer.wait_metric("tribune_balancer_drill_requests_total", times, result="used")


def test_lowering_a_limit_ends_no_session(limited_event):
    event = limited_event(20)
    watchers = [event.player().open() for _ in range(20)]
    event.balancer.reload({**event.balancer.config, "access": {**event.balancer.config["access"], "max_sessions": 10}})
    waiting = request_access(event).json
    assert waiting["status"] == "queued"
    for watcher in watchers:
        watcher.refresh()
    assert sessions(event) == 20
    for watcher in watchers[:10]:
        token = session_of(watcher)
        assert end_access(event, token).json["was_open"]
    assert request_access(event, ticket=waiting["ticket"]).json["status"] == "queued", "ten sessions are the limit"
    token = session_of(watchers[10])
    end_access(event, token)
    wait_until(lambda: request_access(event, ticket=waiting["ticket"]).json["status"] == "granted", 10)


def test_forged_replayed_and_hoarded_tickets_gain_nothing(limited_event):
    event = limited_event(0, access={"max_tickets_per_address": 50})
    event.channels.append(event.channel_config("other", event.live.source))
    event.balancer.reload({**event.balancer.config, "event": event.event_section()})
    first = request_access(event).json
    ticket = first["ticket"]
    forged = [ticket[:-1] + ("A" if ticket[-1] != "A" else "B"), ticket[:-4], ticket + "AAAA", "k1." + "A" * (len(ticket) - 3), ticket.upper(), "x"]
    for bad in forged:
        answer = request_access(event, ticket=bad)
        assert answer.status == 403 and answer.json["type"] == "/problems/ticket-invalid", (bad, answer.body)
        assert fetch(f"{event.balancer.url}/live/demo/~{bad}/v1/index.m3u8").status in (400, 403)
    answer = request_access(event, ticket=ticket, channel="other")
    assert answer.status == 403, "a ticket of another channel"
    for i in range(2, 40):
        again = request_access(event, source=f"127.0.0.{i}", ticket=ticket).json
        assert (again["status"], again["number"]) == ("queued", first["number"]), "a ticket is one place, however often it is shown"
    statuses = [request_access(event) for _ in range(80)]
    refused = [a for a in statuses if a.status == 429]
    assert len(refused) == 31 and refused[0].json["type"] == "/problems/too-many-requests", len(refused)
    honest = request_access(event, source="127.0.0.77").json
    assert honest["status"] == "queued" and honest["ahead"] == 50
    assert request_access(event, ticket=ticket).json["ahead"] == 0


def test_sessions_and_queue_order_survive_a_killed_balancer(limited_event):
    event = limited_event(5, access={"restart_grace": "2s"})
    watchers = [event.player().open() for _ in range(5)]
    for watcher in watchers:
        watcher.refresh()
    tickets = [request_access(event).json for _ in range(10)]
    for _ in range(3):
        event.balancer.kill()
        event.balancer.start()
        for watcher in watchers:
            wait_until(lambda w=watcher: w.try_refresh().status == 200, 10, "admitted stay admitted")
        after = [request_access(event, ticket=t["ticket"]).json for t in tickets]
        assert all(a["status"] == "queued" for a in after), after
        assert [a["number"] for a in after] == [t["number"] for t in tickets]
    assert sessions(event) == 5
    newcomer = request_access(event).json
    assert newcomer["status"] == "queued" and newcomer["number"] > tickets[-1]["number"]
    for watcher, ticket in zip(watchers, tickets):
        token = session_of(watcher)
        end_access(event, token)
        wait_until(lambda t=ticket: request_access(event, ticket=t["ticket"]).json["status"] == "granted", 15, "the first ticket in the queue is called")


def test_tokens_hoarded_before_a_kill_open_no_session_beyond_the_limit(limited_event):
    event = limited_event(5, {"restart_grace": "20s"}, {"session_idle": "1s"})
    urls = []
    for _ in range(3):
        wait_until(lambda: sessions(event) == 0, 15, "the sessions before have expired")
        urls += [request_access(event).json["playback_url"] for _ in range(5)]
    stopped = urls.pop().split("session=")[1]
    assert end_access(event, stopped).json["was_open"]
    newest = urls[-4:] + [request_access(event).json["playback_url"]]
    wait_sessions_saved(event)
    event.balancer.kill()
    event.balancer.start()
    paths = [url[url.index("/live/"):] for url in urls[:10] + newest]
    answers = [event.balancer.get(path) for path in paths]
    assert sessions(event) == 5
    assert sorted(a.status for a in answers) == [200] * 5 + [403] * 10
    assert {a.json["type"] for a in answers if a.status == 403} == {"/problems/session-ended"}
    ended = event.balancer.get("/live/demo/index.m3u8?session=" + stopped)
    assert ended.status == 403 and "stopped" in ended.json["detail"], "the stopped session is stored on disk"


@needs_faked_clock
@pytest.mark.parametrize("step", ["+1h", "-1h"])
def test_a_clock_step_expires_and_admits_no_ticket(limited_event, folder, step):
    rate = folder / "faketime"
    rate.write_text("+0s\n")
    event = limited_event(2, environment={"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(rate), "FAKETIME_NO_CACHE": "1",
                                       "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"})
    watchers = [event.player().open() for _ in range(2)]
    tickets = [request_access(event).json for _ in range(3)]
    before = {a["number"]: a["ahead"] for a in tickets}
    rate.write_text(("+3600s" if step == "+1h" else "-3600s") + "\n")
    for _ in range(3):
        for watcher in watchers:
            watcher.refresh()
        now = [request_access(event, ticket=t["ticket"]).json for t in tickets]
        assert all(n["status"] == "queued" for n in now), now
        assert {n["number"]: n["ahead"] for n in now} == before
    assert sessions(event) == 2
