"""The viewer page when all places are taken: it says how long the line is, keeps the place, plays when its turn comes, and gives the session back."""
import json
import re

import pytest
from harness.waiting import wait_until

SECONDS = 6


@pytest.fixture
def stand(packaged_event):
    """Two nodes, so that the page has notices to read elsewhere; nobody is let in."""

    def make(**access):
        packaged_event.stand(nodes=("stadium", "city"), balancer={"access": {"refresh": "1s", "lease_intervals": 100, **access}})
        turn(packaged_event, "on")
        return packaged_event

    return make


def turn(event, state):
    assert event.balancer.get(f"/access_queue_switch?state={state}").json == {"overload_emulation": state == "on"}


def take_ticket(event):
    answer = event.balancer.get("/api/v1/access", method="POST", body=json.dumps({"channel": "demo"}).encode(), headers={"Content-Type": "application/json"})
    assert answer.json["status"] == "queued"
    return answer.json["ticket"]


def test_the_page_waits_says_how_long_the_line_is_and_plays_when_its_turn_comes(stand, watch):
    event = stand()
    for _ in range(3):
        take_ticket(event)
    viewer = watch(event.page_url("demo"), SECONDS, room=True)
    seen = viewer.wait_waiting()
    assert seen["door"]["state"] == "queued" and seen["door"]["place"]["ahead"] == 3, seen["door"]
    assert "3 people are before you" in re.sub(r"\s+", " ", seen["room"]), seen["room"]
    assert "not known yet" in seen["room"], "nobody moves, so nobody knows"
    assert re.search(r"Next look\s+in \d s", seen["room"]), seen["room"]
    assert seen["title"].startswith("3 ahead"), seen["title"]
    nodes = [event.url(name).removeprefix("http://") for name in ("stadium", "city")]
    assert seen["door"]["notices"] and set(seen["door"]["notices"]) <= set(nodes), "cache nodes say how far the queue is"
    assert not [line for line in event.balancer.accesses() if line["path"].startswith("/live/")], "who waits loads no playlist"

    turn(event, "off")
    viewer.wait_playing()
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 1, 5, "it plays, so it has its session")
    done = viewer.wait_done()
    assert done["after"]["door"]["state"] == "inside" and done["after"]["room"] is None
    assert [e for e in done["after"]["errors"] if e["fatal"]] == [] and done["complaints"] == []
    assert {f["node"] for f in done["after"]["fragments"]} == {"stadium"}

    viewer.wait_left()
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 0, 12, "the page gave its session back")
    stops = lambda: [line for line in event.balancer.accesses(method="POST", status=200) if line["path"].endswith("/stop")]  # noqa: E731
    assert wait_until(stops, 5), "by a beacon, long before the session would have lapsed"


def test_a_viewer_whose_session_was_ended_elsewhere_gets_a_new_one_by_the_page_itself(packaged_event, watch):
    packaged_event.stand(nodes=("stadium",))
    token = re.search(r"session=([^&]+)", watch(packaged_event.page_url("demo"), 600).wait_playing()["door"]["url"]).group(1)
    assert packaged_event.balancer.get(f"/api/v1/access/{token}", method="DELETE").json["was_open"]
    wait_until(lambda: packaged_event.balancer.metric("tribune_access_sessions") == 1, 20, "the page opened another session")
    served = len(packaged_event.segments_served("stadium"))
    wait_until(lambda: len(packaged_event.segments_served("stadium")) >= served + 4, 20, "and plays on")


def asks(event):
    """How often the page asked for a place or showed its ticket."""
    return len([line for line in event.balancer.accesses(method="POST") if line["path"] == "/api/v1/access"])


def test_a_tab_keeps_its_place_when_it_is_loaded_again_or_frozen_and_gives_its_session_back_when_it_is_closed(stand, tab):
    event = stand(refresh="1min")
    viewer, seen = tab(event.page_url("demo"))
    take_ticket(event)
    again = viewer.tell("reload")
    assert again["door"]["place"]["number"] == seen["door"]["place"]["number"] and again["door"]["place"]["ahead"] == 0
    wait_until(lambda: event.balancer.metric("tribune_access_queue_length") == 2, 5, "the page took no second place")

    for command in ("hide", "freeze", "thaw"):
        viewer.tell(command)
    looks = lambda: sum(viewer.tell("look")["door"]["notices"].values())  # noqa: E731
    before = looks()
    viewer.tell("show")
    wait_until(lambda: looks() > before, 20, "a minute before the next look was due")
    assert viewer.tell("look")["door"]["place"]["number"] == seen["door"]["place"]["number"]

    viewer.tell("hide")
    turn(event, "off")
    viewer.tell("show")
    wait_until(lambda: viewer.tell("look")["door"]["state"] == "inside", 20, "the ticket that it kept lets it in")
    viewer.tell("play")
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 1, 5, "it plays, so it has its session")
    turn(event, "on")
    session = lambda: re.search(r"session=([^&]+)", viewer.tell("look")["door"]["url"]).group(1)  # noqa: E731
    had = session()
    viewer.tell("reload")
    viewer.tell("play")
    assert session() == had, "while nobody new is let in, it goes on with the session that it had"
    viewer.tell("close")
    stops = lambda: [line for line in event.balancer.accesses(method="POST", status=200) if line["path"].endswith("/stop")]  # noqa: E731
    assert wait_until(stops, 20), "by a beacon: nothing of the page runs any more"
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 0, 12, "and its room is free")


def test_a_hidden_tab_keeps_its_place_and_is_let_in_while_its_timers_stand(stand, tab):
    event = stand(lease_intervals=5, reservation="1min")
    viewer, seen = tab(event.page_url("demo"))
    before = viewer.tell("hide")
    assert before["isHidden"]
    asked = asks(event)
    wait_until(lambda: asks(event) >= asked + 2, 60, "each time before its lease of five seconds ends")
    hidden = viewer.tell("look")
    assert hidden["beats"] - before["beats"] < 1.5 * (hidden["now"] - before["now"]) / 1000, "its timers of half a second stand, else this proves nothing"
    assert hidden["door"]["place"]["number"] == seen["door"]["place"]["number"] and hidden["isHidden"]
    turn(event, "off")
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 1, 30, "it claimed its turn, unseen")
    # A browser gives no picture to a tab that was never looked at; the playlists hold the session until somebody does.
    playlists = lambda: len([line for line in event.balancer.accesses() if line["path"].startswith("/live/demo/~")])  # noqa: E731
    wait_until(lambda: playlists() >= 6, 40, "and keeps its session")
    assert event.balancer.metric("tribune_access_tickets_abandoned_total") == 0
    viewer.tell("show")
    assert viewer.tell("play")["door"]["state"] == "inside"


def test_the_page_goes_back_to_a_full_queue_by_itself_at_the_time_it_was_told(stand, tab):
    event = stand(max_queue=1)
    first = take_ticket(event)
    viewer, seen = tab(event.page_url("demo"))
    assert seen["door"]["state"] == "full" and "The queue is full" in seen["room"]
    assert re.search(r"Come back at\s+\d\d:\d\d", seen["room"]), seen["room"]
    seconds = (seen["door"]["comeBackAt"] - seen["now"]) / 1000
    assert 30 < seconds <= 72, "a minute, and up to a fifth of it"
    assert event.balancer.get(f"/api/v1/access/{first}", method="DELETE").json["was_open"]
    wait_until(lambda: asks(event) == 2, 5, "its owner's and the page's: nobody asks before the time")
    viewer.tell(f"later {seconds}")
    wait_until(lambda: viewer.tell("look")["door"]["state"] == "queued", 20, "it has the place that became free")
