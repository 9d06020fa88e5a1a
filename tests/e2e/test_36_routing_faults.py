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
from harness.wire import fetch

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


def two_origins(event, origins, later):
    """The first one's segments end at 104, ten seconds after it began; the second one's begin so long after it did."""
    first = LiveChannel(event.origin, target=2, first_msn=100, began=KICK_OFF)
    second = LiveChannel(origins(), target=2, first_msn=7, listed=4, began=KICK_OFF + timedelta(seconds=later), name="chunk")
    event.live = first
    event.channels = [event.entry("demo", first.source, backup_origins=[second.origin.url])]
    event.stand(balancer=FAST)
    return second


def assert_empty(*gaps):
    answers = [fetch(gap.uri) for gap in gaps]
    assert [(answer.status, answer.body, answer.header("Content-Type")) for answer in answers] == [(200, b"", "video/mp2t")] * len(gaps)
    assert len({gap.text for gap in gaps}) == len(gaps)


def loses_the_first_origin(event, second, first_new):
    """A player that then follows the second one for two segments more; `first_new`: the number of its chunk7."""
    player = event.player().open()
    player.refresh()
    event.origin.refuse()
    wait_until(lambda: player.try_refresh().status == 200 and player.playlist.last_msn > 104, 10, "the second origin's segments are listed")
    at_once = player.playlist
    for step in range(2):
        player.play(first_new + 3 + step, second.bytes_of("v1", 10 + step), tries=3)
        second.advance()
        player.wait_for_msn(first_new + 4 + step, within=10)
    return player, at_once


def test_segments_that_no_origin_delivers_are_listed_as_gaps_and_the_numbers_go_on(event, origins):
    """The second origin's oldest segment is 4 s younger than the end of the first: nobody delivers what was between."""
    second = two_origins(event, origins, later=14)
    player, at_once = loses_the_first_origin(event, second, first_new=107)
    kinds = {segment.msn: "#EXT-X-GAP" in segment.tags for segment in at_once.segments}
    assert kinds == {msn: msn in (105, 106) for msn in range(102, 111)}
    assert [tag for tag in at_once.segment(105).tags if "EXTINF" in tag] == ["#EXTINF:2.0,"]
    # Who asks all the same gets nothing, and may go on.
    assert_empty(at_once.segment(105), at_once.segment(106))
    assert player.playlist.discontinuity == 0 and "#EXT-X-DISCONTINUITY\n" not in player.playlist.text + at_once.text
    # Nobody was asked for what is not there.
    assert {line["path"].rpartition("/")[2] for line in event.nodes["stadium"].accesses() if line["path"].startswith("/media/")} <= {"chunk10.ts", "chunk11.ts"}


def test_a_hole_that_no_few_segments_fill_is_one_discontinuity_and_takes_no_player_back(event, origins):
    second = two_origins(event, origins, later=10 + 2 * 9)
    player, _ = loses_the_first_origin(event, second, first_new=105)
    assert player.playlist.discontinuity + player.playlist.text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert "#EXT-X-GAP" not in player.playlist.text


def test_gaps_of_the_source_are_passed_on(event):
    live = event.live
    body = live.media("v1").replace(b"#EXTINF:1.000,\nseg3.ts", b"#EXT-X-GAP\n#EXTINF:1.000,\nseg3.ts")
    event.origin.on("/live/demo/v1/index.m3u8", ok(body, "application/vnd.apple.mpegurl"))
    event.stand()
    playlist = event.player().open().refresh()
    assert [segment.msn for segment in playlist.segments if "#EXT-X-GAP" in segment.tags] == [3]
    assert_empty(playlist.segment(3))
