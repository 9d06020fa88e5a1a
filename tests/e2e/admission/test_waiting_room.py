"""Clients that must wait: players receive the slate, apps receive tickets, operators switch the drill."""
import re
import time
from urllib.parse import urljoin

from harness.access_api import end_access, request_access, session_of, switch_overload_drill
from harness.concurrent_clients import fetch_all
from harness.parsing import MediaPlaylist
from harness.raw_client import fetch
from harness.slate import is_slate
from harness.waiting import assert_throughout, wait_until


def publish_segment(event, player):
    """The source publishes a segment, and the player's playlist lists it."""
    last = player.playlist.last_msn
    event.live.advance()
    wait_until(lambda: player.try_refresh().status == 200 and player.playlist.last_msn > last, 10, "the programme continues")


def test_a_player_beyond_the_limit_receives_the_slate_and_then_the_programme(waiting_room_event):
    event = waiting_room_event(limit=1)
    watcher = event.player().open()
    watcher.refresh()
    waiter = event.player().open()
    playlist = waiter.refresh()
    assert all(is_slate(s) for s in playlist.segments) and len(playlist.segments) == 6, playlist.text
    assert playlist.target == event.live.target
    for segment in playlist.segments:
        assert waiter.follow(segment.uri).body.startswith(b"slate demo r0/")
    before = playlist.last_msn

    def watched_on():
        watcher.refresh()
        return waiter.refresh().last_msn > before
    wait_until(watched_on, 5, "the slate continues")
    assert all(is_slate(s) for s in waiter.playlist.segments)

    assert end_access(event, session_of(watcher)).json["was_open"]

    wait_until(lambda: not is_slate(waiter.refresh().segments[-1]), 10, "the programme's first segment")
    playlist = waiter.playlist
    first = next(s for s in playlist.segments if not is_slate(s))
    assert "#EXT-X-DISCONTINUITY" in first.tags
    assert any(is_slate(s) for s in playlist.segments), "the slate's tail is still listed"
    for _ in range(6):
        publish_segment(event, waiter)
    assert not any(is_slate(s) for s in waiter.playlist.segments), "the slate is no longer listed"
    segment = waiter.playlist.segments[-1]
    number = int(re.search(r"seg(\d+)\.ts", segment.uri).group(1))
    waiter.play(segment.msn, event.live.bytes_of("v1", number))
    assert waiter.playlist.segments[-1].msn - number == first.msn - int(re.search(r"seg(\d+)\.ts", first.uri).group(1))


def test_both_variants_change_from_slate_to_programme_at_the_same_number(waiting_room_event):
    event = waiting_room_event(limit=1)
    switch_overload_drill(event, "?state=on")
    players = [event.player(variant=v) for v in (0, 1)]
    players[0].open()
    players[1].media_url = players[0].media_url.replace("/v1/", "/v2/")
    for player in players:
        assert is_slate(player.refresh().segments[-1])
    switch_overload_drill(event, "?state=off")

    wait_until(lambda: all(not is_slate(p.refresh().segments[-1]) for p in players), 10)
    firsts = [next(s for s in p.playlist.segments if not is_slate(s)) for p in players]
    assert firsts[0].msn == firsts[1].msn
    assert [re.search(r"seg\d+", f.uri).group(0) for f in firsts][0] == re.search(r"seg\d+", firsts[1].uri).group(0)


def test_numbers_increase_over_kills_of_the_balancer_in_the_slate_at_the_transition_and_in_the_programme(waiting_room_event):
    event = waiting_room_event(limit=5, access={"restart_grace": "1s"})
    switch_overload_drill(event, "?state=on")
    player = event.player().open()
    player.refresh()
    event.balancer.kill()
    event.balancer.start()
    # Player.take() fails on decreasing numbers and changed text. The drill ended with the process.
    wait_until(lambda: player.try_refresh().status == 200 and not is_slate(player.playlist.segments[-1]), 20, "the programme")
    for _ in range(2):
        event.balancer.kill()
        event.balancer.start()
        publish_segment(event, player)
        assert not is_slate(player.playlist.segments[-1])


def test_waiting_room_reject_returns_403_and_queues_no_client(waiting_room_event):
    event = waiting_room_event(limit=0, waiting_room="reject")
    for _ in range(3):
        answer = event.balancer.get("/live/demo/index.m3u8")
        assert answer.status == 403 and answer.json["type"] == "/problems/access-queued", (answer, answer.body)
        assert answer.header("Content-Type").startswith("application/problem+json")
    assert sum(lane["waiting"] for lane in event.balancer.get("/queue/demo").json["lanes"]) == 0


