"""The harness itself: what it is meant to notice, it notices."""
import gzip
import sys

import pytest
from harness.crowd import visit_all
from harness.live import LiveChannel
from harness.origin import cut, head, held, in_turn, ok, raw, status
from harness.player import Player
from harness.program import Tribune, reserve_port
from harness.reading import MediaPlaylist, Metrics, variant_uris
from harness.waiting import wait_until
from harness.wire import Connection, fetch, parse_answers


def test_a_scripted_origin_answers_ranges_validators_gzip_chunks_and_faults(origin):
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


def test_a_gate_holds_an_answer_and_a_refusing_origin_comes_back_on_its_port(origin):
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


def test_a_crowd_gets_whole_bodies_and_says_what_was_cut(origin):
    origin.on("/fine", ok(b"x" * 100_000))
    origin.on("/cut", cut(b"x" * 100_000, 10))
    visits = visit_all([origin.url + "/fine"] * 50 + [origin.url + "/cut"])
    assert all(v.body == b"x" * 100_000 and v.error is None for v in visits[:50])
    assert visits[50].error == "cut"


def test_a_reserved_port_is_refused_to_others_and_connects_to_nobody():
    import socket
    holder = reserve_port()
    port = holder.getsockname()[1]
    with pytest.raises(OSError):
        Connection(f"127.0.0.1:{port}", timeout=1)
    beside = socket.socket()
    beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    beside.bind(("127.0.0.1", port))
    beside.listen()
    Connection(f"127.0.0.1:{port}", timeout=1).close()
    beside.close()


def test_playlists_and_metrics_are_read(origin):
    live = LiveChannel(origin, listed=7, window=3)
    assert variant_uris(fetch(live.source).text, live.source)[1] == f"{origin.url}/live/demo/v2/index.m3u8"
    playlist = MediaPlaylist(live.media("v1").decode(), f"{origin.url}/live/demo/v1/index.m3u8")
    assert (playlist.msn, playlist.last_msn, playlist.target) == (4, 6, 1)
    assert fetch(playlist.segment(5).uri).body == live.bytes_of("v1", 5)
    metrics = Metrics('# HELP a b\na_total{x="1",y="q\\"r"} 3\na_total{x="2"} 4\nb 0.5\n')
    assert (metrics.sum("a_total"), metrics.sum("a_total", x="2"), metrics.sum("b"), metrics.sum("c")) == (7, 4, 0.5, 0)


def test_a_player_notices_changed_text_and_numbers_that_go_back():
    def playlist(msn, *names):
        return MediaPlaylist("\n".join(["#EXTM3U", f"#EXT-X-MEDIA-SEQUENCE:{msn}", *names]), "http://h/p")

    for second in (playlist(5, "b", "x"), playlist(4, "a", "b"), playlist(5, "b")):
        player = Player("http://h")
        player.take(playlist(5, "b", "c"))
        with pytest.raises(AssertionError):
            player.take(second)
    player = Player("http://h")
    player.take(playlist(5, "b", "c"))
    player.take(playlist(6, "c", "d"))


def test_a_program_that_dies_or_leaves_a_report_fails_its_test(folder):
    """Another program stands in: it answers SIGTERM with the wrong code, or leaves a sanitizer's report."""
    stand_in = """if True:
        import os, signal, sys
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        if {report}: open(os.environ["ASAN_OPTIONS"].split("log_path=")[1] + ".77", "w").write("boom")
        print('{{"event":"ready"}}', flush=True)
        signal.sigwait([signal.SIGTERM])
        sys.exit({code})"""
    for code, report, wrong in ((3, False, "ended with 3"), (0, True, "boom")):
        program = Tribune(folder, {}, wrong.split()[0], wrapper=[sys.executable, "-c", stand_in.format(code=code, report=report)])
        program.start()
        with pytest.raises(AssertionError, match=wrong):
            program.settle()
    program = Tribune(folder, {}, "early", wrapper=[sys.executable, "-c", "raise SystemExit(1)"])
    with pytest.raises(AssertionError, match="ended at once"):
        program.start()


def test_parsing_answers_counts_each():
    assert parse_answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n") == [200, 404]
    with pytest.raises(AssertionError):
        parse_answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh")
