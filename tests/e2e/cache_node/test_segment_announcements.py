"""Announcements of new segments: the nodes of a rendition's viewers fill a new segment before the playlist lists it."""
import signal

import pytest
from harness.concurrent_clients import fetch_all
from harness.origin import held, ok
from harness.raw_client import fetch
from harness.waiting import wait_until

ANNOUNCEMENTS = "tribune_cache_news_total"
PATIENT = {"balancer": {"publish_delay": "5s"}}


def start_event(event, nodes=("stadium",), links="direct", balancer=None):
    event.channels = [event.channel_config("demo", event.live.source, links=links)]
    event.start(nodes=nodes, balancer=balancer or PATIENT)
    wait_until(lambda: event.balancer.metrics().sum("tribune_balancer_news_questions_total", result="accepted") >= len(nodes), 5, "every node asks for news")
    return event


def status(event, name="stadium"):
    return event.nodes[name].admin("/status").json["cache_node"]


def viewer(event, node="stadium", variant=0):
    player = event.player(query=f"?cache={node}", variant=variant).open()
    player.refresh()
    return player


def announced(event, result):
    return event.balancer.metrics().sum("tribune_balancer_announcements_total", result=result)


def given_up(event):
    """The balancer waits for a stopped node until the publish delay ends, or not at all when the node's request had just ended."""
    return announced(event, "late") + announced(event, "unheard") == 1


@pytest.mark.parametrize("links", ("direct", "redirect"))
def test_a_new_segment_is_filled_before_it_is_listed(event, links):
    start_event(event, links=links)
    player = viewer(event)
    for _ in range(3):
        msn = event.live.next_msn
        path = event.live.path_of("v1", msn)
        event.live.advance()
        player.wait_for_msn(msn)
        wait_until(lambda p=path: event.origin.count(p) == 1, 5, "the node fetches from the origin without a request of a viewer")
        player.play(msn, event.live.bytes_of("v1", msn))
        assert event.origin.count(path) == 1
        assert event.origin.count(event.live.path_of("v2", msn)) == 0, "the other rendition has no viewer"
    assert status(event)["misses"] == 0
    wait_until(lambda: event.nodes["stadium"].metric(ANNOUNCEMENTS) == 3, 5)
    assert announced(event, "taken") == 3 and announced(event, "late") == 0


def test_only_the_nodes_of_the_viewers_receive_announcements(event):
    start_event(event, nodes=("stadium", "city"))
    one, two = viewer(event, "stadium"), viewer(event, "city", variant=1)
    msn = event.live.next_msn
    event.live.advance()
    one.wait_for_msn(msn)
    two.wait_for_msn(msn)
    for variant in ("v1", "v2"):
        wait_until(lambda v=variant: event.origin.count(event.live.path_of(v, msn)) == 1, 5, f"the node of {variant} fills")
    for name in ("stadium", "city"):
        wait_until(lambda: event.nodes[name].metric(ANNOUNCEMENTS) == 1, 5)


def test_200_viewers_of_the_live_edge_never_cause_a_cache_miss(event):
    start_event(event)
    players = [viewer(event) for _ in range(4)]
    for _ in range(5):
        msn = event.live.next_msn
        event.live.advance()
        body = event.live.bytes_of("v1", msn)
        links = [player.wait_for_msn(msn).uri for player in players]
        results = fetch_all([links[i % len(links)] for i in range(200)])
        assert [v.error for v in results if v.error] == []
        assert all(v.status == 200 and v.body == body for v in results)
        assert event.origin.count(event.live.path_of("v1", msn)) == 1
    now = status(event)
    assert now["misses"] == 0 and now["hits"] + now["waited"] == 1000


def test_a_stopped_node_holds_a_segment_back_for_the_publish_delay_only(event):
    start_event(event, balancer={"balancer": {"publish_delay": "300ms", "node_timeout": "60s", "routing": {"probe_period": "60s"}}})
    player = viewer(event)
    msn = event.live.next_msn
    event.nodes["stadium"].signal(signal.SIGSTOP)
    try:
        event.live.advance()
        player.wait_for_msn(msn, within=5)
        assert given_up(event)
    finally:
        event.nodes["stadium"].signal(signal.SIGCONT)
    player.play(msn, event.live.bytes_of("v1", msn), tries=3)


