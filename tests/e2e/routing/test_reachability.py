"""Reachability of nodes: receipts, locations, reports, probes, and nodes that flap."""
import signal

import pytest
from harness.geo_database import write_geo_database
from harness.operator_cli import ctl
from harness.origin import ok
from harness.raw_client import fetch
from harness.routing import LIVE_NODES, choice, start_with_zones, why, zones
from harness.waiting import wait_until

pytestmark = pytest.mark.release_too("its deadlines are those of the product; sanitized programs get longer ones")

BERLIN, MUNICH = (52.5, 13.4), (48.2, 11.6)


def receipt_of(event, name, source):
    return fetch(event.url(name) + "/ping", source=source).json["receipt"]


def test_a_receipt_is_accepted_from_its_own_client_only(event):
    start_with_zones(event, zones("10.1.0.0/16"))
    receipt = receipt_of(event, "stadium", "127.0.1.5")
    assert choice(event, "127.0.1.9", receipt=receipt) == ("stadium", "receipt")
    others = why(event, "127.0.2.5", receipt=receipt)
    assert (others["node"], others["receipts_refused"]) == ("city", ["the receipt for node stadium belongs to another client"])
    changed = receipt[:-8] + ("A" if receipt[-8] != "A" else "B") + receipt[-7:]
    spoofed = why(event, "127.0.1.9", receipt=changed)
    assert spoofed["node"] == "city" and len(spoofed["receipts_refused"]) == 1
    player = event.player(source="127.0.1.5").open()
    player.media_url += f"?receipt={changed}"
    assert player.refresh().segments[-1].text.startswith(event.url("city"))
    player.media_url = player.media_url.split("?")[0] + f"?receipt={receipt}"
    event.live.advance()
    assert player.wait_for_msn(event.live.next_msn - 1).text.startswith(event.url("stadium"))


def test_an_expired_receipt_is_rejected(event):
    start_with_short_receipts(event)
    receipt = receipt_of(event, "stadium", "127.0.1.5")
    refused = wait_until(lambda: why(event, "127.0.1.5", receipt=receipt)["receipts_refused"], 10, "the receipt expired")
    assert len(refused) == 1
    assert choice(event, "127.0.1.5", receipt=receipt)[0] == "city"


def start_with_short_receipts(event):
    file = event.folder / "zones.json"
    file.write_text(zones("10.1.0.0/16"))
    event.start(nodes=LIVE_NODES, balancer={"event": {"clock_skew": "2s"},
                                            "balancer": {"routing": {"zones_file": str(file), "receipt_lifetime": "1s"}}})


def test_the_nearest_group_serves_clients_that_the_geography_database_locates(event):
    file = event.folder / "places.mmdb"
    write_geo_database(file, {"192.0.2.0/24": BERLIN, "2001:db8::/32": MUNICH, "203.0.113.0/24": None})
    places = [{"group": "stadium", "latitude": 48.1, "longitude": 11.5}, {"group": "city", "latitude": 52.4, "longitude": 13.0}]
    event.start(nodes=LIVE_NODES, balancer={"balancer": {"routing": {"geography_file": str(file), "poll": "100ms", "places": places}}})
    assert choice(event, "192.0.2.7") == ("city", "nearest_group")
    assert choice(event, "2001:db8::7") == ("stadium", "nearest_group")
    for unknown in ("203.0.113.1", "198.51.100.1"):
        assert choice(event, unknown) == ("stadium", "default_group")
    assert "location 52.50, 13.40" in " ".join(ctl(event, "route", "--client", "192.0.2.7", "--channel", "demo").split())
    write_geo_database(file, {"192.0.2.0/24": MUNICH})
    wait_until(lambda: choice(event, "192.0.2.7") == ("stadium", "nearest_group"), 5, "the new database is in force")
    broken = file.with_suffix(".broken")
    broken.write_bytes(file.read_bytes()[:100])
    broken.rename(file)
    event.balancer.wait_log("routing_file_refused", what="geography")
    assert choice(event, "192.0.2.7") == ("stadium", "nearest_group")


def test_a_node_with_heartbeats_that_probes_do_not_reach_is_removed_and_added_again(event, origins):
    front = origins()   # the public address of the stadium's node
    front.on("/ping", ok(b"{}"))
    nodes = [{"id": "stadium", "url": front.url}, {"id": "city", "url": event.url("city")}]
    event.start(nodes=LIVE_NODES, balancer={"balancer": {"nodes": nodes, "routing": {"probe_period": "200ms"}}})
    front.wait_for("/ping", 2)
    assert choice(event, "192.0.2.7")[0] == "stadium"
    front.refuse()
    wait_until(lambda: event.node_state("stadium")["state"] == "unhealthy", 8, "the node is not reached")
    assert event.node_state("stadium")["reason"] == "probes cannot reach the node"
    assert choice(event, "192.0.2.7")[0] == "city"
    front.resume()
    wait_until(lambda: choice(event, "192.0.2.7")[0] == "stadium", 8, "the node is taken back")


