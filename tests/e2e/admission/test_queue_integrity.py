"""Tickets under abuse, clock changes and connection loss, and the metrics of the queue."""
import asyncio
import time
from datetime import UTC, datetime, timedelta

from harness.access_api import end_access, request_access, session_of
from harness.fake_clock import FAKETIME, needs_faked_clock
from harness.parsing import Metrics
from harness.queue_clients import QueueClients
from harness.raw_client import fetch
from harness.signed_requests import ask_access
from harness.waiting import LONG, assert_throughout, wait_until


# -- abuse of tickets --

def test_one_client_that_requests_10000_tickets_is_capped_and_the_queue_is_unchanged(limited_event):
    event = limited_event(0, access={"max_tickets_per_address": 50, "lease_intervals": 100})   # long leases: no ticket expires during the test
    times = 10_000 if LONG else 1_000
    honest = [request_access(event, source=f"127.0.1.{i}").json for i in range(1, 6)]
    hoarder = QueueClients(event.balancer.url, 0, 0)
    outcomes = {}

    async def hoard():
        hoarder.slots = asyncio.Semaphore(100)

        async def once():
            answer = await hoarder.ask("POST", "/api/v1/access", b'{"channel":"demo"}')
            word = answer[1]["status"] if answer[0] == 200 else answer[1]["type"]
            outcomes[word] = outcomes.get(word, 0) + 1
        await asyncio.gather(*(once() for _ in range(times)))
    asyncio.run(hoard())
    assert outcomes == {"queued": 50, "/problems/too-many-requests": times - 50}
    later = request_access(event, source="127.0.1.9").json
    assert later["ahead"] == 55
    assert [request_access(event, ticket=h["ticket"], source="127.0.1.99").json["ahead"] for h in honest] == [0, 1, 2, 3, 4]


def test_a_claimed_ticket_used_from_many_addresses_is_one_session(limited_event):
    event = limited_event(1)
    first = request_access(event).json
    waiting = request_access(event).json
    end_access(event, first["session"])
    wait_until(lambda: request_access(event, ticket=waiting["ticket"]).json["status"] == "granted", 10)
    got = [request_access(event, source=f"127.0.2.{i}", ticket=waiting["ticket"]) for i in range(1, 30)]
    assert all(a.status == 200 and a.json["status"] == "granted" for a in got)
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 1, 5)
    end_access(event, got[0].json["session"])
    replayed = request_access(event, source="127.0.2.50", ticket=waiting["ticket"])
    assert replayed.status == 403 and replayed.json["type"] == "/problems/session-ended"


def test_a_forged_token_opens_and_ends_no_session_at_any_endpoint(limited_event):
    event = limited_event(1)
    event.channels.append(event.channel_config("other", event.live.source))
    event.balancer.reload({**event.balancer.config, "event": event.event_section()})
    session = request_access(event).json["session"]
    tickets = [request_access(event).json["ticket"] for _ in range(3)]
    watching = event.balancer.url + f"/live/demo/~{session}/v1/index.m3u8"
    for good in (session, tickets[1]):
        for forged in (good[:-1] + ("A" if good[-1] != "A" else "B"), good[:-4], good + "AAAA", good.replace("k1.", "k2."), "k1." + "A" * (len(good) - 3)):
            for answer in (end_access(event, forged), event.balancer.get("/live/demo/index.m3u8?session=" + forged),
                           event.balancer.get(f"/live/demo/~{forged}/v1/index.m3u8"), request_access(event, ticket=forged),
                           event.balancer.get(f"/api/v1/sessions/{forged}/reports", method="POST", body=b'{"gone":"stadium"}')):
                assert answer.status == 403 and answer.json["type"] in ("/problems/session-invalid", "/problems/ticket-invalid"), (forged, answer, answer.body)
    assert event.balancer.get("/live/other/index.m3u8?session=" + session).status == 403
    assert fetch(watching).status == 200, "the session was not ended"
    assert [request_access(event, ticket=t).json["ahead"] for t in tickets] == [0, 1, 2], "the queue is unchanged"
    assert event.balancer.metric("tribune_access_sessions") == 1


# -- clocks --

