"""Fills from a faulty origin: viewers never receive a damaged body, and the origin never receives a second request for the same object."""
import re
import socket
import threading
import time

import pytest
from harness import telemetry_names
from harness.concurrent_clients import fetch_all
from harness.live_channel import segment_bytes
from harness.origin import cut, head, held, in_turn, ok, raw, status
from harness.raw_client import Connection, ConnectionCut, fetch
from harness.waiting import IS_RELEASE, Stopwatch, stretched, wait_until

BODY = segment_bytes("faulty", 300_000)
SEGMENT = "/live/demo/v1/seg3.ts"
KIND = {"Content-Type": "video/mp2t"}

# Short deadlines, so that a fault is over soon.
ORIGIN_DEADLINES = {"cache_node": {"origin": {"connect_timeout": "500ms", "first_byte_timeout": "1s", "low_speed_window": "1s"}}}


@pytest.fixture
def faulty(event):
    """An event with one node: (URL of the segment, node)."""
    event.origin.on(SEGMENT, ok(BODY, "video/mp2t"))
    event.start(node=ORIGIN_DEADLINES)
    _, url, _ = event.link(3)
    return url, event.nodes["stadium"]


def whole(url, within=10.0):
    answer = fetch(url, timeout=within)
    assert answer.status == 200 and answer.complete and answer.body == BODY, answer
    return answer


def assert_not_complete(answer):
    """A viewer of a broken fill receives an error, or a visibly incomplete body that is right as far as it goes."""
    if answer.status == 200:
        assert not answer.complete, f"a damaged body looks complete: {answer}"
        assert BODY.startswith(answer.body)
    else:
        assert answer.status in (502, 503, 504), answer
        assert answer.header("Content-Type").startswith("application/problem+json")


def assert_recovers(event, url, node, asked_before):
    """The origin has recovered: the next request fills, and the one after it is a hit."""
    event.origin.on(SEGMENT, ok(BODY, "video/mp2t"))
    # An error may be kept for up to a second.
    wait_until(lambda: fetch(url).body == BODY, 4, "the next request fills again")
    assert event.origin.count(SEGMENT) > asked_before
    count = event.origin.count(SEGMENT)
    whole(url)
    assert event.origin.count(SEGMENT) == count
    node.wait_metric(telemetry_names.FILL_FAILURES)


BROKEN_BODIES = {
    "cut": cut(BODY, 100_000),
    "reset": cut(BODY, 100_000, "reset"),
    "cut at the last byte": cut(BODY, len(BODY) - 1),
    "cut before the first": cut(BODY, 0),
    "chunked without end": raw(head(200, {**KIND, "Transfer-Encoding": "chunked"}) + b"10000\r\n" + BODY[:65536] + b"\r\n"),
    "chunk cut": raw(head(200, {**KIND, "Transfer-Encoding": "chunked"}) + b"20000\r\n" + BODY[:65536]),
    "bad chunk size": raw(head(200, {**KIND, "Transfer-Encoding": "chunked"}) + b"10000\r\n" + BODY[:65536] + b"\r\nzz\r\n", "keep"),
}


