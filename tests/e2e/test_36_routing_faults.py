"""What routing must bear (fault 30), and what two origins must hide: nodes that are cut off one way, all nodes looking bad, a balancer that was
away, keys without an IV, segments that nobody delivers; and clients that come over IPv6."""
import re
import signal
from datetime import datetime, timedelta, timezone

import pytest
from harness.event import merged
from harness.live import LiveChannel
from harness.origin import ok
from harness.player import Player
from harness.program import reserve_port
from harness.routing import LIVE_NODES, choice, stand, zones
from harness.waiting import wait_until

KICK_OFF = datetime(2026, 6, 1, 18, 0, tzinfo=timezone.utc)
FAST = {"balancer": {"origin": {"connect_timeout": "500ms", "first_byte_timeout": "1s", "low_speed_window": "1s"}}}


def test_a_client_over_ipv6_is_served_by_its_zone(event):
    try:
        door = reserve_port("::1")
    except OSError as reason:
        pytest.skip(f"no IPv6 here: {reason}")
    with door:
        address = f"[::1]:{door.getsockname()[1]}"
        file = event.folder / "zones.json"
        file.write_text(zones("::1/128"))
        listen = [f"127.0.0.1:{event.port('balancer')}", address]
        event.stand(nodes=("city", "stadium"), balancer={"front": {"listen": listen}, "balancer": {"routing": {"zones_file": str(file)}}})
        inside, outside = Player(f"http://{address}").open(), event.player().open()
        assert inside.refresh().segments[-1].text.startswith(event.url("stadium"))
        assert outside.refresh().segments[-1].text.startswith(event.url("city"))
        inside.play(4, event.live.bytes_of("v1", 4))
        assert [line["reason"] for line in event.balancer.wait_log("session_routed", node="stadium")] == ["deep_zone"]
        assert event.balancer.accesses(client="::1", node="stadium")


def test_a_node_whose_heartbeats_do_not_arrive_is_left_though_it_serves(event, origins):
    """Cut off one way: it hears nobody's complaint, and its viewers reach it."""
    nowhere = origins()   # what the node takes for its balancer
    stand(event, zones("127.0.0.0/8"))
    player = event.player().open()
    msn = player.refresh().last_msn
    assert player.playlist.segments[-1].text.startswith(event.url("stadium"))
    node = event.nodes["stadium"]
    node.reload(merged(node.config, {"cache_node": {"balancers": [nowhere.url]}}))
    wait_until(lambda: not event.is_listed("stadium"), 5, "its silence is heard")
    event.live.advance()
    assert player.wait_for_msn(msn + 1).text.startswith(event.url("city"))
    player.play(msn, event.live.bytes_of("v1", msn))   # what was listed still comes from it


def test_when_all_nodes_look_bad_the_least_bad_serves_and_nobody_flaps(event):
    stand(event, zones("127.0.0.0/8"))
    player = event.player().open()
    msn = player.refresh().last_msn
    for name in LIVE_NODES:
        event.nodes[name].signal(signal.SIGSTOP)
    wait_until(lambda: not any(event.is_listed(n) for n in LIVE_NODES), 5, "both are silent")
    assert choice(event, "127.0.0.1")[1] == "least_bad"
    moved = len(event.balancer.logged("session_routed"))
    for step in range(1, 4):
        event.live.advance()
        player.wait_for_msn(msn + step)
    chosen = {segment.text.split("/media/")[0] for segment in player.playlist.segments if segment.msn > msn}
    assert len(chosen) == 1, "one of them, and always the same"
    assert len(event.balancer.logged("session_routed")) <= moved + 1
    for name in LIVE_NODES:
        event.nodes[name].signal(signal.SIGCONT)
    player.play(msn + 3, event.live.bytes_of("v1", msn + 3), tries=3)


def test_nodes_serve_by_their_last_map_while_the_balancer_is_away(event):
    stand(event, zones("127.0.0.0/8"))
    player = event.player().open()
    player.refresh()
    event.balancer.kill()
    for segment in player.playlist.segments:
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    assert set(player.nodes) == {event.url("stadium").removeprefix("http://")}


def ivs_of(playlist):
    """MSN -> the IV that a player decrypts it with: what the key says, else the number."""
    found, number, iv = {}, playlist.msn, None
    for line in playlist.text.splitlines():
        if line.startswith("#EXT-X-KEY:"):
            said = re.search(r"IV=0x([0-9a-fA-F]+)", line)
            iv = int(said.group(1), 16) if said else None
        elif line and not line.startswith("#"):
            found[number] = number if iv is None else iv
            number += 1
    return found


def test_a_key_without_an_iv_means_the_number_at_the_origin_of_the_segment(event, origins):
    """The second origin counts otherwise: what its numbers imply is written out beside the numbers that players see."""
    first = LiveChannel(event.origin, target=2, first_msn=100, began=KICK_OFF)
    second = LiveChannel(origins(), target=2, first_msn=7, listed=4, began=KICK_OFF + timedelta(seconds=2), name="chunk")
    for live in (first, second):
        live.extra_tags = '#EXT-X-KEY:METHOD=AES-128,URI="key.bin"'
        live.origin.on("/live/demo/v1/key.bin", ok(b"k" * 16))
    event.live = first
    event.channels = [event.entry("demo", first.source, backup_origins=[second.origin.url])]
    event.stand(balancer=FAST)
    player = event.player().open()
    player.refresh()
    assert ivs_of(player.playlist) == {msn: msn for msn in range(100, 105)}
    event.origin.refuse()
    first.advance()
    second.advance()
    player.wait_for_msn(105, within=10)
    assert ivs_of(player.playlist) == {**{msn: msn for msn in range(player.playlist.msn, 105)}, 105: 11}
    player.play(105, second.bytes_of("v1", 11), tries=3)
    assert "#EXT-X-DISCONTINUITY\n" not in player.playlist.text


def test_a_hole_between_two_origins_is_one_discontinuity_and_takes_no_player_back(event, origins):
    """The first origin ends at 104, and the second one's oldest segment is 4 s younger: nobody delivers what was between."""
    first = LiveChannel(event.origin, target=2, first_msn=100, began=KICK_OFF)
    second = LiveChannel(origins(), target=2, first_msn=7, listed=4, began=KICK_OFF + timedelta(seconds=14), name="chunk")
    event.live = first
    event.channels = [event.entry("demo", first.source, backup_origins=[second.origin.url])]
    event.stand(balancer=FAST)
    player = event.player().open()
    player.refresh()
    event.origin.refuse()
    wait_until(lambda: player.try_refresh().status == 200 and player.playlist.last_msn > 104, 10, "the second origin's segments are listed")
    for step in range(2):
        last = player.playlist.last_msn
        player.play(last, second.bytes_of("v1", 10 + step), tries=3)
        second.advance()
        player.wait_for_msn(last + 1, within=10)
    assert player.playlist.discontinuity + player.playlist.text.count("#EXT-X-DISCONTINUITY\n") == 1
