"""/access_queue_switch, with which operators emulate an overload: its authorization, its parameters, its log events."""
import html
import re
from urllib.parse import urlencode

import pytest
from harness.access_api import request_access
from harness.live_channel import LiveChannel
from harness.waiting import wait_until

PATHS = ("/access_queue_switch", "/access_queue_swith")
TOKEN = "operator-secret-of-the-test"


def use_switch(event, query="", path=PATHS[0]):
    answer = event.balancer.get(path + query)
    assert answer.status == 200, (answer, answer.body)
    return answer.json


def statuses(event, count, channel="demo"):
    return [request_access(event, channel=channel).json["status"] for _ in range(count)]


@pytest.mark.parametrize("path", PATHS)
def test_both_spellings_of_the_path_toggle_and_set_the_drill(waiting_room_event, path):
    event = waiting_room_event(limit=10)
    assert [use_switch(event, "", path)["overload_emulation"] for _ in range(3)] == [True, False, True]
    assert [use_switch(event, "?state=on", path) for _ in range(2)] == [{"overload_emulation": True}] * 2, "a state is set, not toggled"
    assert statuses(event, 1) == ["queued"]
    assert event.balancer.get(path, method="HEAD").status == 200
    assert [use_switch(event, "?state=off", path) for _ in range(2)] == [{"overload_emulation": False}] * 2
    assert use_switch(event, "?sessions=7", path) == {"overload_emulation": True, "sessions": 7}
    assert use_switch(event, "?mbps=50", path) == {"overload_emulation": True, "sessions": 7, "mbps": 50}
    assert use_switch(event, "?state=off", path) == {"overload_emulation": False}
    assert use_switch(event, "?channel=demo&state=on", path) == {"overload_emulation": True, "channel": "demo"}
    for bad in ("?state=", "?state=ON", "?sessions=", "?sessions=1.5", "?mbps=-1", "?sessions=99999999999"):
        assert event.balancer.get(path + bad).status == 400, bad
    assert event.balancer.get(path + "?channel=none").status == 404
    assert use_switch(event, "?channel=demo&state=off", path) == {"overload_emulation": False, "channel": "demo"}


def test_emulated_sessions_leave_the_remaining_capacity_for_viewers(waiting_room_event):
    event = waiting_room_event(limit=10)
    use_switch(event, "?state=on")
    use_switch(event, "?sessions=8")   # instead of rejecting all
    assert statuses(event, 4) == ["granted", "granted", "queued", "queued"]
    use_switch(event, "?sessions=10")
    assert event.balancer.metric("tribune_access_sessions") == 2, "no session is ended"


def test_emulated_traffic_leaves_the_remaining_capacity_for_viewers(waiting_room_event):
    event = waiting_room_event(limit=-1, access={"max_traffic_mbps": 100})
    use_switch(event, "?mbps=90")
    seen = statuses(event, 12)
    admitted = seen.count("granted")
    assert 2 <= admitted <= 10 and seen == ["granted"] * admitted + ["queued"] * (12 - admitted), seen
    use_switch(event, "?mbps=1000")
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == admitted, 5)


def test_a_drill_of_one_channel_does_not_affect_the_others(event):
    event.channels.append(event.channel_config("other", LiveChannel(event.origin, prefix="/live/other").source))
    limits = [{"id": "demo", "max_sessions": 5, "max_traffic_mbps": 100}]
    event.start_balancer(changes={"access": {"channels": limits}, "api": {"caches": []}})
    for drill in ("state=on", "sessions=5", "mbps=100"):
        assert use_switch(event, f"?channel=demo&{drill}")["channel"] == "demo"
        assert statuses(event, 1) == ["queued"], drill
        assert statuses(event, 1, "other") == ["granted"], drill
        assert event.balancer.get("/queue/other").json["overload_emulation"] is False
        assert use_switch(event, "?channel=demo&state=off") == {"overload_emulation": False, "channel": "demo"}


