"""Nodes of one group share their fills: the origin receives one request for each object, also when nodes die or hang."""
import json
import signal
import threading

import pytest
from harness.concurrent_clients import fetch_all
from harness.event import merged
from harness.fake_dns import FakeDns
from harness.origin import head, held, in_turn, ok, raw, status
from harness.raw_client import fetch
from harness.waiting import stretched, wait_until

NODES = ("n1", "n2", "n3", "n4")
GROUP = {"cache_node": {"group": "arena", "peers": {"answer_timeout": "2s"}}}
KIND = {"Content-Type": "video/mp2t"}


def start_event(event, nodes=NODES, node=None, balancer=None):
    event.live.size = 300_000
    event.start(nodes=nodes, node=merged(GROUP, node), balancer=balancer)
    event.wait_peers(nodes)
    return event


def new_segment(event, fields=None):
    """A new segment: its path at the origin, which sends it with these fields, its bytes, and the target of a link to it."""
    msn = event.live.next_msn
    event.live.advance()
    path, body = event.live.path_of("v1", msn), event.live.bytes_of("v1", msn)
    if fields:   # before the balancer lists it: nodes fetch announced segments
        event.origin.on(path, ok(body, "video/mp2t", fields=fields))
    uri = event.player().open().wait_for_msn(msn).uri
    return path, body, "/" + uri.split("/", 3)[3]


def asked(event, name, place="origin"):
    return event.nodes[name].metrics().sum("tribune_cache_fill_requests_total", place=place)


def get(event, name, target, **options):
    return fetch(event.nodes[name].url + target, **options)


def many_clients(event, target, count, nodes=NODES):
    results = []
    urls = [event.nodes[nodes[i % len(nodes)]].url + target for i in range(count)]
    thread = threading.Thread(target=lambda: results.extend(fetch_all(urls, within=40)))
    thread.start()
    return thread, results


def owner_of(event, before):
    return next(n for n in event.nodes if asked(event, n) > before[n])


def test_a_segment_reaches_the_origin_once_for_the_whole_group(event):
    start_event(event)
    for _ in range(3):
        path, body, target = new_segment(event)
        for name in NODES:
            answer = get(event, name, target)
            assert answer.status == 200 and answer.body == body
        assert event.origin.count(path) == 1


def test_1000_clients_on_four_nodes_cause_one_request_to_the_origin(event):
    start_event(event)
    path, body, target = new_segment(event)
    gate = event.origin.gate()
    event.origin.on(path, held(gate, raw(head(200, KIND, len(body)) + body, "keep")))
    thread, results = many_clients(event, target, 1000)
    wait_until(lambda: sum(event.nodes[n].metric("tribune_cache_waiters") for n in NODES) >= 1000, 20, "all wait")
    gate.open()
    thread.join()
    assert [v.error for v in results if v.error] == []
    assert len(results) == 1000 and all(v.status == 200 and v.body == body for v in results)
    assert event.origin.count(path) == 1


def test_when_the_owner_dies_during_a_fill_the_next_candidate_continues_with_one_more_request_to_the_origin(event):
    start_event(event)
    path, body, target = new_segment(event)
    before = {n: asked(event, n) for n in NODES}
    gate = event.origin.gate()
    half = len(body) // 2

    def broken_in_the_middle(request, wire_):
        if request.header("Range"):
            return ok(body, "video/mp2t", etag='"e"')(request, wire_)
        wire_.send(head(200, {**KIND, "ETag": '"e"'}, len(body)) + body[:half])
        gate.wait()

    event.origin.on(path, broken_in_the_middle)
    thread, results = many_clients(event, target, 1000)
    wait_until(lambda: sum(event.nodes[n].metric("tribune_cache_waiters") for n in NODES) >= 1000, 20, "all read along")
    owner = owner_of(event, before)
    others = [n for n in NODES if n != owner]
    wait_until(lambda: all(event.nodes[n].metrics().sum("tribune_cache_peer_bytes_total") >= half for n in others), 10, "all have half")
    event.nodes[owner].kill()
    thread.join()
    gate.open()
    survivors = [v for v in results if NODES[v.index % 4] != owner]
    assert len(survivors) == 750
    assert [v.error for v in survivors if v.error] == []
    assert all(v.status == 200 and v.body == body for v in survivors)
    assert event.origin.count(path) <= 2
    assert event.origin.seen(path)[-1].header("Range") == f"bytes={half}-"


