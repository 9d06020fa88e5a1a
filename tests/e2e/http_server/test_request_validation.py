"""Strict parsing at the front listener: an invalid request gets one error response, and no byte after it is read as a request."""
import socket
import struct

import pytest
from harness import telemetry_names
from harness.event import merged
from harness.raw_client import Connection, ConnectionCut, fetch, parse_responses
from harness.waiting import IS_RELEASE, LONG, wait_until

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /internal/v1/nodes/x HTTP/1.1\r\nHost: a\r\n"

FRAMING = {
    "two content lengths": POST + b"Content-Length: 0\r\nContent-Length: 36\r\n\r\n" + SMUGGLED,
    "two equal content lengths in one field": POST + b"Content-Length: 0, 36\r\n\r\n" + SMUGGLED,
    "length and chunked": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "space before the colon": POST + b"Content-Length : 5\r\n\r\nhello" + SMUGGLED,
    "plus sign": POST + b"Content-Length: +5\r\n\r\nhello" + SMUGGLED,
    "minus sign": POST + b"Content-Length: -5\r\n\r\nhello" + SMUGGLED,
    "hexadecimal": POST + b"Content-Length: 0x5\r\n\r\nhello" + SMUGGLED,
    "underscore": POST + b"Content-Length: 5_0\r\n\r\nhello" + SMUGGLED,
    "empty length": POST + b"Content-Length: \r\n\r\n" + SMUGGLED,
    "length beyond 64 bits": POST + b"Content-Length: 99999999999999999999\r\n\r\n" + SMUGGLED,
    "chunked is not last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a coding that is not understood": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked in HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "bare LF after a chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" + SMUGGLED,
    "bare CR after a chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n5\rhello\r\n0\r\n\r\n" + SMUGGLED,
    "bare LF after chunk data": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n" + SMUGGLED,
    "chunk overrun": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size in 0x": POST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    "negative chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size beyond 64 bits": POST + b"Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    "no chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    "bare LF in a chunk extension": POST + b"Transfer-Encoding: chunked\r\n\r\n5;a=\nb\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
}

GET = b"GET /ping HTTP/1.1\r\n"
HEADS = {
    "NUL in a value": GET + b"Host: a\r\nX: a\0b\r\n\r\n",
    "control byte in a value": GET + b"Host: a\r\nX: a\x01b\r\n\r\n",
    "DEL in a value": GET + b"Host: a\r\nX: a\x7fb\r\n\r\n",
    "bare CR in a value": GET + b"Host: a\r\nX: a\rb\r\n\r\n",
    "empty name": GET + b"Host: a\r\n: x\r\n\r\n",
    "space in a name": GET + b"Host: a\r\nX Y: z\r\n\r\n",
    "name that is no token": GET + b"Host: a\r\nX(Y): z\r\n\r\n",
    "line without a colon": GET + b"Host: a\r\nnonsense\r\n\r\n",
    "folded field": GET + b"Host: a\r\nX: a\r\n b\r\n\r\n",
    "folded first field": GET + b" Host: a\r\n\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "tab in the target": b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
    "control byte in the target": b"GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n",
    "raw high byte in the target": b"GET /a\xffb HTTP/1.1\r\nHost: a\r\n\r\n",
    "no host": GET + b"X: y\r\n\r\n",
    "two hosts": GET + b"Host: a\r\nHost: b\r\n\r\n",
    "two equal hosts": GET + b"Host: a\r\nHost: a\r\n\r\n",
    "empty host": GET + b"Host: \r\n\r\n",
    "host with userinfo": GET + b"Host: x@a\r\n\r\n",
    "host with a path": GET + b"Host: a/b\r\n\r\n",
    "version 1.01": b"GET /ping HTTP/1.01\r\nHost: a\r\n\r\n",
    "version in lower case": b"GET /ping http/1.1\r\nHost: a\r\n\r\n",
    "version 2.0": b"GET /ping HTTP/2.0\r\nHost: a\r\n\r\n",
    "no version": b"GET /ping\r\nHost: a\r\n\r\n",
    "two spaces": b"GET  /ping HTTP/1.1\r\nHost: a\r\n\r\n",
    "method that is no token": b"G(T /ping HTTP/1.1\r\nHost: a\r\n\r\n",
    "bare LF ends a line": b"GET /ping HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF ends the head": GET + b"Host: a\n\n",
    "target without a slash": b"GET ping HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment in the target": b"GET /ping#x HTTP/1.1\r\nHost: a\r\n\r\n",
}