def test_only_operators_may_use_the_drill_and_each_use_is_logged_with_the_client(waiting_room_event):
    event = waiting_room_event(limit=10, balancer={"operator_networks": ["127.0.0.9/32"], "operator_token": TOKEN})
    refused = event.balancer.get(PATHS[0])
    assert refused.status == 403 and refused.json["type"] == "/problems/forbidden"
    assert event.balancer.get(PATHS[1], headers={"Authorization": "Bearer another"}).status == 403
    wait_until(lambda: len(event.balancer.logged("drill_refused", client="127.0.0.1")) == 2, 5, "both refusals are logged")
    assert statuses(event, 1) == ["granted"], "a refused use changes nothing"

    assert event.balancer.get(PATHS[0], source="127.0.0.9").json == {"overload_emulation": True}
    event.balancer.wait_log("overload_emulation", on=True, closed=True, channel="all", client="127.0.0.9")
    assert statuses(event, 1) == ["queued"]
    by_token = {"Authorization": f"Bearer {TOKEN}"}
    assert event.balancer.get(PATHS[1] + "?state=off", headers=by_token).json == {"overload_emulation": False}
    event.balancer.wait_log("overload_emulation", on=False, channel="all", client="127.0.0.1")
    assert event.balancer.get(PATHS[0] + "?sessions=3&mbps=4&channel=demo", headers=by_token).status == 200
    event.balancer.wait_log("overload_emulation", on=True, closed=False, channel="demo", sessions=3, mbps=4)
    wait_until(lambda: event.balancer.metric("tribune_balancer_drill_requests_total", result="used") == 3, 5)
    wait_until(lambda: event.balancer.metric("tribune_balancer_drill_requests_total", result="refused") == 2, 5)


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0", "Accept": "text/html,*/*", "Accept-Language": "en"}


def is_drill_on(event):
    return event.balancer.get(PATHS[0], method="HEAD").status == 200 and statuses(event, 1) == ["queued"]


def test_a_browser_that_names_no_cause_gets_a_page_whose_button_switches(waiting_room_event):
    event = waiting_room_event(limit=100)
    own = event.balancer.url

    def open_page(query="?state=on", **fields):
        return event.balancer.get(PATHS[0] + query, headers={**BROWSER, **fields})

    def press(page, origin=own, body=None, query=None):
        action, value = re.search(r'action="([^"]*)"', page.text).group(1), re.search(r'name="confirmation" value="([^"]*)"', page.text).group(1)
        headers = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded", **({"Origin": origin} if origin else {})}
        return event.balancer.get(PATHS[0] + html.unescape(query or action), method="POST", headers=headers,
                                  body=(body or urlencode({"confirmation": html.unescape(value)})).encode())

    page = open_page()
    assert page.status == 200 and page.header("Content-Type").startswith("text/html"), page
    assert page.header("X-Frame-Options") == "DENY" and "frame-ancestors 'none'" in page.header("Content-Security-Policy")
    assert page.header("Cache-Control") == "no-store"
    assert not is_drill_on(event), "the page has changed nothing"
    for wrong in ({"origin": None}, {"origin": "http://evil.example"}, {"origin": "null"}, {"body": "confirmation=k1.1.x"}, {"query": "?sessions=5"}):
        assert press(page, **wrong).status == 403, wrong
        assert not is_drill_on(event), wrong
    done = press(page)
    assert done.status == 200 and done.header("Content-Type").startswith("text/html")
    assert is_drill_on(event)
    assert open_page("?state=off", **{"Sec-Fetch-Site": "none"}).json == {"overload_emulation": False}, "the operator followed a link or typed the address"
    toggle = open_page("")
    assert press(toggle).status == 200 and press(toggle).status == 200 and is_drill_on(event), "the button sets what the page shows, however often it is pressed"
    assert event.balancer.metric("tribune_balancer_drill_requests_total", result="unconfirmed") == 2
