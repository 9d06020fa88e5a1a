"""Selection of a cache node: zones, claims, drains, and the explanation of a selection."""
import shutil

import pytest
from harness.operator_cli import ctl
from harness.routing import LIVE_NODES, start_with_zones, why, zones
from harness.waiting import wait_until


def test_a_zone_selects_the_node_and_its_change_takes_effect_without_a_restart(event):
    file = start_with_zones(event, zones("10.1.0.0/16"))
    assert (why(event, "10.1.2.3")["node"], why(event, "10.1.2.3")["reason"]) == ("stadium", "deep_zone")
    assert why(event, "192.0.2.1")["node"] == "city"
    file.write_text(zones("192.0.2.0/24"))
    wait_until(lambda: why(event, "192.0.2.1")["node"] == "stadium", 5)
    assert why(event, "10.1.2.3")["node"] == "city"


def test_an_invalid_zone_file_leaves_the_last_good_one_in_force(event):
    file = start_with_zones(event, zones("10.1.0.0/16"))
    file.write_text('{"zones": [')
    event.balancer.wait_log("routing_file_refused")
    assert why(event, "10.1.2.3")["node"] == "stadium"
    assert event.balancer.admin("/status").json["balancer"]["zones_file"]["trouble"]


def test_zones_match_ipv6_clients(event):
    start_with_zones(event, zones("2001:db8:1::/48"))
    assert why(event, "2001:db8:1::5")["node"] == "stadium"
    assert why(event, "2001:db8:2::5")["node"] == "city"


def test_a_cache_parameter_from_outside_the_zone_is_ignored(event):
    start_with_zones(event, zones("10.1.0.0/16"))
    answer = why(event, "192.0.2.1", cache="stadium")
    assert answer["node"] == "city"
    assert any(c["verdict"] == "this client may not use the group" for c in answer["considered"])


def test_ctl_route_explains_the_selection_rank_by_rank(event):
    start_with_zones(event, zones("10.1.0.0/16"))
    output = ctl(event, "route", "--client", "10.1.2.3", "--channel", "demo", "--cache", "stadium")
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert lines[0] == f"node stadium ({event.url('stadium')}) serves channel demo to 10.1.2.3"
    assert lines[1] == "rank client_cache: the client reported that it can reach this node, and may use it"
    assert "address 10.1.2.3, in network 10.1.2.0/24" in lines
    assert "coverage zone stands (deep)" in lines
    assert "receipt - the client sent no valid receipt" in lines
    assert "client_cache stadium serves" in lines
    assert "deep_zone stadium would serve" in lines
    assert "origin - the channel does not allow it" in lines
    nodes = ctl(event, "nodes").splitlines()
    assert [line.split()[0] for line in nodes] == ["NODE", *LIVE_NODES]
    assert all(" up " in line for line in nodes[1:])


@pytest.mark.every_build
def test_a_drained_node_loses_its_viewers_at_the_next_segment(event):
    start_with_zones(event, zones("127.0.0.0/8"))
    player = event.player().open()
    player.refresh()
    assert player.playlist.segments[-1].text.startswith(event.url("stadium"))
    ctl(event, "drain", "stadium")
    event.live.advance()
    segment = player.wait_for_msn(event.live.next_msn - 1)
    assert segment.text.startswith(event.url("city"))
    assert event.node_state("stadium")["viewers"] == 0


def saved_pins(event):
    wait_until(lambda: event.balancer.admin("/status").json["balancer"]["unsaved_pins"] == 0, 5, "pins on disk")


@pytest.mark.every_build
def test_pinned_sessions_keep_their_playlist_text_over_a_reload_and_a_killed_balancer(event):
    start_with_zones(event, zones("127.0.0.0/8"))
    player = event.player().open()
    listed = player.refresh().last_msn
    ctl(event, "drain", "stadium")
    event.live.advance()
    player.wait_for_msn(listed + 1)
    nodes = lambda: [segment.text.split("/media/")[0] for segment in player.playlist.segments]
    pinned = nodes()
    assert pinned == [event.url("stadium")] * (len(pinned) - 1) + [event.url("city")]
    event.balancer.reload()
    player.refresh()   # asserts that nothing listed changed
    assert nodes() == pinned
    saved_pins(event)
    event.balancer.kill()
    event.balancer.start()
    for name in LIVE_NODES:
        event.wait_registered(name)
    player.refresh()
    assert nodes() == pinned
    event.live.advance()
    assert player.wait_for_msn(listed + 2).text.startswith(event.url("city"))   # still drained
    ctl(event, "undrain", "stadium")
    event.live.advance()
    assert player.wait_for_msn(listed + 3).text.startswith(event.url("stadium"))
    player.play(listed + 3, event.live.bytes_of("v1", listed + 3))
    event.balancer.wait_log("session_routed", node="stadium", before="city", reason="deep_zone", group="stadium")


def test_a_balancer_that_lost_its_disk_pins_a_session_to_its_first_node(event):
    event.start(nodes=LIVE_NODES)
    player = event.player(query="?cache=city").open()
    listed = player.refresh().last_msn
    assert {segment.text.split("/media/")[0] for segment in player.playlist.segments} == {event.url("city")}
    event.balancer.kill()
    shutil.rmtree(event.folder / "balancer_state")
    event.balancer.start()
    for name in LIVE_NODES:
        event.wait_registered(name)
    player.texts = {}   # the epoch of the numbering is lost with the disk
    player.refresh()
    assert {segment.text.split("/media/")[0] for segment in player.playlist.segments} == {event.url("city")}
    event.live.advance()
    assert player.wait_for_msn(listed + 1).text.startswith(event.url("city"))
    newcomer = event.player().open()
    assert newcomer.refresh().segments[-1].text.startswith(event.url("stadium"))


def test_a_session_with_a_cache_parameter_keeps_its_node_over_a_killed_balancer(event):
    event.start(nodes=LIVE_NODES)
    player = event.player(query="?cache=city").open()
    assert player.refresh().segments[-1].text.startswith(event.url("city"))
    saved_pins(event)
    event.balancer.kill()
    event.balancer.start()
    for name in LIVE_NODES:
        event.wait_registered(name)
    event.live.advance()
    assert player.wait_for_msn(event.live.next_msn - 1).text.startswith(event.url("city"))