def faked_clock(moment):
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME": moment, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1", "TZ": "UTC"}


@needs_faked_clock
def test_hosts_with_clocks_28_s_apart_work_together(event):
    event.start_node("stadium", environment=faked_clock("-28s"))
    event.start_balancer(("stadium",), {"access": {"max_sessions": 1}, "api": {"caches": []}})
    event.wait_registered("stadium")
    player = event.player().open()
    player.refresh()
    segment = player.playlist.segments[-1]
    player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    assert request_access(event).json["status"] == "queued"
    receipt = event.nodes["stadium"].get("/ping").json["receipt"]
    assert event.balancer.admin(f"/status/route?client=127.0.0.1&channel=demo&receipt={receipt}").json["receipts_refused"] == []


def stepping_clock(offset):
    """A clock whose offset is in the file."""
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1"}


def step_clock(offset, to):
    fresh = offset.with_name("offset.new")
    fresh.write_text(to + "\n")
    fresh.rename(offset)


@needs_faked_clock
def test_an_opening_time_follows_the_correction_of_a_clock_that_was_wrong_at_the_start(limited_event, folder):
    offset = folder / "offset"
    offset.write_text("-600s\n")
    opening = datetime.now(UTC) + timedelta(seconds=5)
    environment = stepping_clock(offset)
    event = limited_event(1, environment=environment, node_environment=environment,
                          access={"channels": [{"id": "demo", "opens_at": opening.isoformat()}]})
    waiting = request_access(event).json
    assert waiting["status"] == "queued"
    assert event.balancer.get("/queue/demo").json["opens_in_seconds"] > 500
    step_clock(offset, "+0s")
    wait_until(lambda: request_access(event, ticket=waiting["ticket"]).json["status"] == "granted", 25, "the doors are open")
    assert datetime.now(UTC) >= opening


@needs_faked_clock
def test_clock_corrections_by_ntp_admit_and_expire_no_session_or_ticket(limited_event, folder):
    offset = folder / "offset"
    offset.write_text("-600s\n")
    environment = stepping_clock(offset)
    event = limited_event(1, environment=environment, node_environment=environment)
    watcher = event.player().open()
    segment = watcher.refresh().segments[-1]
    expected = event.live.bytes_of("v1", segment.msn)
    tickets = [request_access(event).json for _ in range(3)]
    for jump in ("+0s", "+0.4s", "-0.4s", "+0s"):   # the first correction is ten minutes, the later ones are small
        step_clock(offset, jump)
        assert fetch(segment.uri).body == expected, "a link from before the correction"
        watcher.refresh()
        answers = [request_access(event, ticket=t["ticket"]).json for t in tickets]
        assert [(a["status"], a["number"], a["ahead"]) for a in answers] == [("queued", t["number"], t["ahead"]) for t in tickets], jump
        assert event.is_up("stadium")
    assert event.balancer.metric("tribune_access_sessions") == 1
    assert end_access(event, session_of(watcher)).json["was_open"]
    wait_until(lambda: request_access(event, ticket=tickets[0]["ticket"]).json["status"] == "granted", 10, "the first ticket in the queue is called")
    assert request_access(event, ticket=tickets[1]["ticket"]).json["status"] == "queued"


@needs_faked_clock
def test_the_change_to_a_leap_day_admits_and_expires_no_session_or_ticket(limited_event):
    environment = faked_clock("@2028-02-28 23:59:57")
    event = limited_event(1, environment=environment, node_environment=environment,
                       access={"channels": [{"id": "demo", "opens_at": "2028-02-28T20:00:00Z"}]})
    event.balancer.wait_log("ready")
    watcher = event.player().open()
    watcher.refresh()
    waiting = request_access(event).json
    assert waiting["status"] == "queued"

    def is_leap_day():
        watcher.refresh()
        answer = request_access(event, ticket=waiting["ticket"]).json
        assert (answer["status"], answer["number"]) == ("queued", waiting["number"])
        return "29 Feb 2028" in event.balancer.get("/queue/demo").header("Date")
    wait_until(is_leap_day, 15, "midnight")
    segment = watcher.refresh().segments[-1]
    watcher.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    token = session_of(watcher)
    assert end_access(event, token).json["was_open"]
    wait_until(lambda: request_access(event, ticket=waiting["ticket"]).json["status"] == "granted", 10)


