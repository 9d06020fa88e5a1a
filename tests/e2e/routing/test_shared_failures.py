"""Failures that all nodes have at once: the cause is near the balancer, so viewers stay where they are."""
import signal

import pytest
from harness.event import merged
from harness.fake_clock import FAKETIME, needs_faked_clock
from harness.origin import ok
from harness.raw_client import fetch
from harness.waiting import wait_until

pytestmark = pytest.mark.release_too("its deadlines are those of the product; sanitized programs get longer ones")

NODES = ("n1", "n2", "n3")
VIEWERS = 12
DOUBTED = "tribune_balancer_node_failures_doubted"


def start_event(event, urls=None, **options):
    """Three nodes of one group; the viewers spread evenly over them."""
    nodes = [{"id": name, "url": (urls or {}).get(name, event.url(name)), "group": "arena"} for name in NODES]
    event.start_balancer(NODES, {"balancer": {"nodes": nodes, "routing": {"balance_from": 0, "load_factor": 1, "ramp": "0ms", "drain_time": "60s",
                                                                         "probe_period": "200ms"}}}, **options)
    for name in NODES:
        event.start_node(name)
    for name in NODES:
        event.wait_registered(name)
    for name in NODES:
        if not urls:
            event.nodes[name].wait_log("request", path="/ping")   # the balancer reaches it
    players = [event.player().open() for _ in range(VIEWERS)]
    for player in players:
        player.refresh()
    nodes = [node_of(player) for player in players]
    assert sorted(nodes.count(url) for url in set(nodes)) == [4, 4, 4]
    return players


def node_of(player):
    return player.playlist.segments[-1].text.split("/media/")[0]


def nodes_of_next_segment(event, players):
    event.live.advance()
    for player in players:
        player.wait_for_msn(event.live.next_msn - 1)
    return [node_of(player) for player in players]


def assert_nobody_moves(event, players, before, segments=3):
    for _ in range(segments):
        assert nodes_of_next_segment(event, players) == before
    assert not event.balancer.logged("node_held")


def send_heartbeats_to(event, url):
    """All nodes change their balancer at once; returns when they did."""
    before = {name: len(event.nodes[name].logged("reloaded")) for name in NODES}
    for name in NODES:
        node = event.nodes[name]
        node.write_config(merged(node.config, {"cache_node": {"balancers": [url]}}))
    for name in NODES:
        event.nodes[name].signal(signal.SIGHUP)
    for name in NODES:
        wait_until(lambda n=name: len(event.nodes[n].logged("reloaded")) > before[n], 5, f"{name} reloaded")


def wait_doubted(event, count):
    wait_until(lambda: event.balancer.metric(DOUBTED) == count, 10, f"{count} nodes are doubted")


def wait_silent(event, ms):
    wait_until(lambda: all(event.node_state(name)["silent_ms"] > ms for name in NODES), 10, f"no heartbeat for {ms} ms")


def test_when_the_heartbeats_of_all_nodes_stop_no_viewer_moves_and_none_when_they_return(event, origins):
    nowhere = origins()
    players = start_event(event)
    before = [node_of(player) for player in players]
    send_heartbeats_to(event, nowhere.url)
    wait_doubted(event, 3)
    wait_silent(event, 4000)
    assert [event.node_state(name)["state"] for name in NODES] == ["up"] * 3
    assert all("for most nodes at once" in event.node_state(name)["reason"] for name in NODES)
    assert event.balancer.logged("node_failures_doubted") and event.balancer.is_ready()
    assert_nobody_moves(event, players, before)
    newcomers = [event.player().open() for _ in range(6)]
    for player in newcomers:
        player.refresh()
    assert sorted([node_of(player) for player in newcomers].count(url) for url in set(before)) == [2, 2, 2]
    send_heartbeats_to(event, event.balancer.url)
    wait_doubted(event, 0)
    wait_until(lambda: all(event.node_state(name)["silent_ms"] < 1500 and event.is_up(name) for name in NODES), 5, "all are heard")
    assert_nobody_moves(event, players, before)
    assert event.balancer.logged("node_failures_believed")


