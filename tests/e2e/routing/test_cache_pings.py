"""Cache pings: the list of the nodes to ping, and reports of the nodes that answered."""
import json
import re

from harness.access_api import end_access, request_access, session_of
from harness.event import process_config
from harness.raw_client import fetch
from harness.routing import LIVE_NODES, zones
from harness.waiting import wait_until

AT_STADIUM, ELSEWHERE = "127.0.1.5", "127.0.2.5"
STANDS = zones("127.0.1.0/24")


def start_with_api(event, zone_text=None, fallback="origin", gone_lifetime="1h", caches=()):
    """Both nodes, each in a group of its own, and a balancer with an api and redirect links."""
    event.channels = [event.channel_config(name, event.live.source, links="redirect", fallback=fallback) for name in ("demo", "other")]
    routing = {"poll": "100ms", "drain_time": "0ms", "ramp": "0ms", "gone_lifetime": gone_lifetime}
    if zone_text:
        file = event.folder / "zones.json"
        file.write_text(zone_text)
        routing["zones_file"] = str(file)
    listed = [{"id": name, "url": event.url(name)} for name in caches]
    event.start(nodes=LIVE_NODES, balancer={"api": {"caches": listed}, "balancer": {"routing": routing}})


def list_caches(event, query="?channel=demo", source=None, **options):
    return event.balancer.get("/api/v1/caches" + query, source=source, **options)


def report(event, body, source=None, **options):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    return event.balancer.get("/api/v1/caches/pings", method="POST", body=text, headers=headers, source=source, **options)


def ping(event, name, rtt_ms=None, source=None):
    """A member of `reachable` for the answer to a ping."""
    receipt = fetch(event.url(name) + "/ping", source=source).json["receipt"]
    return {"receipt": receipt} if rtt_ms is None else {"receipt": receipt, "rtt_ms": rtt_ms}


def chosen(answer):
    assert answer.status == 200, (answer, answer.body)
    return answer.json["cache"], answer.json["reason"]


def server_of_next_segment(event, player):
    """Where the redirect of the segment leads that is listed next: the URL before the path."""
    event.live.advance()
    player.refresh()
    segment = player.wait_for_msn(event.live.next_msn - 1)
    answer = fetch(segment.uri, source=player.source)
    assert answer.status == 307, answer
    return re.match(r"https?://[^/]+", answer.header("Location")).group()


def test_the_list_for_a_channel_has_the_live_nodes_of_the_clients_groups_first(event):
    start_with_api(event, STANDS, caches=["stadium"])
    answer = list_caches(event, source=AT_STADIUM)
    assert answer.status == 200 and answer.header("Cache-Control") == "no-store" and not answer.header("ETag")
    assert answer.json["ttl_seconds"] > 0
    head = list_caches(event, source=AT_STADIUM, method="HEAD")
    assert (head.status, head.body, head.header("Cache-Control")) == (200, b"", "no-store")
    assert [(c["id"], c["group"], c["order"]) for c in answer.json["caches"]] == [("stadium", "stadium", 1), ("city", "city", 2)]
    for cache in answer.json["caches"]:
        assert (cache["url"], cache["ping_url"]) == (event.url(cache["id"]), event.url(cache["id"]) + "/ping")
        assert fetch(cache["ping_url"], source=AT_STADIUM).json["receipt"]
    # The stadium's group is closed elsewhere, but a receipt opens it.
    assert [c["id"] for c in list_caches(event, source=ELSEWHERE).json["caches"]] == ["city", "stadium"]
    event.nodes["stadium"].kill()
    wait_until(lambda: [c["id"] for c in list_caches(event, source=AT_STADIUM).json["caches"]] == ["city"], 5, "the dead node is not listed")
    configured = list_caches(event, query="")
    assert configured.json == {"caches": [{"id": "stadium", "url": event.url("stadium"), "ping_url": event.url("stadium") + "/ping"}]}
    assert configured.header("ETag") and configured.header("Cache-Control") == "no-cache"


def test_a_list_for_an_unknown_channel_or_with_a_wrong_query_is_refused(event):
    start_with_api(event)
    assert list_caches(event, "?channel=final").json["type"] == "/problems/channel-unknown"
    for query in ("?channel=", "?channel=A%20B", "?channel=../x", "?channel=demo&node=stadium"):
        answer = list_caches(event, query, breaks_api=True)
        assert answer.status == 400 and answer.header("Content-Type") == "application/problem+json", (query, answer)
    assert fetch(event.balancer.url + "/api/v1/caches?channel=demo&channel=demo").status == 400


