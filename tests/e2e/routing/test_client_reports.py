"""Reports of clients about nodes that are gone or reachable: over the API, and on the multivariant URL."""
import json

from harness.access_api import end_access, session_of
from harness.raw_client import fetch
from harness.routing import LIVE_NODES, zones
from harness.waiting import wait_until


def start_with_zone_of_all_clients(event):
    return start_with_api(event, zones("127.0.0.0/8"))


def start_with_api(event, text):
    file = event.folder / "zones.json"
    file.write_text(text)
    event.start(nodes=LIVE_NODES, balancer={
        "api": {}, "balancer": {"routing": {"zones_file": str(file), "poll": "100ms", "drain_time": "0ms", "ramp": "0ms", "gone_lifetime": "1h"}}})


def report(event, session, body, **options):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return event.balancer.get(f"/api/v1/sessions/{session}/reports", method="POST", body=text, headers={"Content-Type": "application/json"}, **options)


def test_a_report_moves_a_session_at_once_and_listed_text_stays(event):
    start_with_zone_of_all_clients(event)
    player = event.player().open()
    listed = player.refresh().last_msn
    assert player.playlist.segments[-1].text.startswith(event.url("stadium"))
    answer = report(event, session_of(player), {"gone": "stadium"})
    assert answer.status == 200, (answer, answer.body)
    assert (answer.json["status"], answer.json["node"], answer.json["url"], answer.json["reason"]) == ("routed", "city", event.url("city"), "fallback_group")
    assert event.node_state("stadium")["viewers"] == 0
    event.live.advance()
    assert player.wait_for_msn(listed + 1).text.startswith(event.url("city"))   # asserts that nothing listed changed
    assert event.player().open().refresh().segments[-1].text.startswith(event.url("stadium"))   # the report moves no other client


def test_receipts_in_a_report_are_accepted_and_ranked_by_round_trip_time(event):
    start_with_api(event, zones("10.1.0.0/16"))
    player = event.player().open()
    listed = player.refresh().last_msn
    assert player.playlist.segments[-1].text.startswith(event.url("city"))
    receipts = {name: fetch(event.url(name) + "/ping").json["receipt"] for name in LIVE_NODES}
    reachable = [{"receipt": receipts["city"], "rtt_ms": 80}, {"receipt": receipts["stadium"], "rtt_ms": 2.5}]
    answer = report(event, session_of(player), {"reachable": reachable})
    assert (answer.json["node"], answer.json["reason"], answer.json["receipts_refused"]) == ("stadium", "receipt", [])
    event.live.advance()
    assert player.wait_for_msn(listed + 1).text.startswith(event.url("stadium"))
    forged = receipts["stadium"][:-6] + ("A" if receipts["stadium"][-6] != "A" else "B") + receipts["stadium"][-5:]
    assert len(report(event, session_of(player), {"reachable": [{"receipt": forged}]}).json["receipts_refused"]) == 1


def test_an_invalid_report_is_rejected_and_changes_nothing(event):
    start_with_zone_of_all_clients(event)
    player = event.player().open()
    player.refresh()
    session = session_of(player)
    for body in (b"", b"[]", b"{", {}, {"gone": 1}, {"gone": "../x"}, {"gone": "stadium", "node": "x"}, {"reachable": "x"}, {"reachable": [{}]},
                 {"reachable": [{"receipt": "a,b"}]}, {"reachable": [{"receipt": "a", "rtt_ms": -1}]}, {"reachable": [{"receipt": "a"}] * 9},
                 {"gone": "stadium", "reachable": [{"receipt": "a", "rtt_ms": "1"}]}, b'{"gone":"' + b"x" * 8000 + b'"}'):
        answer = report(event, session, body, breaks_api=True)
        assert answer.status == 400 and answer.header("Content-Type") == "application/problem+json", (body, answer)
    forged = session[:-6] + ("A" if session[-6] != "A" else "B") + session[-5:]
    assert report(event, forged, {"gone": "stadium"}).json["type"] == "/problems/session-invalid"
    assert event.node_state("stadium")["viewers"] == 1
    stopped = end_access(event, session)
    assert stopped.json["was_open"]
    assert report(event, session, {"gone": "stadium"}).json["type"] == "/problems/session-ended"


def test_the_multivariant_url_can_report_a_gone_node(event):
    start_with_zone_of_all_clients(event)
    newcomer = event.player(query="?gone=stadium").open()
    assert newcomer.refresh().segments[-1].text.startswith(event.url("city"))
    player = event.player().open()
    listed = player.refresh().last_msn
    assert player.playlist.segments[-1].text.startswith(event.url("stadium"))
    again = fetch(f"{event.url('balancer')}/live/demo/index.m3u8?session={session_of(player)}&gone=stadium")
    assert again.status == 200
    wait_until(lambda: event.node_state("stadium")["viewers"] == 0, 5, "the session left the node")
    event.live.advance()
    assert player.wait_for_msn(listed + 1).text.startswith(event.url("city"))