@needs_faked_clock
def test_a_balancer_whose_clock_is_an_hour_ahead_keeps_its_viewers_where_they_are(event, folder):
    def step(to):
        fresh = folder / "clock.new"
        fresh.write_text(to)
        fresh.rename(folder / "clock")
    step("+0s")
    players = start_event(event, environment={"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"), "FAKETIME_NO_CACHE": "1",
                                              "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"})
    before = [node_of(player) for player in players]
    step("+3600s")
    wait_doubted(event, 3)
    wait_silent(event, 4000)
    assert_nobody_moves(event, players, before)
    step("+0s")
    wait_doubted(event, 0)
    assert_nobody_moves(event, players, before)


@pytest.mark.parametrize("how", ["refused", "unanswered"])
def test_when_probes_reach_no_node_but_heartbeats_arrive_no_viewer_moves(event, origins, how):
    fronts = {name: origins() for name in NODES}   # the nodes' public addresses
    for front in fronts.values():
        front.on("/ping", ok(b"{}"))
    players = start_event(event, {name: front.url for name, front in fronts.items()})
    before = [node_of(player) for player in players]
    for front in fronts.values():
        front.wait_for("/ping", 1)
    gates = [front.gate() for front in fronts.values()]
    for front, gate in zip(fronts.values(), gates):
        if how == "refused":
            front.refuse()
        else:
            front.on("/ping", lambda request, wire, gate=gate: gate.wait())
    wait_doubted(event, 3)
    assert_nobody_moves(event, players, before, segments=4)
    assert [event.node_state(name)["state"] for name in NODES] == ["up"] * 3
    for front, gate in zip(fronts.values(), gates):
        front.on("/ping", ok(b"{}"))
        gate.open()
        if how == "refused":
            front.resume()
    wait_doubted(event, 0)
    assert_nobody_moves(event, players, before)


@pytest.mark.parametrize("evidence", ["refused", "reported"])
def test_while_failures_are_doubted_certain_evidence_takes_a_node_out(event, origins, evidence):
    nowhere = origins()
    players = start_event(event)
    before = [node_of(player) for player in players]
    send_heartbeats_to(event, nowhere.url)
    wait_doubted(event, 3)
    wait_silent(event, 2000)
    lost = event.url("n2")
    if evidence == "refused":
        event.nodes["n2"].kill()
    else:
        for third in (1, 2, 3):
            fetch(f"{event.balancer.url}/live/demo/index.m3u8?gone=n2", source=f"127.0.{third}.5")
    wait_until(lambda: event.node_state("n2")["state"] == "down", 2, "certain evidence is believed within two seconds")
    after = nodes_of_next_segment(event, players)
    for was, now in zip(before, after):
        assert now == was if was != lost else now != lost
    wait_doubted(event, 2)


def test_when_every_node_was_killed_viewers_spread_and_readiness_says_so(event):
    players = start_event(event)
    for name in NODES:
        event.nodes[name].kill()
    wait_until(lambda: [event.node_state(name)["state"] for name in NODES] == ["down"] * 3, 5, "all nodes refuse connections")
    assert "no cache node is usable" in event.balancer.admin("/readyz").text
    assert event.balancer.metric("tribune_balancer_without_usable_node") == 1
    first = nodes_of_next_segment(event, players)
    assert max(first.count(url) for url in set(first)) <= VIEWERS / 2
    assert_nobody_moves(event, players, first)
    for name in NODES:
        event.nodes[name].start()
    for name in NODES:
        event.wait_registered(name)
    wait_until(event.balancer.is_ready, 5, "a node is usable")
    assert event.balancer.metric("tribune_balancer_without_usable_node") == 0