# HTTP has a status of its own for these (RFC 9110 sections 15.5.14 and 15.6, RFC 9112 section 6.1).
STATUSES = {"length beyond 64 bits": 413, "a coding that is not understood": 501, "version 2.0": 505}


@pytest.fixture
def all_in_one(event):
    """Starts one process with every role, whose front listener is under test."""
    def start(changes=None, **options):
        config = merged(event.balancer_config(["stadium"]), {
            "cache_node": event.node_config("stadium")["cache_node"], **(changes or {})})
        config["balancer"]["nodes"] = [{"id": "stadium", "url": event.url("balancer")}]
        config["cache_node"]["public_url"] = event.url("balancer")
        event.balancer = event.nodes["stadium"] = event.programs(merged(config, changes), "front", **options)
        event.wait_registered("stadium")
        return event.balancer
    return start


def assert_rejected(program, data, statuses=(400,)):
    """Sends the bytes; the server returns exactly one response, a problem, and closes the connection."""
    with Connection(program.address) as connection:
        connection.send_tolerant(data)
        answer = connection.read_response()
        assert answer.status in statuses, answer
        assert answer.header("Content-Type").startswith("application/problem+json"), answer
        assert answer.json["status"] == answer.status
        assert (answer.header("Connection") or "").lower() == "close", answer
        assert connection.read_to_end() == b"", "bytes after the error response"
    return answer


def rejections(program):
    return program.metric(telemetry_names.REFUSED_REQUESTS, listener="front")