def test_when_the_owner_dies_before_the_first_byte_the_origin_receives_one_more_request(event):
    start_event(event)
    path, body, target = new_segment(event)
    before = {n: asked(event, n) for n in NODES}
    gate = event.origin.gate()
    event.origin.on(path, held(gate, ok(body, "video/mp2t")))
    thread, results = many_clients(event, target, 400)
    wait_until(lambda: sum(event.nodes[n].metric("tribune_cache_waiters") for n in NODES) >= 400, 20, "all wait")
    owner = owner_of(event, before)
    event.nodes[owner].kill()
    event.origin.wait_for(path, 2)
    gate.open()
    thread.join()
    survivors = [v for v in results if NODES[v.index % 4] != owner]
    assert [v.error for v in survivors if v.error] == []
    assert all(v.status == 200 and v.body == body for v in survivors) and len(survivors) == 300
    assert event.origin.count(path) == 2


def test_a_hanging_owner_is_skipped(event):
    start_event(event, node={"cache_node": {"peers": {"answer_timeout": "700ms"}}})
    path, body, target = new_segment(event)
    before = {n: asked(event, n) for n in NODES}
    assert get(event, "n1", target).body == body
    owner = owner_of(event, before)
    other = next(n for n in NODES if n != owner)
    for _ in range(6):
        path, body, target = new_segment(event)
        event.nodes[owner].signal(signal.SIGSTOP)
        try:
            answer = get(event, other, target)
            assert answer.status == 200 and answer.body == body
        finally:
            event.nodes[owner].signal(signal.SIGCONT)
        assert event.origin.count(path) <= 2


def test_a_slow_origin_is_not_mistaken_for_a_slow_owner(event):
    start_event(event, node={"cache_node": {"peers": {"answer_timeout": "600ms"}, "origin": {"first_byte_timeout": "20s"}}})
    path, body, target = new_segment(event)
    gate = event.origin.gate()
    event.origin.on(path, held(gate, ok(body, "video/mp2t")))
    thread, results = many_clients(event, target, 8)
    waits = lambda: sum(event.nodes[n].metric("tribune_cache_peer_waits_total") for n in NODES)
    wait_until(lambda: waits() >= 9, 10, "each of three nodes is informed three times that the owner waits")
    gate.open()
    thread.join()
    assert all(v.status == 200 and v.body == body for v in results)
    assert event.origin.count(path) == 1


def test_an_error_of_the_origin_is_fetched_once_for_the_group(event):
    start_event(event, node={"cache_node": {"origin": {"hold": "0ms", "keep_errors": "1s"}}})
    path, _, target = new_segment(event)
    event.origin.on(path, status(404))
    answers = [get(event, n, target) for n in NODES]
    assert [a.status for a in answers] == [404] * 4
    assert event.origin.count(path) <= 2, "one node asked; a second time at most if a second went by"


def test_a_peer_request_without_a_valid_signature_is_rejected(event):
    start_event(event, nodes=("n1",))
    path, _, target = new_segment(event)
    for mark in ("peer n2 0", "child n2 1", "", "peer n2 99"):
        answer = get(event, "n1", target, headers={"X-Tribune-Peer": mark, "X-Tribune-Signature": "k1.1750000000000.AAAA"})
        assert answer.status == 403
    assert event.origin.count(path) == 0


def test_nodes_with_a_parent_fetch_from_it_and_only_the_parent_fetches_from_the_origin(event):
    event.live.size = 300_000
    event.start_node("parent")
    parent = {"cache_node": {"parents": [event.url("parent")]}}
    for name in ("n1", "n2"):
        event.start_node(name, parent)
    event.start_balancer(("n1", "n2", "parent"))
    for name in ("n1", "n2", "parent"):
        event.wait_registered(name)
    path, body, target = new_segment(event)
    for name in ("n1", "n2"):
        answer = get(event, name, target)
        assert answer.body == body, answer
    assert event.origin.count(path) == 1
    assert asked(event, "parent") == 1 and asked(event, "n1") == asked(event, "n2") == 0
    event.nodes["parent"].kill()
    path, body, target = new_segment(event)
    assert get(event, "n1", target).body == body
    assert event.origin.count(path) == 1


