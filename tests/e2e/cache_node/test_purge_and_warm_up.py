"""Purges and warm-ups of all cache nodes through the balancer: each node reports its outcome, and absent nodes are named."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.operator_cli import run_ctl
from harness.raw_client import fetch
from harness.waiting import wait_until

NODES = ("n1", "n2", "n3")


def start_event(event):
    event.start(nodes=NODES)
    wait_until(lambda: event.balancer.metrics().sum("tribune_balancer_news_questions_total", result="accepted") >= len(NODES), 5, "every node listens")
    return event


def order(event, path, body=None):
    return fetch(event.balancer.admin_url + path, method="POST" if body is not None else "GET", body=json.dumps(body).encode() if body is not None else b"")


def target_of(event, msn):
    return "/" + event.link(msn)[1].split("/", 3)[3]


def filled(event, msn, nodes=NODES):
    target = target_of(event, msn)
    for name in nodes:
        assert fetch(event.nodes[name].url + target).status == 200
    return target, event.live.path_of("v1", msn)


def states(answer):
    assert answer.status == 200, (answer, answer.body[:300])
    return {node["node"]: node for node in answer.json["nodes"]}


def stop_n2(event):
    """Stops node n2 when its object is on disk."""
    event.wait_stored("n2", 1)
    event.nodes["n2"].terminate()
    wait_until(lambda: not event.is_up("n2"), 5)


def assert_n2_returns_without_object(event, target, path):
    """Starts node n2 again; it has followed the purge and fetches the object from the origin."""
    event.start_node("n2")
    event.wait_registered("n2")
    event.balancer.wait_log("order_followed", node="n2")
    asked = event.origin.count(path)
    assert fetch(event.nodes["n2"].url + target).status == 200
    assert event.origin.count(path) == asked + 1, "the old object did not come back with the node"


@pytest.mark.every_build
def test_a_purge_reaches_every_node_and_each_reports_how_many_objects_it_purged(event):
    start_event(event)
    target, path = filled(event, 3)
    asked = event.origin.count(path)
    answer = order(event, "/nodes/purge", {"url": target})
    assert answer.json["done"] is True
    assert {name: (node["state"], node["purged"]) for name, node in states(answer).items()} == {name: ("done", 1) for name in NODES}
    filled(event, 3)
    assert event.origin.count(path) == asked + len(NODES)


def test_ctl_can_purge_selected_nodes(event):
    start_event(event)
    target, path = filled(event, 3)
    asked = event.origin.count(path)
    done = run_ctl(event, "purge", "--channel", "demo", "--nodes", "n1,n3")
    assert done.returncode == 0, done
    assert done.stdout == "n1: purged 1\nn3: purged 1\n"
    filled(event, 3)
    assert event.origin.count(path) == asked + 2
    assert run_ctl(event, "purge", "--channel", "demo", "--nodes", "n9").returncode == 1


def test_ctl_explains_wrong_use_and_its_exit_code_reports_the_outcome(event):
    start_event(event)
    target, path = filled(event, 3)
    at_balancer = run_ctl(event, "purge", "--channel", "demo")
    assert at_balancer.returncode == 1 and "--nodes all" in at_balancer.stderr
    assert run_ctl(event, "purge", "--channel", "demo", "--nodes", "all", "--soft", "perhaps").returncode == 1
    asked = event.origin.count(path)
    assert run_ctl(event, "purge", "--channel", "demo", "--nodes", "n1", "--soft", "true").returncode == 0
    event.origin.refuse()
    assert fetch(event.nodes["n1"].url + target).status == 200, "stale, not gone"
    event.origin.resume()
    assert event.origin.count(path) == asked
    event.nodes["n2"].terminate()
    wait_until(lambda: not event.is_up("n2"), 5)
    partly = run_ctl(event, "purge", "--channel", "demo", "--nodes", "n1,n2")
    assert partly.returncode == 4 and "n2: away" in partly.stdout, partly


def test_a_warm_up_fills_every_node_and_reports_its_progress(event):
    start_event(event)
    target, path = target_of(event, 2), event.live.path_of("v1", 2)
    answer = order(event, "/nodes/warm", {"urls": [target]})
    job = answer.json["job"]
    assert set(states(answer)) == set(NODES)
    wait_until(lambda: all(node.get("stored") == 1 for node in states(order(event, f"/nodes/warm/{job}")).values()), 10, "all are warm")
    asked = event.origin.count(path)
    assert asked == len(NODES)
    filled(event, 2)
    assert event.origin.count(path) == asked
    assert f"{job}\nn1: 1 of 1 stored, 0 failed\n" in run_ctl(event, "warmed", job, "--nodes", "all").stdout


def test_an_absent_node_is_reported_and_follows_the_purge_when_it_is_back(event):
    start_event(event)
    target, path = filled(event, 3)
    stop_n2(event)
    answer = order(event, "/nodes/purge", {"prefix": "demo/"})
    assert answer.json["done"] is False
    assert {name: node["state"] for name, node in states(answer).items()} == {"n1": "done", "n2": "away", "n3": "done"}
    assert_n2_returns_without_object(event, target, path)


def test_invalid_purge_and_warm_up_requests_are_rejected(event):
    start_event(event)
    for path, body in (("/nodes/purge", {}), ("/nodes/purge", {"url": "a", "tag": "b"}), ("/nodes/warm", {"urls": []})):
        answer = order(event, path, body)
        assert answer.status == 400 and answer.json["detail"], answer
    assert order(event, "/nodes/purge?nodes=n1,nobody", {"channel": "demo"}).status == 404


def test_a_purge_for_an_absent_node_survives_a_killed_balancer(event):
    start_event(event)
    target, path = filled(event, 3)
    stop_n2(event)
    states(order(event, "/nodes/purge", {"url": target}))
    event.balancer.kill()
    event.start_balancer(NODES)
    assert_n2_returns_without_object(event, target, path)


def test_a_node_that_missed_hundreds_of_purges_serves_no_purged_object(event):
    start_event(event)
    target, path = filled(event, 3)
    stop_n2(event)
    states(order(event, "/nodes/purge?nodes=n2", {"url": target}))
    with ThreadPoolExecutor(16) as operators:
        answers = list(operators.map(lambda n: order(event, "/nodes/purge?nodes=n2", {"url": f"demo/e/{n}.ts"}), range(300)))
    assert all(states(answer)["n2"]["state"] == "away" for answer in answers)
    assert_n2_returns_without_object(event, target, path)


def test_logs_omit_the_query_of_purged_urls(event):
    start_event(event)
    order(event, "/nodes/purge", {"url": "demo/e/a.m3u8?token=secret-of-the-origin"})
    event.nodes["n1"].wait_log("purged")
    for program in (event.balancer, *event.nodes.values()):
        assert b"secret-of-the-origin" not in program.log_file.read_bytes()
