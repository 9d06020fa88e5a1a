"""Node health by delivery: a node whose viewers receive errors loses them, and node, balancer and ctl report the same."""
import re

import pytest
from harness.event import merged
from harness.fake_dns import FakeDns
from harness.operator_cli import ctl
from harness.raw_client import fetch
from harness.waiting import wait_until

pytestmark = pytest.mark.release_too("its deadlines are those of the product; sanitized programs get longer ones")

NODES = ("n1", "n2", "n3")
QUICK = {"connect_timeout": "500ms", "first_byte_timeout": "1s", "allow_special_addresses": True}


def start_event(event, resolver_library, nodes=NODES):
    """Starts nodes without a group, each with its own DNS: name -> FakeDns."""
    event.channels = [event.channel_config("demo", event.live.source.replace("127.0.0.1", "origin.test"))]
    views = {}
    for name in (*nodes, "balancer"):
        place = event.folder / f"names_{name}"
        place.mkdir()
        views[name] = FakeDns(place, resolver_library)
        views[name].set_addresses(origin="127.0.0.1")
    for name in nodes:
        event.start_node(name, {"cache_node": {"origin": QUICK}}, environment=views[name].environment)
    event.start_balancer(nodes, {"balancer": {"origin": {"allow_special_addresses": True}}}, environment=views["balancer"].environment)
    for name in nodes:
        event.wait_registered(name)
    return views


def targets(event, count):
    """Paths of links to the newest segments, which no node has yet."""
    event.live.window = max(event.live.window, count)
    event.live.advance(count)
    player = event.player().open()
    player.wait_for_msn(event.live.next_msn - 1)
    return ["/" + segment.uri.split("/", 3)[3] for segment in player.playlist.segments][-count:]


def ask(event, name, paths):
    return [fetch(event.nodes[name].url + path).status for path in paths]


def test_a_single_node_that_does_not_reach_the_origin_loses_its_viewers_until_it_recovers(event, resolver_library):
    views = start_event(event, resolver_library)
    views["n2"].set_addresses(origin="127.0.0.2")   # nothing listens there
    assert all(status >= 500 for status in ask(event, "n2", targets(event, 8)))
    wait_until(lambda: event.node_state("n2")["state"] == "unhealthy", 5, "the balancer evaluates the responses to viewers")
    state = event.node_state("n2")
    assert "of the last" in state["reason"] and "to the origin failed" in state["reason"]
    assert state["error_share"] > 0.9 and state["origin_error_share"] > 0.9
    wait_until(lambda: not event.nodes["n2"].is_ready(), 5, "the node says the same")
    assert state["reason"][:20] in event.nodes["n2"].admin("/readyz").text
    assert event.nodes["n2"].admin("/status").json["cache_node"]["error_share"] > 0.9
    line = next(line for line in ctl(event, "nodes").splitlines() if line.startswith("n2"))
    assert " unhealthy " in line and "% " in line
    assert event.balancer.metric("tribune_balancer_node_up", node="n2") == 0
    assert event.balancer.metric("tribune_balancer_node_error_share", node="n2") > 0.9
    assert [event.node_state(n)["state"] for n in ("n1", "n3")] == ["up", "up"]
    player = event.player().open()
    assert not any(segment.uri.startswith(event.url("n2")) for segment in player.refresh().segments)
    views["n2"].set_addresses(origin="127.0.0.1")
    event.wait_registered("n2", within=20)


def test_when_the_origin_fails_for_every_node_none_loses_its_viewers(event, resolver_library):
    views = start_event(event, resolver_library)
    paths = targets(event, 8)
    for name in NODES:
        views[name].set_addresses(origin="127.0.0.2")
    for name in NODES:
        assert all(status >= 500 for status in ask(event, name, paths))
    wait_until(lambda: event.balancer.metric("tribune_balancer_origin_fails_most_nodes") == 1, 5, "the origin is reported as the cause")
    wait_until(lambda: [event.node_state(n)["state"] for n in NODES] == ["up"] * 3, 5, "all keep their viewers")
    # The measurement windows of the first nodes may have ended.
    wait_until(lambda: any("the origin is the cause" in event.node_state(n)["reason"] for n in NODES), 5, "the status has the reason")
    assert all(event.nodes[n].is_ready() for n in NODES)
    assert event.balancer.logged("origin_fails_most_nodes")