@pytest.mark.parametrize("fault", ["refused", "broken", "missing", "cut"])
def test_a_backup_origin_serves_when_the_first_origin_fails(event, origins, fault):
    backup = origins()
    event.channels = [event.channel_config("demo", event.live.source, backup_origins=[backup.url])]
    event.live.size = 300_000
    event.start(node={"cache_node": {"origin": {"hold": "0ms"}}})
    path, body, target = new_segment(event)
    backup.on(path, ok(body, "video/mp2t", etag='"other"'))
    event.origin.on(path, {"refused": ok(body), "broken": status(500), "missing": status(404),
                           "cut": raw(head(200, {**KIND, "ETag": '"one"'}, len(body)) + body[:1000])}[fault])
    if fault == "refused":
        event.origin.refuse()
    answer = get(event, "stadium", target)
    assert answer.status == 200 and answer.body == body
    assert backup.count(path) == 1


def test_bytes_of_two_origins_that_differ_never_make_a_mixed_body(event, origins):
    backup = origins()
    event.channels = [event.channel_config("demo", event.live.source, backup_origins=[backup.url])]
    event.live.size = 300_000
    event.start()
    path, body, target = new_segment(event)
    other = bytes(reversed(body))
    backup.on(path, ok(other, "video/mp2t", etag='"other"'))
    event.origin.on(path, in_turn(raw(head(200, {**KIND, "ETag": '"one"'}, len(body)) + body[:1000]), ok(body, "video/mp2t", etag='"one"')))
    assert not get(event, "stadium", target).complete, "incomplete: the status was already sent"
    second = get(event, "stadium", target)
    assert second.status == 200 and second.body == body


def test_repeated_failures_of_the_origin_open_the_circuit_and_one_request_probes_it(event):
    event.start(node={"cache_node": {"origin": {"hold": "0ms", "keep_errors": "0ms", "circuit_failures": 3, "circuit_rest": "3s"}}})
    # All at once, by the first player: without viewers no segment is announced to the node.
    first = event.live.next_msn
    event.live.advance(5)
    numbers = range(first, first + 5)
    for msn in numbers:
        event.origin.on(event.live.path_of("v1", msn), status(500))
    player = event.player().open()
    player.wait_for_msn(numbers[-1])
    msns = [(event.live.path_of("v1", n), event.live.bytes_of("v1", n), "/" + player.playlist.segment(n).uri.split("/", 3)[3]) for n in numbers]
    assert [get(event, "stadium", t).status for _, _, t in msns] == [502, 502, 502, 503, 503]
    assert [event.origin.count(p) for p, _, _ in msns] == [1, 1, 1, 0, 0], "open: not asked"
    wait_until(lambda: event.nodes["stadium"].metric("tribune_cache_circuits_open") == 1, 5)
    path, body, target = msns[4]
    event.origin.on(path, ok(body))
    wait_until(lambda: get(event, "stadium", target).status == 200, 8, "half-open: one fill asks, and closes it")
    wait_until(lambda: event.nodes["stadium"].metric("tribune_cache_circuits_open") == 0, 5)
    assert event.origin.count(path) == 1


@pytest.mark.parametrize("fault", ["refused", "hang"])
def test_a_group_member_that_does_not_reach_the_origin_affects_no_viewer(event, folder, resolver_library, fault):
    """Two nodes reach the origin, one does not: every viewer of every node receives every segment."""
    nodes = ("n1", "n2", "n3")
    event.live.size = 100_000
    event.channels = [event.channel_config("demo", event.live.source.replace("127.0.0.1", "origin.test"))]
    all_well, cut_off = (folder / "well", folder / "cut_off")
    for place in (all_well, cut_off):
        place.mkdir()
    well, cut = FakeDns(all_well, resolver_library), FakeDns(cut_off, resolver_library)
    well.set_addresses(origin="127.0.0.1")
    cut.set_addresses(origin="127.0.0.2" if fault == "refused" else "hang")   # nothing listens there
    origin = {"cache_node": {"origin": {"connect_timeout": "500ms", "first_byte_timeout": "1s", "allow_special_addresses": True}}}
    for name in nodes:
        event.start_node(name, merged(GROUP, origin), environment=(cut if name == "n2" else well).environment)
    event.start_balancer(nodes, {"balancer": {"origin": {"allow_special_addresses": True}}}, environment=well.environment)
    for name in nodes:
        event.wait_registered(name)
    event.wait_peers(nodes)
    lost = "tribune_cache_lost_origins_total"
    for asked_for in range(40):
        if asked_for >= 8 and event.nodes["n2"].metric(lost) > 0:
            break   # n2 was the first in the order of an object, which depends on the random epoch
        path, body, target = new_segment(event)
        thread, results = many_clients(event, target, 48, nodes)
        thread.join()
        assert [(v.index % 3, v.status, v.error) for v in results if v.status != 200 or v.error or v.body != body] == []
        assert max(v.ended_at for v in results) < stretched(4), "within the time that a player waits"
        assert event.origin.count(path) <= 2
    assert event.nodes["n2"].metric(lost) > 0