@pytest.mark.parametrize("fault", BROKEN_BODIES)
def test_a_broken_body_is_visibly_incomplete_is_not_stored_and_is_filled_again(event, faulty, fault):
    url, node = faulty
    gate = event.origin.gate()
    event.origin.on(SEGMENT, held(gate, BROKEN_BODIES[fault]))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(fetch(url, timeout=20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: node.metric(telemetry_names.WAITERS) >= 8 or gate.waiting, 5)
    gate.open()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    for answer in answers:
        assert_not_complete(answer)
    assert_not_complete(fetch(url))
    node.wait_log(telemetry_names.FILL_FAILED)
    assert_recovers(event, url, node, event.origin.count(SEGMENT))


def test_an_interrupted_fill_may_be_resumed_and_is_then_complete(event, faulty):
    url, node = faulty
    event.origin.on(SEGMENT, in_turn(cut(BODY, 100_000), ok(BODY, "video/mp2t")))
    answer = fetch(url)
    if answer.complete:
        assert answer.body == BODY
        second = event.origin.seen(SEGMENT)[1]
        assert second.header("Range") is None or second.header("If-Range") is not None
    else:
        assert_not_complete(answer)
    whole(url)


def test_bytes_that_change_during_a_fill_never_make_a_mixed_body(event, faulty):
    url, node = faulty
    other = segment_bytes("other", len(BODY))
    first = raw(head(200, {**KIND, "ETag": '"one"'}, len(BODY)) + BODY[:150_000])
    event.origin.on(SEGMENT, in_turn(first, ok(other, "video/mp2t", etag='"two"')))
    answers = [fetch(url), fetch(url), fetch(url)]
    for answer in answers:
        if answer.complete:
            assert answer.body in (BODY, other), "a mixed body"
        else:
            assert BODY.startswith(answer.body) or other.startswith(answer.body)
    wait_until(lambda: fetch(url).body == other, 4)


TWO_LENGTHS = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello, and more"
CONTRADICTIONS = {
    "two lengths": raw(TWO_LENGTHS, "keep"),
    "twenty digits": raw(head(200, {**KIND, "Content-Length": "1" * 20}) + b"hello"),
    "negative length": raw(head(200, {**KIND, "Content-Length": "-5"}) + b"hello"),
    "length with a sign": raw(head(200, {**KIND, "Content-Length": "+5"}) + b"hello", "keep"),
    "a list of lengths": raw(head(200, {**KIND, "Content-Length": "5, 7"}) + b"hello, a", "keep"),
    "length that is no number": raw(head(200, {**KIND, "Content-Length": "five"}) + b"hello"),
    "length and chunked": raw(head(200, {**KIND, "Content-Length": "3", "Transfer-Encoding": "chunked"}) + b"5\r\nhello\r\n0\r\n\r\n", "keep"),
    "an unknown coding": raw(head(200, {**KIND, "Transfer-Encoding": "xchunked"}) + b"5\r\nhello\r\n0\r\n\r\n", "keep"),
    "more than announced": raw(head(200, {**KIND, "Content-Length": "5"}) + b"hello, and more", "keep"),
}


@pytest.mark.parametrize("fault", CONTRADICTIONS)
def test_contradictory_framing_is_a_502_is_not_stored_and_its_connection_is_closed(event, faulty, fault):
    url, node = faulty
    event.origin.on(SEGMENT, CONTRADICTIONS[fault])
    answer = fetch(url)
    if fault == "more than announced" and answer.status == 200:
        assert not answer.complete, f"a body beyond its announced length was passed on as whole: {answer}"
    else:
        assert answer.status == 502, answer
    used = {r.connection for r in event.origin.seen(SEGMENT)}
    asked = event.origin.count(SEGMENT)
    assert_recovers(event, url, node, asked)
    assert not used & {r.connection for r in event.origin.seen(SEGMENT)[asked:]}, "the broken connection was used again"


HOSTILE_HEADS = {
    "cut before the empty line": raw(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nContent-Le"),
    "cut after the first line": raw(b"HTTP/1.1 200 OK\r\n"),
    "nothing at all": raw(b""),
    "a field of 64 KiB": raw(head(200, {**KIND, "X": "y" * 65536}, 5) + b"hello", "keep"),
    "300 fields": raw(head(200, {**KIND, **{f"X-{i}": "y" for i in range(300)}}, 5) + b"hello", "keep"),
    "NUL in a field": raw(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nhello", "keep"),
    "HTTP/0.9": raw(b"hello, this is the body"),
    "status 20": raw(b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello", "keep"),
    "status 999": raw(b"HTTP/1.1 999 What\r\nContent-Length: 5\r\n\r\nhello", "keep"),
    "status 1000": raw(b"HTTP/1.1 1000 What\r\nContent-Length: 5\r\n\r\nhello", "keep"),
    "a flood of 1xx": raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + head(200, KIND, 5) + b"hello", "keep"),
}


@pytest.mark.release_too("measures memory")
@pytest.mark.parametrize("fault", HOSTILE_HEADS)
def test_a_hostile_or_incomplete_head_is_a_502_in_bounded_memory(event, faulty, fault):
    url, node = faulty
    before = node.memory_bytes()
    event.origin.on(SEGMENT, HOSTILE_HEADS[fault])
    answer = fetch(url)
    assert answer.status == 502, answer
    assert answer.header("Content-Type").startswith("application/problem+json")
    if IS_RELEASE:
        assert node.memory_bytes() - before < 4 << 20
    assert_recovers(event, url, node, event.origin.count(SEGMENT))


@pytest.mark.release_too("measures memory")
def test_an_endless_response_head_is_aborted_in_bounded_memory(event, faulty):
    url, node = faulty

    def endless(request, wire):
        wire.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            wire.send(b"X: " + b"y" * 8000 + b"\r\n")

    before = node.memory_bytes()
    event.origin.on(SEGMENT, endless)
    assert fetch(url).status == 502
    if IS_RELEASE:
        assert node.memory_bytes() - before < 4 << 20
    assert_recovers(event, url, node, event.origin.count(SEGMENT))


@pytest.mark.parametrize("fault", ["silent", "stalled", "trickling"])
def test_a_slow_origin_hits_the_deadlines_and_never_blocks_the_event_loops(event, faulty, fault):
    url, node = faulty
    gate = event.origin.gate()
    whole_head = head(200, KIND, len(BODY))

    def trickle(request, wire):
        wire.send(whole_head)
        for i in range(10_000):
            wire.send(BODY[i:i + 1])
            gate.event.wait(0.1)

    scripts = {"silent": held(gate, raw(b"")), "stalled": held(gate, raw(b""), whole_head + BODY[:50_000]), "trickling": trickle}
    event.origin.on(SEGMENT, scripts[fault])
    took = Stopwatch()
    outcome = []
    waiter = threading.Thread(target=lambda: outcome.append(fetch(url, timeout=30)))
    waiter.start()
    event.origin.wait_for(SEGMENT)
    other = event.link(2)
    others = 0
    while waiter.is_alive():
        assert fetch(other[1]).body == other[2]
        others += 1
        waiter.join(0.05)
    assert others >= 3, "another viewer waited for the origin"
    assert_not_complete(outcome[0])
    if fault == "silent":
        assert outcome[0].status == 504, outcome[0]
    assert took.seconds() < stretched(6)
    gate.open()
    assert_recovers(event, url, node, event.origin.count(SEGMENT))


def test_an_origin_that_does_not_accept_hits_the_connect_deadline(event, faulty):
    url, node = faulty
    # A listener whose queue is full drops the SYN: connecting hangs.
    event.origin.refuse()
    hole = socket.socket()
    hole.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    hole.bind(("127.0.0.1", event.origin.port))
    hole.listen(0)
    plugs = []
    for _ in range(4):
        plug = socket.socket()
        plug.setblocking(False)
        plug.connect_ex(("127.0.0.1", event.origin.port))
        plugs.append(plug)
    took = Stopwatch()
    assert fetch(url).status in (502, 503, 504)
    assert took.seconds() < stretched(4)
    for plug in [*plugs, hole]:
        plug.close()
    wait_until(lambda: listens_again(event.origin), 5)
    assert_recovers(event, url, node, event.origin.count(SEGMENT) - 1)


def listens_again(origin):
    try:
        origin.resume()
        return True
    except OSError:
        return False


@pytest.mark.parametrize("code", [404, 403, 500, 503])
def test_an_error_of_the_origin_is_returned_and_expires_within_a_second(event, faulty, code):
    url, node = faulty
    event.origin.on(SEGMENT, status(code))
    answer = fetch(url)
    assert answer.status in (code, 404, 502, 503) and answer.status >= 400, answer
    assert "public" not in (answer.header("Cache-Control") or "")
    event.origin.on(SEGMENT, ok(BODY, "video/mp2t"))
    took = Stopwatch()
    wait_until(lambda: fetch(url).body == BODY, 3)
    assert took.seconds() < stretched(2.5)


PAGE = b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Please log in.</body></html>\n"
NO_MEDIA = {
    "an empty body": raw(head(200, KIND, 0), "keep"),
    "an empty chunked body": raw(head(200, {**KIND, "Transfer-Encoding": "chunked"}) + b"0\r\n\r\n", "keep"),
    "a login page": raw(head(200, {"Content-Type": "text/html; charset=utf-8"}, len(PAGE)) + PAGE, "keep"),
    "a chunked page": raw(head(200, {"Content-Type": "text/html", "Transfer-Encoding": "chunked"}) + b"%x\r\n" % len(PAGE) + PAGE + b"\r\n0\r\n\r\n", "keep"),
}


@pytest.mark.parametrize("fault", NO_MEDIA)
def test_a_page_or_nothing_in_place_of_a_segment_is_a_502_that_no_cache_keeps(event, faulty, fault):
    url, node = faulty
    event.origin.on(SEGMENT, NO_MEDIA[fault])
    answer = fetch(url)
    assert answer.status == 502 and answer.header("Content-Type").startswith("application/problem+json"), answer
    assert "public" not in (answer.header("Cache-Control") or "")
    assert_recovers(event, url, node, event.origin.count(SEGMENT))


def test_media_of_an_html_type_and_encrypted_bytes_are_served(event, faulty):
    url, _ = faulty
    event.origin.on(SEGMENT, ok(BODY, "text/html"))
    assert fetch(url).body == BODY


def test_a_request_for_a_segment_that_appears_soon_waits_and_gets_no_404(event, faulty):
    url, node = faulty
    event.origin.on(SEGMENT, in_turn(status(404), status(404), ok(BODY, "video/mp2t")))
    whole(url)
    assert event.origin.count(SEGMENT) == 3


def test_a_thousand_clients_of_one_uncached_object_cause_one_request_even_if_the_first_leaves(event):
    event.origin.on(SEGMENT, ok(BODY, "video/mp2t"))
    event.start(node={"cache_node": {"origin": {"first_byte_timeout": "60s", "low_speed_window": "60s"}}})
    _, url, _ = event.link(3)
    node = event.nodes["stadium"]
    gate, last = event.origin.gate(), event.origin.gate()

    def slowly(request, wire):
        gate.wait()
        wire.send(head(200, KIND, len(BODY)) + BODY[:100_000])
        last.wait()
        wire.send(BODY[100_000:])

    event.origin.on(SEGMENT, slowly)
    first = Connection(node.address)
    first.send(f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    event.origin.wait_for(SEGMENT)
    first.reset()
    results = []
    crowd = threading.Thread(target=lambda: results.extend(fetch_all([url] * 900, within=60)))
    crowd.start()
    wait_until(lambda: node.metric(telemetry_names.WAITERS) >= 900, 20, "900 waiters")
    gate.open()
    wait_until(lambda: node.metric("tribune_cache_sent_bytes_total") > 900 * 50_000, 20, "they read along")
    assert event.origin.count(SEGMENT) == 1
    last.open()
    crowd.join()
    assert [v.error for v in results if v.error] == []
    assert all(v.status == 200 and v.body == BODY for v in results)
    assert event.origin.count(SEGMENT) == 1
    wait_until(lambda: "waited" in {line["cache"] for line in node.access_log() if line["path"].startswith("/media/")}, 5)


@pytest.mark.release_only("measures times")
def test_waiting_clients_receive_the_first_byte_when_the_fill_does(event, faulty):
    url, node = faulty
    delays, without_node = [], []   # the second: the time without a node in between, on this machine

    def first_byte_after(path, address, target, viewers, is_waited_for):
        gate, sent_at = event.origin.gate(), []

        def script(request, wire):
            gate.wait()
            sent_at.append(time.monotonic())
            wire.send(head(200, KIND, len(BODY)) + BODY)

        event.origin.on(path, script)
        connections = [Connection(address) for _ in range(viewers)]
        for connection in connections:
            connection.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        wait_until(lambda: is_waited_for(gate), 5)
        gate.open()
        connections[-1].socket.recv(1)
        took = time.monotonic() - sent_at[0]
        for connection in connections:
            connection.close()
        return took

    for msn in (0, 1, 2, 4):
        path = event.live.path_of("v2", msn)
        _, link, _ = event.link(msn, variant=1)
        delays.append(first_byte_after(path, node.address, "/" + link.split("/", 3)[3], 2, lambda gate: node.metric(telemetry_names.WAITERS) >= 2))
        without_node.append(first_byte_after(path, f"{event.origin.host}:{event.origin.port}", path, 1, lambda gate: gate.waiting == 1))
    assert min(delays) < 0.005 + 4 * min(without_node), (delays, without_node)


def test_range_requests_during_a_fill_wait_only_for_their_bytes(event, faulty):
    url, node = faulty
    gate = event.origin.gate()
    event.origin.on(SEGMENT, held(gate, raw(BODY[150_000:], "keep"), head(200, KIND, len(BODY)) + BODY[:150_000]))
    answer = fetch(url, headers={"Range": "bytes=1000-1999"}, timeout=5)
    assert answer.status == 206 and answer.body == BODY[1000:2000]
    wait_until(lambda: gate.waiting == 1, 2, "the fill is still under way")
    gate.open()
    tail = fetch(url, headers={"Range": f"bytes={len(BODY) - 10}-"})
    assert tail.status == 206 and tail.body == BODY[-10:]
    assert event.origin.count(SEGMENT) == 1


def test_hostile_ranges_do_not_amplify_traffic(event, faulty):
    url, node = faulty
    whole(url)
    for value in ("bytes=" + ",".join(f"{i}-{i + 5}" for i in range(200)), "bytes=" + ",".join(["0-"] * 200), "bytes=5-2", "bytes=-0",
                  "bytes=a-b", "bytes=0-5,", "lines=0-1", "bytes=18446744073709551615-", "bytes=-18446744073709551616"):
        answer = fetch(url, headers={"Range": value})
        assert answer.status in (200, 206, 416), (value, answer)
        assert len(answer.body) <= len(BODY) + 500, value
        if answer.status == 200:
            assert answer.body == BODY
    assert event.origin.count(SEGMENT) == 1


def test_request_headers_do_not_affect_other_clients_and_are_not_forwarded(event, faulty):
    url, node = faulty
    for name, value in (("X-Forwarded-Host", "evil"), ("X-Original-URL", "/admin"), ("X-HTTP-Method-Override", "DELETE"), ("Cookie", "a=b"),
                        ("Authorization", "Bearer x"), ("X-Rewrite-URL", "/x"), ("Cache-Control", "no-cache")):
        assert fetch(url, headers={name: value}).body == BODY, name
    asked = event.origin.seen(SEGMENT)
    assert len(asked) == 1
    assert not {n.lower() for n, _ in asked[0].fields} & {"x-forwarded-host", "x-original-url", "cookie", "authorization", "x-rewrite-url"}
    assert re.fullmatch(r"127\.0\.0\.1:\d+", asked[0].header("Host"))


def test_clients_that_leave_at_any_stage_of_a_fill_leak_nothing(event, faulty):
    url, node = faulty
    for msn in range(5):
        gate = event.origin.gate()
        path = event.live.path_of("v2", msn)
        event.origin.on(path, held(gate, raw(BODY[1000:], "keep"), head(200, KIND, len(BODY)) + BODY[:1000]))
        _, link, _ = event.link(msn, variant=1)
        connection = Connection(node.address)
        connection.send(f"GET /{link.split('/', 3)[3]} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        event.origin.wait_for(path)
        if msn % 2:
            try:
                connection.read_head()
            except ConnectionCut:
                pass
        connection.reset()
        gate.open()
        # The fill continues without its client.
        wait_until(lambda l=link: "hit" in (fetch(l).header("Cache-Status") or ""), 5)
        assert fetch(link).body == BODY
        assert event.origin.count(path) == 1
    # Connections to the origin stay open for the next fill, one per worker. The balancer's probe may have one to the node.
    wait_until(lambda: 1 <= node.connections_to(event.origin.port) <= 2 and node.metric(telemetry_names.CONNECTIONS, listener="front") <= 1, 5, "connections return")
    # The file of a hot object stays open, once per worker.
    assert sum("/objects/" in f for f in node.open_files()) <= 2 * 5