@pytest.mark.parametrize("group", ["framing", "heads"])
def test_a_malformed_head_or_framing_gets_one_error_response_and_the_connection_is_closed(all_in_one, event, group):
    program = all_in_one()
    before = rejections(program)
    cases = FRAMING if group == "framing" else HEADS
    wrong = []
    for name, data in cases.items():
        try:
            assert_rejected(program, data, (STATUSES.get(name, 400),))
            # The same in two packets: the outcome must not depend on packet boundaries.
            with Connection(program.address) as connection:
                connection.send(data[:len(data) // 2])
                connection.send_tolerant(data[len(data) // 2:])
                assert connection.read_response().status == STATUSES.get(name, 400)
                assert connection.read_to_end() == b""
        except (AssertionError, ConnectionCut, OSError) as error:
            wrong.append(f"{name}: {error!r}"[:300])
    assert not wrong, "\n".join(wrong)
    assert rejections(program) - before == 2 * len(cases)
    reasons = {l["reason"] for n, l, v in program.metrics().samples if n == telemetry_names.REFUSED_REQUESTS and v}
    assert len(reasons) >= 4, reasons
    program.wait_log(telemetry_names.REFUSED_EVENT)
    with Connection(program.address) as connection:
        assert connection.request("/ping").status == 200
    # Log lines are in the order of requests: when the last request is logged, a smuggled one would be.
    wait_until(lambda: program.access_log(path="/ping"), 5)
    assert not [a for a in program.access_log() if "smuggled" in a["path"]]
    assert not [r for r in event.origin.requests if "smuggled" in r.path]


def test_a_malformed_request_that_arrives_byte_by_byte_is_rejected(all_in_one):
    program = all_in_one()
    for data in (FRAMING["chunk overrun"], FRAMING["two content lengths"], HEADS["NUL in a value"]):
        with Connection(program.address) as connection:
            for i in range(len(data)):
                if not connection.send_tolerant(data[i:i + 1]):
                    break
            answer = connection.read_response()
            assert answer.status == 400
            assert b"HTTP/1.1 200" not in connection.read_to_end()


def test_a_valid_chunked_body_with_extensions_and_trailers_is_read(all_in_one):
    program = all_in_one()
    with Connection(program.address) as connection:
        connection.send(POST + b"Transfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n0\r\nTrailer: z\r\n\r\nGET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
        first = connection.read_response()
        assert first.status in (400, 401, 403) and first.header("Content-Type").startswith("application/problem+json")
        if (first.header("Connection") or "").lower() != "close":
            assert connection.read_response().status == 200


def test_a_long_field_many_fields_and_a_long_target_are_rejected_at_their_limits(all_in_one):
    program = all_in_one()
    assert_rejected(program, GET + b"Host: a\r\nX: " + b"y" * 65536 + b"\r\n\r\n", (431,))
    assert_rejected(program, GET + b"Host: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", (431,))
    assert_rejected(program, b"GET /" + b"a" * 9 * 1024 + b" HTTP/1.1\r\nHost: a\r\n\r\n", (414,))
    with Connection(program.address) as connection:
        assert connection.request("/ping", headers={f"X-{i}": "y" for i in range(99)}).status == 200
        assert connection.request("/ping?" + "a" * 8000).status == 200


@pytest.mark.parametrize("first", [b"GET /", GET + b"Host: a\r\nX: ", GET + b"Host: a\r\n" + b"X: y\r\n" * 10])
def test_an_endless_head_is_rejected_at_the_limit(all_in_one, first):
    program = all_in_one()
    with Connection(program.address) as connection:
        # 17 KiB against a bound of 16 KiB (8 for the target), and then no byte: the response must come now.
        connection.send_tolerant(first + b"a" * (17 * 1024 - len(first)))
        answer = connection.read_response()
        assert answer.status in ((414,) if first == b"GET /" else (431,)), answer
        assert connection.read_to_end() == b""


@pytest.mark.release_only("measures memory")
def test_endless_heads_use_no_more_memory_than_the_limit_and_a_buffer(all_in_one):
    program = all_in_one()
    warm = [Connection(program.address) for _ in range(200)]
    for connection in warm:
        connection.request("/ping")
    before = program.memory_bytes()
    for connection in warm:
        connection.send(GET + b"Host: a\r\nX: " + b"a" * 15 * 1024)
    with Connection(program.address) as probe:
        assert probe.request("/ping").status == 200
    assert program.memory_bytes() - before < 200 * (16 + 16) * 1024
    for connection in warm:
        connection.close()


def test_a_body_over_the_limit_gets_413_without_being_read(all_in_one):
    program = all_in_one({"front": {"limits": {"max_body_bytes": "64KiB"}}})
    assert_rejected(program, POST + b"Content-Length: 65537\r\n\r\n", (413,))
    with Connection(program.address) as connection:
        connection.send_tolerant(POST + b"Transfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + b"a" * 0x4000 + b"\r\n") * 5)
        assert connection.read_response().status == 413


@pytest.mark.release_too("measures memory")
def test_a_thousand_pipelined_requests_are_answered_in_order(all_in_one):
    program = all_in_one()
    pattern = [200 if (i * 7919) % 3 else 404 for i in range(1000)]
    requests = [b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"/ping" if status == 200 else b"/none") for status in pattern]
    program.reset_peak()
    before = program.peak_memory_bytes()
    with Connection(program.address) as connection:
        connection.send(b"".join(requests[:-1]) + requests[-1].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert parse_responses(connection.read_to_end()) == pattern
    if IS_RELEASE:
        assert program.peak_memory_bytes() - before < 4 << 20


@pytest.mark.release_too("measures memory")
def test_ten_thousand_aborted_connections_leak_nothing(all_in_one, event):
    program = all_in_one()
    _, url, expected = event.link()
    assert fetch(url).body == expected
    target = url.split("/", 3)[3]
    request = f"GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    host, port = program.address.split(":")

    def abort(sent, received, reset):
        s = socket.create_connection((host, int(port)))
        if reset:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.sendall(request[:sent])
        s.settimeout(5)
        if received:
            s.recv(received)
        s.close()

    def rounds(count):
        for i in range(count):
            reset = i % 2 == 0
            if i % 4 < 2:
                abort(1 + (i // 4) % len(request), 0, reset)
            else:
                abort(len(request), 1 + (i // 4) % 700, reset)

    own = 5   # the node's own connections come and go: heartbeat, news, the balancer's probe, a fill
    rounds(400)
    wait_until(lambda: program.metric(telemetry_names.CONNECTIONS, listener="front") <= own, 5, "the aborted connections are gone")
    descriptors, memory = program.descriptors(), program.memory_bytes()
    rounds(10_000 if LONG or IS_RELEASE else 2_000)
    # Leaks would leave thousands.
    wait_until(lambda: program.descriptors() <= descriptors + own, 5, "descriptors return")
    if IS_RELEASE:
        assert program.memory_bytes() - memory < 3 << 20
    assert fetch(url).body == expected


def test_x_forwarded_for_of_an_untrusted_client_is_ignored(all_in_one):
    program = all_in_one()
    fetch(program.url + "/ping?a", headers={"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7"})
    line = wait_until(lambda: [a for a in program.access_log() if a["path"] == "/ping"], 3)[-1]
    assert line["client"] == "127.0.0.1"


def test_connection_limits_count_the_real_peer_address(all_in_one):
    program = all_in_one({"front": {"limits": {"max_connections_per_address": 10}}})
    held = []
    for i in range(30):
        connection = Connection(program.address, source="127.0.0.9")
        connection.send_tolerant(request_with(f"198.51.100.{i}"))
        held.append(connection)
    wait_until(lambda: sum(not c.is_closed() for c in held) <= 10, 5, "at most ten connections of one address")
    assert fetch(program.url + "/ping").status == 200
    for connection in held:
        connection.close()


def request_with(forwarded):
    return f"GET /ping HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {forwarded}\r\n\r\n".encode()


def test_an_unexpected_proxy_protocol_header_is_a_bad_request(all_in_one):
    program = all_in_one()
    assert_rejected(program, b"PROXY TCP4 198.51.100.7 127.0.0.1 5 80\r\n" + GET + b"Host: a\r\n\r\n")
    assert_rejected(program, PROXY_V2 + GET + b"Host: a\r\n\r\n")


PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + socket.inet_aton("198.51.100.8") + socket.inet_aton("127.0.0.1") + b"\0\5\0\x50"


def test_a_trusted_proxy_sets_the_client_address(all_in_one):
    program = all_in_one({"front": {"trusted_proxies": ["127.0.0.0/8"]}})
    fetch(program.url + "/ping", headers={"X-Forwarded-For": "203.0.113.1, 198.51.100.7"})
    wait_until(lambda: program.access_log(client="198.51.100.7"), 3, "the address that the trusted proxy saw")
    fetch(program.url + "/ping", headers={"X-Forwarded-For": "not an address"})
    assert fetch(program.url + "/ping").status == 200


def test_the_proxy_protocol_of_a_trusted_proxy_sets_the_client_address(all_in_one):
    program = all_in_one({"front": {"trusted_proxies": ["127.0.0.50/32"], "proxy_protocol": True}})
    for first, client in ((b"PROXY TCP4 198.51.100.7 127.0.0.1 5 80\r\n", "198.51.100.7"), (PROXY_V2, "198.51.100.8")):
        with Connection(program.address, source="127.0.0.50") as connection:
            connection.send(first)
            connection.send(GET + b"Host: a\r\n\r\n")
            assert connection.read_response().status == 200
        wait_until(lambda c=client: program.access_log(client=c), 3)
    with Connection(program.address, source="127.0.0.50") as connection:
        connection.send(GET + b"Host: a\r\n\r\n")
        assert connection.read_response().status == 400, "a trusted proxy must send a PROXY header"


PATHS = ["/../etc/passwd", "/media/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/.%2e/x", "/media/demo/e/a%2fb.ts", "/media/demo/e/a%5cb.ts",
         "/media//demo/e/a.ts", "//ping", "/ping%00", "/%c0%ae%c0%ae/", "/%c0%af", "/%ff", "/%", "/%4", "/%zz", "/./ping", "/ping/."]


def test_paths_that_leave_the_root_or_have_two_spellings_are_rejected(all_in_one, event):
    program = all_in_one()
    for path in PATHS:
        answer = fetch(program.url + path)
        assert answer.status in (400, 404), (path, answer)
        assert answer.header("Content-Type").startswith("application/problem+json"), path
    assert not event.origin.seen("/etc/passwd")


def test_two_spellings_of_a_path_are_one_object(all_in_one, event):
    all_in_one()
    msn, url, expected = event.link()
    assert fetch(url).body == expected
    spelt = url.replace("/v1/", "/%761/")
    answer = fetch(spelt)
    assert (answer.status == 200 and answer.body == expected) or answer.status in (400, 403, 404)
    assert event.origin.count(event.live.path_of("v1", msn)) == 1


def test_an_absolute_target_of_a_foreign_host_is_never_fetched(all_in_one, origins):
    foreign = origins()
    program = all_in_one()
    for target in (foreign.url + "/x", "http://169.254.169.254/latest", "https://example.com/"):
        with Connection(program.address) as connection:
            answer = connection.request(target, host="example.com")
            assert answer.status in (400, 404, 421), answer
    assert foreign.requests == []


def test_a_cmcd_header_of_8_kib_is_accepted_or_rejected_without_harm(all_in_one):
    program = all_in_one()
    for headers in ({"CMCD-Session": "x" * 8192}, {"CMCD-Request": "y" * 4000, "CMCD-Object": "z" * 4000}):
        with Connection(program.address) as connection:
            assert connection.request("/ping", headers=headers).status in (200, 431)
    assert fetch(program.url + "/ping?CMCD=" + "x" * 7000).status == 200
