"""News of segments: the nodes of a rendition's viewers fill what is new before it is listed (issue 3, publish gate)."""
import signal

import pytest
from harness.crowd import visit_all
from harness.waiting import wait_until
from harness.wire import fetch

TOLD = "tribune_cache_news_total"
PATIENT = {"balancer": {"publish_delay": "5s"}}


def stand(event, nodes=("stadium",), links="direct", balancer=None):
    event.channels = [event.entry("demo", event.live.source, links=links)]
    event.stand(nodes=nodes, balancer=balancer or PATIENT)
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


@pytest.mark.parametrize("links", ("direct", "redirect"))
def test_a_new_segment_is_filled_before_it_is_listed(event, links):
    stand(event, links=links)
    player = viewer(event)
    for _ in range(3):
        msn = event.live.next_msn
        path = event.live.path_of("v1", msn)
        event.live.advance()
        player.wait_for_msn(msn)
        wait_until(lambda p=path: event.origin.count(p) == 1, 5, "nobody asked the node, and it asked the origin")
        player.play(msn, event.live.bytes_of("v1", msn))
        assert event.origin.count(path) == 1
        assert event.origin.count(event.live.path_of("v2", msn)) == 0, "nobody watches the other rendition"
    assert status(event)["misses"] == 0
    wait_until(lambda: event.nodes["stadium"].metric(TOLD) == 3, 5)
    assert announced(event, "taken") == 3 and announced(event, "late") == 0


def test_only_the_nodes_of_the_viewers_are_told(event):
    stand(event, nodes=("stadium", "city"))
    one, two = viewer(event, "stadium"), viewer(event, "city", variant=1)
    msn = event.live.next_msn
    event.live.advance()
    one.wait_for_msn(msn)
    two.wait_for_msn(msn)
    for variant in ("v1", "v2"):
        wait_until(lambda v=variant: event.origin.count(event.live.path_of(v, msn)) == 1, 5, f"the node of {variant} fills")
    for name in ("stadium", "city"):
        wait_until(lambda: event.nodes[name].metric(TOLD) == 1, 5)


def test_200_viewers_of_a_live_edge_never_miss(event):
    stand(event)
    players = [viewer(event) for _ in range(4)]
    for _ in range(5):
        msn = event.live.next_msn
        event.live.advance()
        body = event.live.bytes_of("v1", msn)
        links = [player.wait_for_msn(msn).uri for player in players]
        visits = visit_all([links[i % len(links)] for i in range(200)])
        assert [v.error for v in visits if v.error] == []
        assert all(v.status == 200 and v.body == body for v in visits)
        assert event.origin.count(event.live.path_of("v1", msn)) == 1
    now = status(event)
    assert now["misses"] == 0 and now["hits"] + now["waited"] == 1000


def test_a_node_that_stands_still_holds_a_segment_back_for_the_delay_only(event):
    stand(event, balancer={"balancer": {"publish_delay": "300ms", "node_timeout": "60s", "routing": {"probe_period": "60s"}}})
    player = viewer(event)
    msn = event.live.next_msn
    event.nodes["stadium"].signal(signal.SIGSTOP)
    try:
        event.live.advance()
        player.wait_for_msn(msn, within=5)
        assert announced(event, "late") == 1
    finally:
        event.nodes["stadium"].signal(signal.SIGCONT)
    player.play(msn, event.live.bytes_of("v1", msn), tries=3)


def test_a_node_that_died_holds_nothing_back(event):
    stand(event, nodes=("stadium", "city"), balancer={"balancer": {"publish_delay": "5s"}})
    player = viewer(event)
    event.nodes["stadium"].kill()
    wait_until(lambda: not event.is_listed("stadium"), 5, "the balancer lost the node")
    msn = event.live.next_msn
    event.live.advance()
    player.wait_for_msn(msn, within=4)
    assert announced(event, "late") == 0


def test_a_node_and_a_balancer_that_return_talk_again(event):
    stand(event)
    event.nodes["stadium"].kill()
    event.balancer.kill()
    event.start_node()
    event.start_balancer(changes=PATIENT)
    event.wait_heard("stadium")
    wait_until(lambda: event.balancer.metrics().sum("tribune_balancer_news_questions_total", result="accepted") >= 1, 5, "the node asks again")
    player = viewer(event)
    msn = event.live.next_msn
    event.live.advance()
    player.wait_for_msn(msn)
    wait_until(lambda: event.origin.count(event.live.path_of("v1", msn)) == 1, 5)


def test_questions_that_are_not_signed_are_refused(event):
    stand(event)
    url = event.balancer.url + "/internal/v1/nodes/stadium/news"
    for body in (b"", b'{"node":"stadium","run":"r","sequence":1,"acknowledged":0}'):
        assert fetch(url, method="POST", body=body).status == 403