@pytest.mark.parametrize("by", ["url", "channel", "tag"])
def test_a_purge_takes_effect_on_a_node_whose_group_members_have_not_received_it(event, by):
    """The purge reaches n1 only, and n1 is killed afterwards: n1 serves the new bytes of the origin, whatever the others hold."""
    nodes = ("n1", "n2", "n3")
    start_event(event, nodes)
    held = []
    for _ in range(6):
        path, body, target = new_segment(event, {"Surrogate-Key": "match"})
        assert all(get(event, name, target).body == body for name in nodes)
        held.append((path, target))
    value = {"url": lambda target: target, "channel": lambda target: "demo", "tag": lambda target: "match"}[by]
    for path, target in held:
        event.origin.on(path, ok(b"new" + path.encode(), "video/mp2t", fields={"Surrogate-Key": "match"}))
    for order in {value(target) for _, target in held}:
        answer = fetch(event.balancer.admin_url + "/nodes/purge?nodes=n1", method="POST", body=json.dumps({by: order}).encode())
        assert answer.status == 200 and answer.json["done"], answer
    event.nodes["n1"].kill()
    event.start_node("n1", GROUP)
    event.wait_registered("n1")
    event.wait_peers(nodes)
    for path, target in held:
        assert get(event, "n1", target).body == b"new" + path.encode()


@pytest.mark.parametrize("group", [GROUP, {}], ids=["group", "no_group"])
def test_a_node_that_the_origin_refuses_is_taken_out_and_its_group_delivers(event, folder, origins, resolver_library, group):
    """The address of n2 is not on the origin's list: it gets 403 for each segment."""
    nodes = ("n1", "n2", "n3")
    event.channels = [event.channel_config("demo", event.live.source.replace("127.0.0.1", "origin.test"))]
    # An address of its own: connections to an address begin at it, and may have taken the port.
    address = f"127.77.{event.origin.port >> 8}.{event.origin.port & 255}"
    refusing = origins(address)
    refusing.refuse()
    refusing.port = event.origin.port
    refusing.fallback = status(403)
    refusing.resume()
    views = {}
    for name in (*nodes, "balancer"):
        place = folder / f"names_{name}"
        place.mkdir()
        views[name] = FakeDns(place, resolver_library)
        views[name].set_addresses(origin=address if name == "n2" else "127.0.0.1")
    origin = {"cache_node": {"origin": {"allow_special_addresses": True, "hold": "200ms"}}}
    event.start_balancer(nodes, {"balancer": {"origin": {"allow_special_addresses": True}}}, environment=views["balancer"].environment)
    for name in nodes:
        event.start_node(name, merged(group, origin), environment=views[name].environment)
    for name in nodes:
        event.wait_registered(name)
    if group:
        event.wait_peers(nodes)
    statuses = set()

    def ask_all():
        path, body, target = new_segment(event)
        for name in nodes:
            answer = get(event, name, target)
            statuses.add((name, answer.status))
            assert answer.status != 200 or answer.body == body
        return event.node_state("n2")["state"] == "unhealthy"

    wait_until(ask_all, 20, "n2 is taken out")
    assert statuses == {(name, 200) for name in nodes} if group else {("n1", 200), ("n3", 200), ("n2", 502)}
    assert "and delivers it to other nodes" in event.node_state("n2")["reason"]
    assert [event.node_state(name)["state"] for name in ("n1", "n3")] == ["up", "up"]
    wait_until(lambda: not event.nodes["n2"].is_ready(), 5, "the node learns of it")


def test_an_object_that_the_origin_refuses_to_all_is_requested_once_by_each_node_and_second(event):
    start_event(event, node={"cache_node": {"origin": {"hold": "0ms", "keep_errors": "1s"}}})
    path, _, target = new_segment(event)
    event.origin.on(path, status(403))
    for _ in range(5):
        assert {get(event, name, target).status for name in NODES} == {502}
    assert event.origin.count(path) <= 2 * len(NODES), "each node once; a second time at most if a second went by"