def test_slate_segments_are_served_by_the_nodes_when_the_balancer_is_their_origin(waiting_room_event, event):
    waiting_room_event(limit=0, balancer={"slate_origin": event.url("balancer")})
    player = event.player().open()
    segment = player.refresh().segments[-1]
    answer = fetch(segment.uri)
    assert answer.status == 307
    location = urljoin(segment.uri, answer.header("Location"))
    assert location.startswith(event.nodes["stadium"].url + "/media/demo/slate/"), location
    served = fetch(location)
    assert served.status == 200 and served.body.startswith(b"slate demo r0/"), (served, served.body[:200])
    path = "/slate/" + segment.uri.split("/slate/")[1]
    fetch(location)
    asked = lambda: [a for a in event.balancer.access_log(status=200) if a["path"] == path]  # noqa: E731
    assert len(wait_until(asked, 5)) == 1, "the node asks once"


def test_an_app_receives_a_session_or_a_ticket_and_the_ticket_becomes_a_session(waiting_room_event):
    event = waiting_room_event(limit=1)
    granted = request_access(event)
    assert granted.status == 200 and granted.json["status"] == "granted", granted.body
    assert fetch(urljoin(event.balancer.url, granted.json["playback_url"])).status == 200
    queued = request_access(event)
    body = queued.json
    assert queued.status == 200 and body["status"] == "queued"
    assert body["position"] == 1 and body["ahead"] == 0 and body["eta_seconds"] is None
    assert int(queued.header("Retry-After")) == body["retry_after_seconds"] >= 1
    again = request_access(event, ticket=body["ticket"]).json
    assert (again["status"], again["ticket"], again["number"]) == ("queued", body["ticket"], body["number"])
    second = request_access(event).json
    assert second["position"] == 2 and second["number"] == body["number"] + 1
    assert close_page(event, granted.json["session"]).json == {"status": "stopped", "was_open": True}

    def is_granted():
        answer = request_access(event, ticket=body["ticket"]).json
        return answer if answer["status"] == "granted" else None
    got_in = wait_until(is_granted, 10, "the ticket is called")
    assert fetch(urljoin(event.balancer.url, got_in["playback_url"])).status == 200
    assert request_access(event, ticket=second["ticket"]).json["position"] == 1


def close_page(event, session):
    """The request that a page sends when it closes."""
    return event.balancer.get(f"/api/v1/access/{session}/stop", method="POST", body=b"bye", headers={"Content-Type": "text/plain"})


def test_a_page_that_closes_and_reopens_continues_in_a_full_event(waiting_room_event):
    event = waiting_room_event(limit=1)
    granted = request_access(event).json
    url = urljoin(event.balancer.url, granted["playback_url"])
    assert fetch(url).status == 200
    waits = request_access(event).json
    for _ in range(3):
        assert close_page(event, granted["session"]).json["was_open"]
        assert fetch(url).status == 200
    still_waits = lambda: fetch(url).status == 200 and request_access(event, ticket=waits["ticket"]).json["status"] == "queued"  # noqa: E731
    assert_throughout(still_waits, 7, "longer than the time after which the session would be released")
    assert close_page(event, granted["session"]).json["was_open"]
    wait_until(lambda: request_access(event, ticket=waits["ticket"]).json["status"] == "granted", 10, "the page did not reopen")


def test_deleting_a_ticket_frees_its_place_in_the_queue(waiting_room_event):
    event = waiting_room_event(limit=0)
    first, second = (request_access(event).json for _ in range(2))
    assert second["ahead"] == 1
    assert end_access(event, first["ticket"]).json["was_open"]
    assert request_access(event, ticket=second["ticket"]).json["ahead"] == 0


def test_invalid_access_requests_are_rejected_with_a_problem(waiting_room_event):
    event = waiting_room_event()
    for body in (b"", b"[]", b'{"channel":1}', b'{"chanel":"demo"}', b'{"channel":"demo","place":1}', b'{"channel":"demo","ticket":"' + b"x" * 200 + b'"}'):
        answer = event.balancer.get("/api/v1/access", method="POST", body=body, breaks_api=True)
        assert answer.status == 400 and answer.json["type"] == "/problems/bad-request", (body, answer.body)
    assert request_access(event, channel="none").status == 404
    assert end_access(event, "x" * 30).status == 403
    assert event.balancer.get("/internal/v1/access", method="POST", body=b'{"action":"open","channel":"demo"}').status == 403
    assert event.balancer.metric("tribune_access_sessions") == 0