def test_a_slow_node_holds_a_segment_back_from_its_own_viewers_only(event):
    start_event(event, nodes=("stadium", "city"), balancer={"balancer": {"publish_delay": "5s", "node_timeout": "60s", "routing": {"probe_period": "60s"}}})
    quick, slow = viewer(event, "stadium"), viewer(event, "city")
    msn = event.live.next_msn
    path = event.live.path_of("v1", msn)
    event.nodes["city"].signal(signal.SIGSTOP)
    try:
        event.live.advance()
        quick.wait_for_msn(msn)
        quick.play(msn, event.live.bytes_of("v1", msn))
        # A viewer that moves over from the quick node sees no decreasing numbers.
        quick.media_url += "?cache=city"
        quick.refresh()
        slow.refresh()
        assert slow.playlist.last_msn < msn or given_up(event)
    finally:
        event.nodes["city"].signal(signal.SIGCONT)
    slow.wait_for_msn(msn)
    slow.play(msn, event.live.bytes_of("v1", msn))
    assert event.origin.count(path) == 2, "each node fills it once"


def test_keys_initialization_sections_and_parts_are_filled_with_a_new_segment(event):
    begun = ['#EXTM3U', '#EXT-X-VERSION:6', '#EXT-X-TARGETDURATION:2', '#EXT-X-SERVER-CONTROL:PART-HOLD-BACK=1.5', '#EXT-X-PART-INF:PART-TARGET=0.5',
             '#EXT-X-MEDIA-SEQUENCE:0', '#EXT-X-MAP:URI="init1.mp4"', '#EXTINF:2,', 'seg0.m4s', '#EXTINF:2,', 'seg1.m4s']
    new = ['#EXT-X-DISCONTINUITY', '#EXT-X-KEY:METHOD=AES-128,URI="key2.key"', '#EXT-X-MAP:URI="init2.mp4"', '#EXTINF:2,', 'seg2.m4s',
           '#EXT-X-PART:DURATION=0.5,URI="seg3.0.m4s"']
    hint = '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="seg3.1.m4s"'
    folder = "/live/demo/v1/"
    listed = [begun]
    event.origin.on(folder + "index.m3u8", ok(lambda: ("\n".join(listed[-1]) + "\n").encode(), "application/vnd.apple.mpegurl"))
    names = ["seg2.m4s", "key2.key", "init2.mp4", "seg3.0.m4s"]
    for name in ["seg0.m4s", "seg1.m4s", "init1.mp4", *names]:
        event.origin.on(folder + name, ok(name.encode() * 10, "video/mp4"))
    gate = event.origin.gate()
    event.origin.on(folder + "seg3.1.m4s", held(gate, ok(b"the part", "video/mp4")))
    start_event(event)
    player = viewer(event)
    listed.append(begun + new + [hint])
    wait_until(lambda: player.refresh().last_msn == 2, 5, "the segment is listed")
    for name in [*names, "seg3.1.m4s"]:
        event.origin.wait_for(folder + name)
    gate.open()
    player.play(2, b"seg2.m4s" * 10)
    for name in ("seg0.m4s", "seg1.m4s", "init1.mp4"):
        assert event.origin.count(folder + name) == 0, "segments listed before are not fetched"
    for name in names:
        assert event.origin.count(folder + name) == 1
    assert status(event)["misses"] == 0


def test_a_dead_node_holds_no_segment_back(event):
    start_event(event, nodes=("stadium", "city"), balancer={"balancer": {"publish_delay": "5s"}})
    player = viewer(event)
    event.nodes["stadium"].kill()
    wait_until(lambda: not event.is_up("stadium"), 5, "the balancer lost the node")
    msn = event.live.next_msn
    event.live.advance()
    player.wait_for_msn(msn, within=4)
    assert announced(event, "late") == 0


def test_announcements_continue_after_node_and_balancer_were_restarted(event):
    start_event(event)
    event.nodes["stadium"].kill()
    event.balancer.kill()
    event.start_node()
    event.start_balancer(changes=PATIENT)
    event.wait_registered("stadium")
    wait_until(lambda: event.balancer.metrics().sum("tribune_balancer_news_questions_total", result="accepted") >= 1, 5, "the node asks again")
    player = viewer(event)
    msn = event.live.next_msn
    event.live.advance()
    player.wait_for_msn(msn)
    wait_until(lambda: event.origin.count(event.live.path_of("v1", msn)) == 1, 5)


def test_unsigned_requests_for_announcements_are_rejected(event):
    start_event(event)
    url = event.balancer.url + "/internal/v1/nodes/stadium/news"
    for body in (b"", b'{"node":"stadium","run":"r","sequence":1,"acknowledged":0}'):
        assert fetch(url, method="POST", body=body).status == 403
