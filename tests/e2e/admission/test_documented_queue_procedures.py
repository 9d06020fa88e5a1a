"""The procedures of docs/operations.md for the queue: lanes, opening by hand, a full queue, limits of each scope."""
import re

from harness.access_api import current_limits, end_access, request_access
from harness.operator_cli import run_ctl
from harness.waiting import wait_until

CLIENT = "127.0.0.1"
TOKEN = "operator-token-of-the-test"


def test_the_backend_of_the_operator_puts_a_client_into_a_lane(event):
    lanes = [{"name": "general"}, {"name": "paid", "share": 3}]
    event.start_balancer(changes={"access": {"max_sessions": 1, "lanes": lanes, "refresh": "500ms", "lease_intervals": 100, "reservation": "1min"},
                                  "api": {"caches": [], "operator_token": TOKEN}, "balancer": {"session_idle": "1min"}})
    watching = request_access(event).json
    early = [request_access(event).json for _ in range(2)]
    late = request_access(event, token=TOKEN, client=CLIENT, lane="paid").json
    assert [t["lane"] for t in early] == ["general", "general"] and late["lane"] == "paid" and late["ahead"] == 0
    waiting = lambda: {lane["name"]: lane["waiting"] for lane in event.balancer.get("/queue/demo").json["lanes"]}  # noqa: E731
    wait_until(lambda: waiting() == {"general": 2, "paid": 1}, 5, "the notice is made once a second")

    assert request_access(event, lane="paid").json["type"] == "/problems/forbidden", "a client cannot choose its lane"
    unknown = request_access(event, token=TOKEN, client=CLIENT, lane="pade")
    assert unknown.status == 400 and "pade" in unknown.json["detail"], "an unknown lane is rejected"

    # The viewer polls with the ticket, which contains its lane.
    assert end_access(event, watching["session"]).json["was_open"]
    wait_until(lambda: request_access(event, ticket=late["ticket"]).json["status"] == "granted", 10, "three of four places belong to the paid lane, with the first")
    assert request_access(event, ticket=early[0]["ticket"]).json["status"] == "queued"


def test_before_the_opening_all_clients_wait_and_the_operator_opens_the_queue(event):
    event.start_balancer(changes={"access": {"channels": [{"id": "demo", "opens_at": "2099-01-01T20:00:00Z", "max_sessions": 3}], "refresh": "500ms",
                                             "lease_intervals": 100, "reservation": "1min"},
                                  "api": {"caches": []}, "balancer": {"session_idle": "1min"}})
    tickets = [request_access(event).json for _ in range(8)]
    assert [t["number"] for t in tickets] == list(range(1, 9)) and {t["eta_seconds"] for t in tickets} == {None}
    notice = lambda: event.balancer.get("/queue/demo").json  # noqa: E731
    before = wait_until(lambda: (lambda n: n["lanes"][0]["next"] == 9 and n)(notice()), 5, "the notice is made once a second")
    assert not before["open"] and before["opens_in_seconds"] > 1e9 and before["lanes"][0]["served"] == 0

    opened = run_ctl(event, "queue-open", "demo")
    assert opened.returncode == 0, opened.stderr
    assert opened.stdout.startswith("demo: open, "), opened.stdout
    after = wait_until(lambda: (lambda n: n["open"] and n["lanes"][0]["served"] == 3 and n)(notice()), 10, "three are called")
    drawn = after["lanes"][0]["lottery"]
    assert (drawn["first"], drawn["end"]) == (1, 9)
    place = {t["number"]: 1 + (drawn["multiplier"] * (t["number"] - 1) + drawn["offset"]) % 8 for t in tickets}
    assert sorted(place.values()) == list(range(1, 9)), "one place each"

    late = request_access(event).json
    assert late["number"] == 9 and late["ahead"] == 5, "later tickets are behind all of them"

    def granted():
        return {t["number"] for t in tickets if request_access(event, ticket=t["ticket"]).json["status"] == "granted"}
    wait_until(lambda: granted() == {n for n in place if place[n] <= 3}, 10, "the tickets with the first three places of the lottery")


def test_a_full_queue_and_an_address_with_too_many_tickets_receive_retry_after(event):
    event.start_balancer(changes={"access": {"max_sessions": 0, "max_queue": 3, "max_tickets_per_address": 2}, "api": {"caches": []}})
    tickets = [request_access(event, source="127.0.0.2").json for _ in range(2)]
    greedy = request_access(event, source="127.0.0.2")
    assert greedy.status == 429 and int(greedy.header("Retry-After")) >= 1, (greedy, greedy.body)
    request_access(event, source="127.0.0.3")
    full = request_access(event, source="127.0.0.4")
    assert full.status == 200 and full.json["status"] == "full"
    assert full.header("Retry-After") == str(full.json["retry_after_seconds"]) and "retry in" in full.json["message"]
    end_access(event, tickets[0]["ticket"])
    assert request_access(event, source="127.0.0.4").json["status"] == "queued"


def test_every_scope_has_its_limits_and_an_unknown_channel_is_rejected(event):
    event.start_node("stadium")
    event.start_balancer(("stadium",))
    event.wait_registered("stadium")
    for words, path in ((["--sessions", "9"], []), (["--channel", "demo", "--sessions", "8"], ["channels", "demo"]),
                        (["--group", "arena", "--sessions", "7"], ["groups", "arena"]), (["--node", "stadium", "--sessions", "6"], ["nodes", "stadium"])):
        for more, name, value in (([], "max_sessions", int(words[-1])), (["--mbps", "2.5"], "max_traffic_mbps", 2.5)):
            done = run_ctl(event, "limit", *(words if not more else words[:-2] + more))
            assert done.returncode == 0, done.stderr
            now = current_limits(event)
            for step in path:
                now = now[step]
            assert now[name] == value, (words, now)
            assert ("not reported by any node: group arena" in done.stdout) == ("arena" in current_limits(event)["groups"]), done.stdout
    shown = run_ctl(event, "queue").stdout
    assert all(re.search(rf"^{scope} +sessions 0 .* Mbit/s counted, ", shown, re.M) for scope in ("everything", "channel demo", "group arena", "node stadium")), shown
    pretended = run_ctl(event, "drill", "on", "--channel", "demo", "--sessions", "5", "--mbps", "7").stdout
    assert re.search(r"^demo .* drill: \+5 sessions \+7 Mbit/s$", pretended, re.M), pretended
    before = current_limits(event)
    mistyped = run_ctl(event, "limit", "--channel", "demmo", "--sessions", "1")
    assert mistyped.returncode != 0 and "demmo" in mistyped.stderr
    both = run_ctl(event, "limit", "--channel", "demo", "--node", "stadium", "--sessions", "1")
    assert both.returncode != 0 and "at a time" in both.stderr
    assert current_limits(event) == before