def test_expired_keys_are_rejected_on_reload(event):
    event.start()
    balancer = event.balancer
    assert balancer.admin("/status").json["balancer"]["keys"] == "ok"
    ended = merged(balancer.config, {})
    ended["event"]["keys"] = [{**event.event_section()["keys"][0], "not_after": "2020-01-01T00:00:00Z"}]
    line = balancer.reload(ended, expect="reload_refused")
    assert "no key is valid for signing" in line["problem"]
    event.player().open().refresh()
    assert balancer.is_ready()


def test_every_response_and_every_log_line_has_the_request_id(event):
    event.start_node("stadium", {"front": {"trusted_proxies": ["127.0.0.9/32"]}})
    event.start_balancer(["stadium"])
    event.wait_registered("stadium")
    _, url, body = event.link()
    node = event.nodes["stadium"]
    own = fetch(url, headers={"X-Request-Id": "mine"})
    made = own.header("X-Request-Id")
    assert own.body == body and re.fullmatch("[0-9a-f]{16}", made)
    given = fetch(url + "&CMCD=sid%3D%22p-7%22", headers={"X-Request-Id": "edge-1.2"}, source="127.0.0.9")
    assert given.header("X-Request-Id") == "edge-1.2"
    assert re.fullmatch("[0-9a-f]{16}", fetch(url, headers={"X-Request-Id": "two words"}, source="127.0.0.9").header("X-Request-Id"))
    node.wait_log("request", request=made)
    line = node.wait_log("request", request="edge-1.2")[0]
    assert line["player"] == "p-7" and line["status"] == 200
    refused = fetch(node.url + "/nothing")
    assert refused.status == 404
    node.wait_log("request", request=refused.header("X-Request-Id"), status=404)


def test_a_node_whose_store_folder_is_gone_loses_its_viewers_until_it_has_one(event):
    event.start(nodes=("n1", "n2"))
    store = event.folder / "store_n2"
    store.rename(event.folder / "elsewhere")

    def fills():
        ask(event, "n2", targets(event, 1))
        return event.node_state("n2")["state"] == "unhealthy"
    wait_until(fills, 10, "a write fails, and the balancer learns of it")
    assert "its store does not work" in event.node_state("n2")["reason"]
    assert not event.nodes["n2"].is_ready() and event.is_up("n1")
    assert ask(event, "n2", targets(event, 1)) == [200], "it serves from memory"
    (event.folder / "elsewhere").rename(store)
    event.wait_registered("n2", within=20)


def test_a_node_whose_players_starve_is_taken_out_by_reports_from_many_networks_only(event):
    event.start(nodes=("n1", "n2"), balancer={"balancer": {"nodes": [{"id": n, "url": event.url(n), "group": "arena"} for n in ("n1", "n2")]}})
    path = targets(event, 1)[0]

    def play(node, networks, starved):
        for network in networks:
            report = "bs,bl=0" if starved else "bl=4000"
            assert fetch(event.nodes[node].url + path, headers={"CMCD-Status": report}, source=f"127.0.{network}.5").status == 200
    play("n2", range(1, 9), False)
    for _ in range(20):
        play("n1", [20], True)   # one network forges as many reports as it likes
    play("n1", range(1, 9), False)
    wait_until(lambda: event.node_state("n1")["player_reports"] >= 28, 5, "the balancer has the reports")
    assert [event.node_state(n)["state"] for n in ("n1", "n2")] == ["up", "up"]
    play("n1", range(1, 9), True)
    wait_until(lambda: event.node_state("n1")["state"] == "unhealthy", 5, "many networks report")
    assert "run out of buffer" in event.node_state("n1")["reason"] and event.is_up("n2")