def test_a_viewer_that_reports_its_node_gone_is_moved_at_once_and_no_other_viewer_is(event):
    start_with_zones(event, zones("127.0.0.0/8"))
    player, other = event.player().open(), event.player().open()
    listed = player.refresh().last_msn
    player.media_url += "?gone=stadium"
    event.live.advance()
    assert player.wait_for_msn(listed + 1).text.startswith(event.url("city"))
    assert other.wait_for_msn(listed + 1).text.startswith(event.url("stadium"))


def test_a_viewer_that_changes_its_network_is_moved_by_the_next_request(event):
    start_with_zones(event, zones("127.0.1.0/24"))
    player = event.player(query="?cache=stadium", source="127.0.1.5").open()
    msn = player.refresh().last_msn
    assert player.playlist.segments[-1].text.startswith(event.url("stadium"))
    for step, (source, node) in enumerate([("127.0.2.5", "city"), ("127.0.1.5", "stadium"), ("127.0.2.6", "city")], 1):
        player.source = source
        event.live.advance()
        assert player.wait_for_msn(msn + step).text.startswith(event.url(node))


def test_a_flapping_node_is_held_until_it_is_stable(event):
    start_with_zones(event, zones("127.0.0.0/8"))
    node = event.nodes["stadium"]
    for _ in range(2):
        node.signal(signal.SIGSTOP)
        wait_until(lambda: not event.is_up("stadium"), 4)
        node.signal(signal.SIGCONT)
        wait_until(lambda: event.is_up("stadium"), 4)
    event.balancer.wait_log("node_held", node="stadium")
    held = why(event, "127.0.0.1")
    assert held["node"] == "city"
    assert any(c["node"] == "stadium" and c["verdict"].startswith("held") for c in held["considered"])
    wait_until(lambda: choice(event, "127.0.0.1") == ("stadium", "deep_zone"), 30, "the node is stable")


def test_the_origin_serves_without_a_node_where_the_channel_allows_it(event):
    event.channels = [event.channel_config("demo", event.live.source, links="redirect", fallback="origin")]
    event.start()
    player = event.player().open()
    player.refresh()
    event.nodes["stadium"].kill()
    wait_until(lambda: not event.is_up("stadium"), 4)
    player.play(4, event.live.bytes_of("v1", 4))
    assert player.nodes[-1] == event.origin.url.split("/")[2]
    assert choice(event, "127.0.0.1") == ("", "origin")


def test_cmcd_reports_are_counted_for_their_node_and_do_not_split_the_cache(event):
    event.start()
    msn, uri, body = event.link()
    path = event.live.path_of("v1", msn)
    said = ["", "&CMCD=bl%3D0%2Cbs%2Cmtp%3D2000%2Csid%3D%22a%22", "&CMCD=bl%3D4000%2Cmtp%3D4000%2Csid%3D%22b%22%2Cnor%3D%22..%252F..%252Fadmin%22",
            "&CMCD=bl%3D-1%2Cmtp%3D1e99%2Csid%3D%22" + "x" * 5000, "&CMCD=%00%ff%22%5C", "&CMCD=" + "%2C" * 2000, "&CMCD=bs&CMCD=bl%3D9"]
    for more in said:
        answer = fetch(uri + more)
        assert answer.status == 200 and answer.body == body, more
    for headers in ({"CMCD-Status": "bs", "CMCD-Session": 'sid="c"'}, {"CMCD-Request": "mtp=3000"}, {"CMCD-Object": "\xff" * 100}):
        assert fetch(uri, headers=headers).body == body
    node = event.nodes["stadium"]
    assert event.origin.count(path) == 1
    wait_until(lambda: node.metric("tribune_cache_player_reports_total") == 5, 5)
    wait_until(lambda: node.metric("tribune_cache_player_starved_total") == 3, 5)
    wait_until(lambda: node.metric("tribune_cache_player_next_named_total") == 1, 5)
    wait_until(lambda: node.metric("tribune_cache_player_throughput_mbps_sum") == 9, 5)
    wait_until(lambda: event.node_state("stadium")["player_mbps"] == 3, 5, "the balancer receives the reports")
    assert event.node_state("stadium")["rebuffer_ratio"] == 0.6
