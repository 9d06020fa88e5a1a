"""The clients and parsers of the harness: they report incomplete bodies and playlists that break the rules."""

import pytest
from harness.concurrent_clients import fetch_all
from harness.live_channel import LiveChannel
from harness.origin import cut, ok
from harness.parsing import MediaPlaylist, Metrics, variant_uris
from harness.player import Player
from harness.raw_client import fetch, parse_responses


def test_concurrent_clients_receive_complete_bodies_and_report_incomplete_ones(origin):
    origin.on("/fine", ok(b"x" * 100_000))
    origin.on("/cut", cut(b"x" * 100_000, 10))
    results = fetch_all([origin.url + "/fine"] * 50 + [origin.url + "/cut"])
    assert all(v.body == b"x" * 100_000 and v.error is None for v in results[:50])
    assert results[50].error == "cut"


def test_playlists_and_metrics_are_parsed(origin):
    live = LiveChannel(origin, listed=7, window=3)
    assert variant_uris(fetch(live.source).text, live.source)[1] == f"{origin.url}/live/demo/v2/index.m3u8"
    playlist = MediaPlaylist(live.media("v1").decode(), f"{origin.url}/live/demo/v1/index.m3u8")
    assert (playlist.msn, playlist.last_msn, playlist.target) == (4, 6, 1)
    assert fetch(playlist.segment(5).uri).body == live.bytes_of("v1", 5)
    metrics = Metrics('# HELP a b\na_total{x="1",y="q\\"r"} 3\na_total{x="2"} 4\nb 0.5\n')
    assert (metrics.sum("a_total"), metrics.sum("a_total", x="2"), metrics.sum("b"), metrics.sum("c")) == (7, 4, 0.5, 0)


def test_a_player_detects_changed_text_and_decreasing_numbers():
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


def test_pipelined_responses_are_parsed_one_by_one():
    assert parse_responses(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n") == [200, 404]
    with pytest.raises(AssertionError):
        parse_responses(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh")
