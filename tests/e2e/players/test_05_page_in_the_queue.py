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
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 0, 5, "the page gave its session back")
    stops = lambda: [line for line in event.balancer.accesses(method="POST", status=200) if line["path"].endswith("/stop")]  # noqa: E731
    assert wait_until(stops, 5), "by a beacon, long before the session would have lapsed"


def test_the_page_says_when_to_come_back_to_a_full_queue(stand, watch):
    event = stand(max_queue=1)
    take_ticket(event)
    seen = watch(event.page_url("demo"), SECONDS, room=True).wait_waiting()
    assert seen["door"]["state"] == "full", seen["door"]
    assert "The queue is full" in seen["room"] and re.search(r"Come back at\s+\d\d:\d\d", seen["room"]), seen["room"]


def test_a_viewer_whose_session_was_ended_elsewhere_gets_a_new_one_by_the_page_itself(packaged_event, watch):
    packaged_event.stand(nodes=("stadium",))
    token = re.search(r"session=([^&]+)", watch(packaged_event.page_url("demo"), 600).wait_playing()["door"]["url"]).group(1)
    assert packaged_event.balancer.get(f"/api/v1/access/{token}", method="DELETE").json["was_open"]
    wait_until(lambda: packaged_event.balancer.metric("tribune_access_sessions") == 1, 20, "the page opened another session")
    served = len(packaged_event.segments_served("stadium"))
    wait_until(lambda: len(packaged_event.segments_served("stadium")) >= served + 4, 20, "and plays on")
