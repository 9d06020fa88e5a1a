"""Routing with faults: a node whose heartbeats are lost, all nodes unhealthy, no balancer; and clients over IPv6."""
import signal

import pytest
from harness.event import merged
from harness.player import Player
from harness.routing import LIVE_NODES, choice, start_with_zones, zones
from harness.tribune_process import reserve_port
from harness.waiting import wait_until



def test_a_client_over_ipv6_is_served_by_its_zone(event):
    try:
        front_port = reserve_port("::1")
    except OSError as reason:
        pytest.skip(f"no IPv6 here: {reason}")
    with front_port:
        address = f"[::1]:{front_port.getsockname()[1]}"
        file = event.folder / "zones.json"
        file.write_text(zones("::1/128"))
        listen = [f"127.0.0.1:{event.port('balancer')}", address]
        event.start(nodes=("city", "stadium"), balancer={"front": {"listen": listen}, "balancer": {"routing": {"zones_file": str(file)}}})
        inside, outside = Player(f"http://{address}").open(), event.player().open()
        assert inside.refresh().segments[-1].text.startswith(event.url("stadium"))
        assert outside.refresh().segments[-1].text.startswith(event.url("city"))
        inside.play(4, event.live.bytes_of("v1", 4))
        assert [line["reason"] for line in event.balancer.wait_log("session_routed", node="stadium")] == ["deep_zone"]
        assert event.balancer.access_log(client="::1", node="stadium")


def test_a_node_whose_heartbeats_do_not_arrive_is_removed_although_it_serves(event, origins):
    """The connection fails in one direction: viewers still reach the node."""
    nowhere = origins()   # the address that the node uses for its balancer
    start_with_zones(event, zones("127.0.0.0/8"))
    player = event.player().open()
    msn = player.refresh().last_msn
    assert player.playlist.segments[-1].text.startswith(event.url("stadium"))
    node = event.nodes["stadium"]
    node.reload(merged(node.config, {"cache_node": {"balancers": [nowhere.url]}}))
    wait_until(lambda: not event.is_up("stadium"), 5, "its heartbeats are missed")
    event.live.advance()
    assert player.wait_for_msn(msn + 1).text.startswith(event.url("city"))
    player.play(msn, event.live.bytes_of("v1", msn))   # listed segments still come from it


def test_when_all_nodes_look_bad_the_least_bad_one_serves_and_sessions_do_not_flap(event):
    start_with_zones(event, zones("127.0.0.0/8"))
    player = event.player().open()
    msn = player.refresh().last_msn
    event.nodes["city"].wait_log("request", path="/ping")   # a refused probe is certain once one was answered
    event.nodes["city"].kill()
    wait_until(lambda: not event.is_up("city"), 5, "one node is down")
    event.nodes["stadium"].signal(signal.SIGSTOP)
    wait_until(lambda: not event.is_up("stadium"), 5, "both nodes are down")
    assert choice(event, "127.0.0.1") == ("stadium", "least_bad"), "city refuses connections"
    moved = len(event.balancer.logged("session_routed"))
    for step in range(1, 4):
        event.live.advance()
        player.wait_for_msn(msn + step)
    chosen = {segment.text.split("/media/")[0] for segment in player.playlist.segments if segment.msn > msn}
    assert len(chosen) == 1, "the same node for all segments"
    assert len(event.balancer.logged("session_routed")) <= moved + 1
    event.nodes["stadium"].signal(signal.SIGCONT)
    player.play(msn + 3, event.live.bytes_of("v1", msn + 3), tries=3)


def test_when_all_nodes_hang_at_once_sessions_stay_where_they_are(event):
    start_with_zones(event, zones("127.0.0.0/8"))
    player = event.player().open()
    msn = player.refresh().last_msn
    for name in LIVE_NODES:
        event.nodes[name].signal(signal.SIGSTOP)
    wait_until(lambda: event.balancer.metric("tribune_balancer_node_failures_doubted") == 2, 5, "both nodes hang")
    moved = len(event.balancer.logged("session_routed"))
    for step in range(1, 4):
        event.live.advance()
        player.wait_for_msn(msn + step)
    assert {segment.text.split("/media/")[0] for segment in player.playlist.segments} == {event.url("stadium")}
    assert len(event.balancer.logged("session_routed")) == moved
    for name in LIVE_NODES:
        event.nodes[name].signal(signal.SIGCONT)
    player.play(msn + 3, event.live.bytes_of("v1", msn + 3), tries=3)


def test_nodes_serve_with_their_last_channel_map_while_the_balancer_is_down(event):
    start_with_zones(event, zones("127.0.0.0/8"))
    player = event.player().open()
    player.refresh()
    event.balancer.kill()
    for segment in player.playlist.segments:
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    assert set(player.nodes) == {event.url("stadium").removeprefix("http://")}