def test_the_nearest_node_that_answered_is_chosen_and_the_named_session_moves_at_once(event):
    start_with_api(event, STANDS)
    player = event.player(source=ELSEWHERE).open()
    assert server_of_next_segment(event, player) == event.url("city")
    url = player.media_url
    reachable = [ping(event, "city", 80, ELSEWHERE), ping(event, "stadium", 2.5, ELSEWHERE)]
    answer = report(event, {"channel": "demo", "session": session_of(player), "reachable": reachable}, source=ELSEWHERE)
    assert chosen(answer) == ("stadium", "receipt")
    assert (answer.json["url"], answer.json["receipts_refused"]) == (event.url("stadium"), [])
    assert 0 < answer.json["holds_seconds"] <= 300
    assert event.node_state("stadium")["viewers"] == 1
    assert server_of_next_segment(event, player) == event.url("stadium")
    assert player.media_url == url and "?" not in url


def test_an_advice_without_a_session_changes_nothing(event):
    start_with_api(event, STANDS)
    player = event.player(source=AT_STADIUM).open()
    assert server_of_next_segment(event, player) == event.url("stadium")
    assert chosen(report(event, {"channel": "demo", "reachable": []}, source=AT_STADIUM)) == (None, "origin")
    assert chosen(report(event, {"channel": "demo", "gone": "stadium"}, source=AT_STADIUM)) == ("city", "fallback_group")
    assert chosen(report(event, {"channel": "demo", "reachable": [ping(event, "city", 1, AT_STADIUM)]}, source=AT_STADIUM)) == ("city", "receipt")
    assert server_of_next_segment(event, player) == event.url("stadium")


def test_links_lead_to_the_origin_while_no_cache_answers_and_to_a_cache_after_a_receipt(event):
    start_with_api(event, STANDS)
    player = event.player(source=AT_STADIUM).open()
    assert server_of_next_segment(event, player) == event.url("stadium")
    session = session_of(player)
    for _ in range(2):   # the second report finds no node that served the session
        answer = report(event, {"channel": "demo", "session": session, "reachable": []}, source=AT_STADIUM)
        assert chosen(answer) == (None, "origin") and answer.json["url"] is None
        assert 0 < answer.json["holds_seconds"] <= 300
        assert server_of_next_segment(event, player) == event.origin.url
    assert event.node_state("stadium")["viewers"] == 0
    reachable = [ping(event, "stadium", 3, AT_STADIUM)]
    assert chosen(report(event, {"channel": "demo", "session": session, "reachable": reachable}, source=AT_STADIUM)) == ("stadium", "receipt")
    assert server_of_next_segment(event, player) == event.url("stadium")
    assert server_of_next_segment(event, event.player(source=AT_STADIUM).open()) == event.url("stadium")   # no other session was moved


def test_a_report_that_no_cache_answered_does_not_count_in_another_network_and_ends(event):
    start_with_api(event, STANDS, gone_lifetime="2s")
    player = event.player(source=ELSEWHERE).open()
    server_of_next_segment(event, player)
    session = session_of(player)
    answer = report(event, {"channel": "demo", "session": session, "reachable": []}, source=ELSEWHERE)
    assert chosen(answer) == (None, "origin") and answer.json["holds_seconds"] == 2
    player.source = AT_STADIUM   # back in the stadium, without a ping
    assert server_of_next_segment(event, player) == event.url("stadium")
    player.source = ELSEWHERE
    wait_until(lambda: server_of_next_segment(event, player) == event.url("city"), 10, "the report has ended")


def test_without_the_origin_the_answer_names_the_node_that_will_be_used(event):
    start_with_api(event, STANDS, fallback="none")
    player = event.player(source=AT_STADIUM).open()
    server_of_next_segment(event, player)
    answer = report(event, {"channel": "demo", "session": session_of(player), "reachable": []}, source=AT_STADIUM)
    assert chosen(answer) == ("city", "fallback_group")
    assert server_of_next_segment(event, player) == event.url("city")
    reachable = [ping(event, "stadium", 1, AT_STADIUM)]
    answer = report(event, {"channel": "demo", "session": session_of(player), "reachable": reachable}, source=AT_STADIUM)
    assert chosen(answer) == ("stadium", "receipt")