# -- leases --

def test_clients_that_lose_their_connection_together_keep_their_places_within_the_lease(limited_event):
    event = limited_event(0, access={"lease_intervals": 3, "refresh": "1500ms", "reservation": "2s"})
    began = time.monotonic()
    tickets = [request_access(event).json for _ in range(20)]
    stayers, leavers = tickets[::4], [t for i, t in enumerate(tickets) if i % 4]

    def stay():
        for ticket in stayers:
            assert request_access(event, ticket=ticket["ticket"]).json["status"] == "queued"
        return True
    assert_throughout(stay, 1.5)
    ahead = request_access(event, ticket=stayers[-1]["ticket"]).json["ahead"]
    assert ahead == 16 or time.monotonic() - began > 5, "tickets stay in the queue until their lease ends"
    back = leavers[:5]
    for ticket in back:
        assert request_access(event, ticket=ticket["ticket"]).json["number"] == ticket["number"]

    def is_thinned():
        for ticket in back:
            request_access(event, ticket=ticket["ticket"])
        stay()
        return request_access(event, ticket=stayers[-1]["ticket"]).json["ahead"] == len(stayers) - 1 + len(back)
    wait_until(is_thinned, 15, "tickets that are not polled for the lease are no longer counted")
    late = leavers[-1]
    assert request_access(event, ticket=late["ticket"]).json["number"] == late["number"], "the ticket has its place again until it is called"
    assert fetch(event.balancer.admin_url + "/limits", method="PUT", body=b'{"max_sessions":5}').status == 200
    order = sorted([*stayers, *back], key=lambda t: t["number"])
    first, rest = order[:5], order[5:]
    wait_until(lambda: all([request_access(event, ticket=t["ticket"]).json["status"] == "granted" for t in first]), 10)
    assert all(request_access(event, ticket=t["ticket"]).json["status"] == "queued" for t in rest)


# -- metrics --

def test_the_queue_is_counted_by_channel_and_lane(limited_event):
    event = limited_event(1, access={"lanes": [{"name": "general"}, {"name": "paid", "share": 3}], "refresh": "500ms", "reservation": "1s", "lease_intervals": 2})
    watching = request_access(event).json["session"]
    waiting = request_access(event).json
    paid = ask_access(event.balancer, lane="paid", account="ann", device="TV").json
    assert (waiting["lane"], paid["lane"]) == ("general", "paid")

    def metric(name, **labels):
        return event.balancer.metric("tribune_access_" + name, **labels)
    paid_lane, general = {"channel": "demo", "lane": "paid"}, {"channel": "demo", "lane": "general"}
    wait_until(lambda: metric("queue_length", **paid_lane) == 1 and metric("queue_length", **general) == 1, 5)
    wait_until(lambda: metric("sessions", channel="demo") == 1, 5)
    end_access(event, watching)

    def paid_got_in():
        request_access(event, ticket=waiting["ticket"])
        return ask_access(event.balancer, lane="paid", account="ann", device="TV", **{"pass": paid["ticket"]}).json["status"] == "granted"
    wait_until(paid_got_in, 10, "the lane with the larger share is first")
    wait_until(lambda: metric("tickets_called_total", **paid_lane) == 1 and metric("tickets_claimed_total", **paid_lane) == 1, 5)
    text = event.balancer.admin("/metrics").text
    assert Metrics(text).sum("tribune_access_wait_seconds_count", lane="paid") == 1
    assert 'tribune_access_wait_seconds_bucket{lane="general",le="60"} 0' in text, "of all channels together"
    # The ticket in "general" is no longer polled: its lease ends, and it is abandoned when it is called.
    session = ask_access(event.balancer, lane="paid", account="ann", device="TV", **{"pass": paid["ticket"]}).json["session"]
    wait_until(lambda: metric("queue_length", **general) == 0, 10, "silent for the lease")
    end_access(event, session)
    wait_until(lambda: metric("tickets_abandoned_total", **general) == 1, 10)
