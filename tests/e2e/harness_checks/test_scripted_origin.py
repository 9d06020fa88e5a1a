"""The scripted origin of the harness."""
import gzip

import pytest
from harness.origin import cut, head, held, in_turn, ok, raw, status
from harness.raw_client import Connection, fetch
from harness.waiting import wait_until


def test_a_scripted_origin_serves_ranges_validators_gzip_chunks_and_faults(origin):
    body = bytes(range(256)) * 50
    origin.on("/plain", ok(body))
    origin.on("/chunked", ok(body, chunked=True))
    origin.on("/gzip", ok(body, gzip=True))
    origin.on("/cut", cut(body, 100))
    origin.on("/turns", in_turn(status(500), ok(b"fine")))
    plain = fetch(origin.url + "/plain")
    assert plain.body == body and plain.complete
    part = fetch(origin.url + "/plain", headers={"Range": "bytes=5-9"})
    assert part.status == 206 and part.body == body[5:10]
    assert fetch(origin.url + "/plain", headers={"If-None-Match": plain.header("ETag")}).status == 304
    assert fetch(origin.url + "/chunked").body == body
    assert gzip.decompress(fetch(origin.url + "/gzip", headers={"Accept-Encoding": "gzip"}).body) == body
    broken = fetch(origin.url + "/cut")
    assert not broken.complete and broken.body == body[:100]
    assert [fetch(origin.url + "/turns").status for _ in range(3)] == [500, 200, 200]
    assert fetch(origin.url + "/none").status == 404
    assert origin.count("/plain") == 3


def test_a_gate_holds_a_response_and_a_refusing_origin_resumes_on_its_port(origin):
    gate = origin.gate()
    origin.on("/held", held(gate, raw(b"cd"), head(200, {}, 4) + b"ab"))
    with Connection(f"127.0.0.1:{origin.port}") as connection:
        connection.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = connection.read_head()
        wait_until(lambda: gate.waiting == 1, 2)
        gate.open()
        connection.read_body(answer)
        assert answer.body == b"abcd"
    origin.refuse()
    with pytest.raises(OSError):
        fetch(origin.url + "/held")
    origin.resume()
    assert fetch(origin.url + "/none").status == 404