def test_receipts_of_other_clients_and_forged_ones_are_refused_by_name(event):
    start_with_api(event, STANDS)
    foreign, forged = ping(event, "stadium", 1, AT_STADIUM), ping(event, "stadium", 2, ELSEWHERE)
    forged["receipt"] = forged["receipt"][:-6] + ("A" if forged["receipt"][-6] != "A" else "B") + forged["receipt"][-5:]
    answer = report(event, {"channel": "demo", "reachable": [foreign, forged]}, source=ELSEWHERE)
    assert chosen(answer) == ("city", "default_group")
    assert len(answer.json["receipts_refused"]) == 2
    assert "the receipt for node stadium belongs to another client" in answer.json["receipts_refused"]


def test_an_invalid_report_of_pings_is_refused(event):
    start_with_api(event)
    player = event.player().open()
    session = session_of(player)
    for body in (b"", b"[]", b"{", {}, {"channel": "demo"}, {"reachable": []}, {"channel": 1, "reachable": []}, {"channel": "A B", "reachable": []},
                 {"channel": "demo", "session": session}, {"channel": "demo", "session": "", "reachable": []},
                 {"channel": "demo", "session": "x" * 257, "reachable": []}, {"channel": "demo", "session": 1, "reachable": []},
                 {"channel": "demo", "reachable": None}, {"channel": "demo", "reachable": [{"receipt": "a,b"}]},
                 {"channel": "demo", "reachable": [{"receipt": "a", "rtt_ms": -1}]}, {"channel": "demo", "reachable": [{"receipt": "a"}] * 9},
                 {"channel": "demo", "gone": "../x"}, {"channel": "demo", "cache": 1}, {"channel": "demo", "node": "stadium", "reachable": []},
                 b'{"channel":"demo","gone":"' + b"x" * 8000 + b'"}'):
        answer = report(event, body, breaks_api=True)
        assert answer.status == 400 and answer.header("Content-Type") == "application/problem+json", (body, answer)
        assert session not in answer.text
    assert report(event, {"channel": "final", "reachable": []}).json["type"] == "/problems/channel-unknown"


def test_only_a_live_session_of_the_channel_is_moved_and_the_log_does_not_name_its_token(event):
    start_with_api(event)
    player = event.player().open()
    player.refresh()
    session = session_of(player)
    forged = session[:-6] + ("A" if session[-6] != "A" else "B") + session[-5:]
    for channel, wrong in (("demo", forged), ("demo", "k1.x.y"), ("other", session)):
        assert report(event, {"channel": channel, "session": wrong, "reachable": []}).json["type"] == "/problems/session-invalid"
    assert report(event, {"channel": "demo", "session": session, "gone": "stadium"}).status == 200
    assert end_access(event, session).json["was_open"]
    assert report(event, {"channel": "demo", "session": session, "gone": "stadium"}).json["type"] == "/problems/session-ended"
    lines = [line for line in event.balancer.log_file.read_text().splitlines() if '"/api/v1/caches/pings"' in line or "session_routed" in line]
    assert lines and not any(session in line for line in lines)


def test_a_ticket_gets_an_answer_for_its_channel(event):
    start_with_api(event)
    event.balancer.get("/access_queue_switch?state=on")
    ticket = request_access(event).json["ticket"]
    assert chosen(report(event, {"channel": "demo", "session": ticket, "reachable": [ping(event, "city", 1)]})) == ("city", "receipt")
    assert report(event, {"channel": "other", "session": ticket, "reachable": []}).json["type"] == "/problems/session-invalid"


def test_requests_are_answered_503_while_the_balancer_is_away(event, programs):
    sections = process_config(changes={"event": event.event_section(), "api": {"access_url": event.url("balancer")}})
    api = programs(sections, "api")
    for options in ({}, {"method": "POST", "body": b'{"channel":"demo","reachable":[]}', "headers": {"Content-Type": "application/json"}}):
        answer = api.get("/api/v1/caches/pings" if options else "/api/v1/caches?channel=demo", **options)
        assert answer.status == 503 and answer.json["type"] == "/problems/overloaded"