def test_the_queue_status_is_available_at_the_balancer_and_at_the_node(waiting_room_event):
    event = waiting_room_event(limit=0)
    tickets = [request_access(event).json for _ in range(3)]
    node = event.nodes["stadium"]

    def is_shown(program):
        lanes = program.get("/queue/demo").json["lanes"]
        return lanes[0]["next"] == tickets[-1]["number"] + 1 and lanes[0]["waiting"] == 3
    wait_until(lambda: is_shown(event.balancer), 5)
    wait_until(lambda: is_shown(node), 5)
    answer = node.get("/queue/demo")
    assert answer.json["refresh_seconds"] == 1 and answer.json["lease_seconds"] == 3.6 and "max-age=1" in answer.header("Cache-Control")
    assert node.get("/queue/none").status == 404 and event.balancer.get("/queue/none").status == 404


def test_queue_status_requests_at_a_node_cause_one_request_per_second_to_the_balancer(waiting_room_event):
    event = waiting_room_event(limit=0)
    node = event.nodes["stadium"]
    wait_until(lambda: node.get("/queue/demo").status == 200, 5)
    before = node.metric("tribune_cache_queue_fills_total")
    began, rounds = time.monotonic(), 3
    for _ in range(rounds):
        results = fetch_all([node.url + "/queue/demo"] * 200)
        assert all(v.status == 200 for v in results), [(v.status, v.error) for v in results if v.status != 200][:5]
    seconds = time.monotonic() - began
    assert node.metric("tribune_cache_queue_fills_total") - before <= seconds + 2


def test_the_drill_switch_toggles_and_is_for_operators_only(waiting_room_event):
    event = waiting_room_event(limit=10, balancer={"operator_token": "operator-secret-of-the-test"})
    assert switch_overload_drill(event) == {"overload_emulation": True}
    assert switch_overload_drill(event) == {"overload_emulation": False}
    assert event.balancer.get("/access_queue_swith?state=on").json == {"overload_emulation": True}
    assert request_access(event).json["status"] == "queued"
    assert switch_overload_drill(event, "?state=off") == {"overload_emulation": False}
    assert switch_overload_drill(event, "?sessions=10")["overload_emulation"] is True
    assert request_access(event).json["status"] == "queued"
    switch_overload_drill(event, "?state=off")
    assert switch_overload_drill(event, "?channel=demo&state=on") == {"overload_emulation": True, "channel": "demo"}
    switch_overload_drill(event, "?channel=demo&state=off")
    event.balancer.wait_log("overload_emulation", on=True, channel="demo")
    for bad in ("?state=maybe", "?sessions=-1", "?mbps=x"):
        assert event.balancer.get("/access_queue_switch" + bad).status == 400
    assert event.balancer.get("/access_queue_switch?channel=none").status == 404
    stranger = {"X-Forwarded-For": "203.0.113.7"}
    assert event.balancer.get("/access_queue_switch", headers=stranger).status == 403
    assert event.balancer.get("/access_queue_switch", headers={**stranger, "Authorization": "Bearer operator-secret-of-the-test"}).status == 200
    assert event.balancer.get("/access_queue_switch", headers={**stranger, "Authorization": "Bearer wrong"}).status == 403
    event.balancer.get("/access_queue_switch?state=off")


def test_the_overload_drill_leaves_viewers_untouched_and_afterwards_the_queue_drains(waiting_room_event):
    event = waiting_room_event(limit=50)
    watcher = event.player().open()
    watcher.refresh()
    switch_overload_drill(event, "?state=on")
    tickets = [request_access(event).json for _ in range(5)]
    assert all(t["status"] == "queued" for t in tickets)
    assert [t["ahead"] for t in tickets] == [0, 1, 2, 3, 4]
    event.live.advance()
    watcher.wait_for_msn(event.live.next_msn - 1)
    assert all(request_access(event, ticket=t["ticket"]).json["status"] == "queued" for t in tickets)
    switch_overload_drill(event, "?state=off")
    for ticket in tickets:
        wait_until(lambda t=ticket: request_access(event, ticket=t["ticket"]).json["status"] == "granted", 5, "the queue drains")
    watcher.refresh()


def test_all_waiting_players_share_one_rendered_playlist(waiting_room_event):
    event = waiting_room_event(limit=0)
    players = [event.player().open() for _ in range(20)]
    texts = set()
    before = event.balancer.metric("tribune_balancer_slate_renders_total")
    for player in players:
        texts.add(player.refresh().text)
    assert len(texts) <= 3, "one text per slot"
    assert event.balancer.metric("tribune_balancer_slate_renders_total") - before <= 3
    assert MediaPlaylist(players[0].playlist.text, "http://x/").segments
