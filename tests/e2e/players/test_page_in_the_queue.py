"""The viewer page in a full event: it shows the queue, keeps its place, plays when admitted, and releases its session."""
import re

import pytest
from harness.access_api import end_access, request_access
from harness.waiting import wait_until
from packaged_event import set_overload_drill

SECONDS = 6


@pytest.fixture
def start_queued_event(packaged_event):
    """Starts an event with two nodes, from which the page reads the queue status, and with a drill that admits no client."""

    def make(**access):
        packaged_event.start(nodes=("stadium", "city"), balancer={"access": {"refresh": "1s", "lease_intervals": 100, **access}})
        set_overload_drill(packaged_event, "on")
        return packaged_event

    return make


def take_ticket(event):
    answer = request_access(event)
    assert answer.json["status"] == "queued"
    return answer.json["ticket"]


def test_the_page_shows_its_place_in_the_queue_and_plays_when_admitted(start_queued_event, watch):
    event = start_queued_event()
    for _ in range(3):
        take_ticket(event)
    viewer = watch(event.page_url("demo"), SECONDS, waiting_room=True)
    seen = viewer.wait_waiting()
    assert seen["door"]["state"] == "queued" and seen["door"]["place"]["ahead"] == 3, seen["door"]
    assert "3 people are before you" in re.sub(r"\s+", " ", seen["waitingRoom"]), seen["waitingRoom"]
    assert "not known yet" in seen["waitingRoom"], "the queue does not move, so the time is unknown"
    assert re.search(r"Next look\s+in \d s", seen["waitingRoom"]), seen["waitingRoom"]
    assert seen["title"].startswith("3 ahead"), seen["title"]
    nodes = [event.url(name).removeprefix("http://") for name in ("stadium", "city")]
    assert seen["door"]["notices"] and set(seen["door"]["notices"]) <= set(nodes), "cache nodes say how far the queue is"
    assert not [line for line in event.balancer.access_log() if line["path"].startswith("/live/")], "a waiting page loads no playlist"

    set_overload_drill(event, "off")
    viewer.wait_playing()
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 1, 5, "it plays, so it has its session")
    done = viewer.wait_done()
    assert done["after"]["door"]["state"] == "inside" and done["after"]["waitingRoom"] is None
    assert [e for e in done["after"]["errors"] if e["fatal"]] == [] and done["complaints"] == []
    assert {f["node"] for f in done["after"]["fragments"]} == {"stadium"}

    viewer.wait_left()
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 0, 12, "the page gave its session back")
    stops = lambda: [line for line in event.balancer.access_log(method="POST", status=200) if line["path"].endswith("/stop")]  # noqa: E731
    assert wait_until(stops, 5), "by a beacon, long before the session would have lapsed"


def test_the_page_requests_a_new_session_when_its_session_was_ended(packaged_event, watch):
    packaged_event.start(nodes=("stadium",))
    token = re.search(r"session=([^&]+)", watch(packaged_event.page_url("demo"), 600).wait_playing()["door"]["url"]).group(1)
    assert end_access(packaged_event, token).json["was_open"]
    wait_until(lambda: packaged_event.balancer.metric("tribune_access_sessions") == 1, 20, "the page opened another session")
    served = len(packaged_event.segments_served("stadium"))
    wait_until(lambda: len(packaged_event.segments_served("stadium")) >= served + 4, 20, "and plays on")


def asks(event):
    """The number of access requests of the page."""
    return len([line for line in event.balancer.access_log(method="POST") if line["path"] == "/api/v1/access"])


def test_a_tab_keeps_its_place_over_reload_and_freeze_and_releases_its_session_when_closed(start_queued_event, tab):
    event = start_queued_event(refresh="1min")
    viewer, seen = tab(event.page_url("demo"))
    take_ticket(event)
    again = viewer.command("reload")
    assert again["door"]["place"]["number"] == seen["door"]["place"]["number"] and again["door"]["place"]["ahead"] == 0
    wait_until(lambda: event.balancer.metric("tribune_access_queue_length") == 2, 5, "the page took no second place")

    for command in ("hide", "freeze", "thaw"):
        viewer.command(command)
    looks = lambda: sum(viewer.command("look")["door"]["notices"].values())  # noqa: E731
    before = looks()
    viewer.command("show")
    wait_until(lambda: looks() > before, 20, "a minute before the next look was due")
    assert viewer.command("look")["door"]["place"]["number"] == seen["door"]["place"]["number"]

    viewer.command("hide")
    set_overload_drill(event, "off")
    viewer.command("show")
    wait_until(lambda: viewer.command("look")["door"]["state"] == "inside", 20, "the ticket that it kept lets it in")
    viewer.command("play")
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 1, 5, "it plays, so it has its session")
    set_overload_drill(event, "on")
    session = lambda: re.search(r"session=([^&]+)", viewer.command("look")["door"]["url"]).group(1)  # noqa: E731
    had = session()
    viewer.command("reload")
    viewer.command("play")
    assert session() == had, "while the drill admits no client, the page continues with its session"
    viewer.command("close")
    stops = lambda: [line for line in event.balancer.access_log(method="POST", status=200) if line["path"].endswith("/stop")]  # noqa: E731
    assert wait_until(stops, 20), "by a beacon: nothing of the page runs any more"
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 0, 12, "and its session is free")


def test_a_hidden_tab_keeps_its_place_and_is_admitted_while_its_timers_are_throttled(start_queued_event, tab):
    event = start_queued_event(lease_intervals=5, reservation="1min")
    viewer, seen = tab(event.page_url("demo"))
    before = viewer.command("hide")
    assert before["isHidden"]
    asked = asks(event)
    wait_until(lambda: asks(event) >= asked + 2, 60, "each time before its lease of five seconds ends")
    hidden = viewer.command("look")
    assert hidden["beats"] - before["beats"] < 1.5 * (hidden["now"] - before["now"]) / 1000, "its timers of half a second stand, else this proves nothing"
    assert hidden["door"]["place"]["number"] == seen["door"]["place"]["number"] and hidden["isHidden"]
    set_overload_drill(event, "off")
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 1, 30, "it claimed its turn, unseen")
    # A browser renders no video in a tab that was never visible; playlist requests keep the session until it is.
    playlists = lambda: len([line for line in event.balancer.access_log() if line["path"].startswith("/live/demo/~")])  # noqa: E731
    wait_until(lambda: playlists() >= 6, 40, "and keeps its session")
    assert event.balancer.metric("tribune_access_tickets_abandoned_total") == 0
    viewer.command("show")
    assert viewer.command("play")["door"]["state"] == "inside"


def test_the_page_retries_a_full_queue_at_the_announced_time(start_queued_event, tab):
    event = start_queued_event(max_queue=1)
    first = take_ticket(event)
    viewer, seen = tab(event.page_url("demo"))
    assert seen["door"]["state"] == "full" and "The queue is full" in seen["waitingRoom"]
    assert re.search(r"Come back at\s+\d\d:\d\d", seen["waitingRoom"]), seen["waitingRoom"]
    seconds = (seen["door"]["comeBackAt"] - seen["now"]) / 1000
    assert 30 < seconds <= 72, "a minute, and up to a fifth of it"
    assert end_access(event, first).json["was_open"]
    wait_until(lambda: asks(event) == 2, 5, "one of the ticket's owner and one of the page, which does not poll before that time")
    viewer.command(f"later {seconds}")
    wait_until(lambda: viewer.command("look")["door"]["state"] == "queued", 20, "it has the place that became free")
