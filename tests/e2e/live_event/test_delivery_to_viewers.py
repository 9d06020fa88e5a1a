"""A live event, end to end: viewers receive what the origin packaged."""
import gzip
import re
import time

import pytest
from harness.live_channel import LiveChannel
from harness.origin import ok, redirect
from harness.raw_client import Connection, fetch
from harness.waiting import wait_until


@pytest.mark.every_build
def test_a_viewer_receives_the_bytes_of_the_origin_in_every_variant(event):
    event.start()
    for variant, name in enumerate(event.live.variants):
        player = event.player(variant=variant).open()
        playlist = player.refresh()
        assert playlist.segments and playlist.target == 1
        for segment in playlist.segments:
            player.play(segment.msn, event.live.bytes_of(name, segment.msn))
        assert set(player.nodes) == {event.nodes["stadium"].address}


def test_the_playlist_follows_the_origin_while_a_viewer_watches(event):
    event.start()
    player = event.player().open()
    player.refresh()
    for _ in range(4):
        event.live.advance()
        segment = player.wait_for_msn(event.live.next_msn - 1, within=3)
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))


def test_without_viewers_the_origin_receives_no_requests(event):
    event.start()
    player = event.player().open()
    player.refresh()
    path = event.live.prefix + "/v1/index.m3u8"
    # Refreshed at half the target duration while watched, once more after that, then not at all.
    wait_until(lambda: event.origin.count(path) >= 2, 5, "a refresh beside the viewers' requests")

    def is_quiet():
        seen = event.origin.seen(path)
        return time.monotonic() - seen[-1].at > 3
    wait_until(is_quiet, 12, "the refreshing stops")


def test_one_source_request_serves_all_viewers(event):
    event.start()
    players = [event.player().open() for _ in range(20)]
    before = event.origin.count(event.live.prefix + "/v1/index.m3u8")
    for player in players:
        player.refresh()
    # Twenty viewers within about half a target duration: a few refreshes by time, none by viewers.
    assert event.origin.count(event.live.prefix + "/v1/index.m3u8") - before <= 5


def test_initialization_sections_arrive_and_their_link_does_not_depend_on_the_node(event):
    event.live = LiveChannel(event.origin, prefix="/live/fmp4", fmp4=True)
    event.channels = [event.channel_config("demo", event.live.source)]
    event.start(nodes=("stadium", "city"))
    maps = set()
    for _ in range(4):
        player = event.player().open()
        playlist = player.refresh()
        maps.add(playlist.map_uri)
        init = player.follow(playlist.map_uri)
        assert init.status == 200 and init.body == event.live.init_of("v1")
        player.play(playlist.last_msn, event.live.bytes_of("v1", playlist.last_msn))
    assert len(maps) == 1 or all("/~" in uri for uri in maps)


def test_a_source_without_variants_is_served_with_a_multivariant_playlist_of_one_variant(event):
    event.channels = [event.channel_config("demo", f"{event.origin.url}{event.live.prefix}/v1/index.m3u8")]
    event.start()
    player = event.player().open()
    assert player.multivariant.text.count("#EXT-X-STREAM-INF") == 1
    assert "/~" in player.media_url
    playlist = player.refresh()
    player.play(playlist.last_msn, event.live.bytes_of("v1", playlist.last_msn))


def test_the_source_may_answer_with_a_redirect_and_its_uris_resolve_against_the_final_url(event):
    event.origin.on("/start.m3u8", redirect(f"{event.live.prefix}/master.m3u8"))
    event.channels = [event.channel_config("demo", event.origin.url + "/start.m3u8")]
    event.start()
    player = event.player().open()
    playlist = player.refresh()
    player.play(playlist.last_msn, event.live.bytes_of("v1", playlist.last_msn))


def test_the_source_may_be_gzipped_or_chunked(event):
    live = event.live
    for name, options in (("gzip", {"gzip": True}), ("chunked", {"chunked": True}), ("both", {"gzip": True, "chunked": True})):
        master = live.multivariant().replace(b"v1/", f"{name}/v1/".encode())
        event.origin.on(f"{live.prefix}/{name}.m3u8", ok(master, "application/vnd.apple.mpegurl", **options))
        event.origin.on(f"{live.prefix}/{name}/v1/index.m3u8",
                        ok(lambda: live.media("v1").replace(b"seg", b"../../v1/seg"), "application/vnd.apple.mpegurl", **options))
        event.channels.append(event.channel_config(name, f"{event.origin.url}{live.prefix}/{name}.m3u8"))
    event.start()
    for name in ("gzip", "chunked", "both"):
        player = event.player(channel=name).open()
        playlist = player.refresh()
        player.play(playlist.last_msn, live.bytes_of("v1", playlist.last_msn))


def test_a_segment_that_the_origin_sends_chunked_is_stored_with_its_length(event):
    path = event.live.path_of("v1", 4)
    event.origin.on(path, ok(event.live.bytes_of("v1", 4), "video/mp2t", chunked=True))
    event.start()
    _, url, expected = event.link(4)
    assert fetch(url).body == expected
    second = fetch(url)
    assert second.body == expected and second.header("Content-Length") == str(len(expected))
    assert event.origin.count(path) == 1


@pytest.mark.every_build
def test_a_segment_is_fetched_once_and_then_a_cache_hit(event):
    event.start()
    msn, url, expected = event.link()
    first = fetch(url)
    node = event.nodes["stadium"]

    def cache_outcomes():
        return [line["cache"] for line in node.access_log() if line["path"].startswith("/media/")]

    wait_until(lambda: cache_outcomes() == ["miss"], 3)
    second = fetch(url)
    assert first.body == second.body == expected
    assert event.origin.count(event.live.path_of("v1", msn)) == 1
    assert "hit" in second.header("Cache-Status")
    assert "fwd=" in first.header("Cache-Status") and "hit" not in first.header("Cache-Status").split(";")[1]
    assert int(second.header("Age")) >= 0
    assert second.header("Content-Type") == "video/mp2t"
    wait_until(lambda: cache_outcomes() == ["miss", "hit"], 3)


def test_segments_support_ranges_validators_head_and_options(event):
    event.start()
    _, url, expected = event.link()
    whole = fetch(url)
    tag = whole.header("ETag")
    assert tag and whole.header("Accept-Ranges") == "bytes"
    part = fetch(url, headers={"Range": "bytes=100-199"})
    assert part.status == 206 and part.body == expected[100:200]
    assert part.header("Content-Range") == f"bytes 100-199/{len(expected)}"
    assert fetch(url, headers={"Range": "bytes=-10"}).body == expected[-10:]
    assert fetch(url, headers={"Range": f"bytes={len(expected)}-"}).status == 416
    assert fetch(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status == 200
    unchanged = fetch(url, headers={"If-None-Match": tag})
    assert unchanged.status == 304 and unchanged.body == b""
    head = fetch(url, method="HEAD")
    assert head.status == 200 and head.header("Content-Length") == str(len(expected))
    options = fetch(url, method="OPTIONS", headers={"Origin": "http://app", "Access-Control-Request-Method": "GET"})
    assert options.status in (200, 204)
    for answer in (whole, part, unchanged, head, options):
        assert answer.header("Access-Control-Allow-Origin") == "*", answer


def test_every_response_can_be_read_cross_origin(event):
    event.start()
    player = event.player().open()
    answers = [event.balancer.get("/nothing/here"), event.balancer.get("/live/none/index.m3u8"), fetch(player.media_url),
               event.nodes["stadium"].get("/media/demo/e/x.ts?tl=forged"), event.nodes["stadium"].get("/ping")]
    assert [a.status for a in answers] == [404, 404, 200, 403, 200]
    for answer in answers:
        assert answer.header("Access-Control-Allow-Origin") == "*"
        assert "Content-Range" in answer.header("Access-Control-Expose-Headers")
        if answer.status >= 400:
            assert answer.header("Content-Type").startswith("application/problem+json")
            assert answer.json["status"] == answer.status and answer.json["type"].startswith("/problems/")


def test_playlists_are_compressed_and_revalidated(event):
    event.start()
    player = event.player().open()
    plain = fetch(player.media_url)
    packed = fetch(player.media_url, headers={"Accept-Encoding": "gzip"})
    assert packed.header("Content-Encoding") == "gzip" and gzip.decompress(packed.body) == plain.body
    assert "Accept-Encoding" in packed.header("Vary") and "Accept-Encoding" in plain.header("Vary")
    assert plain.header("Content-Type").startswith("application/vnd.apple.mpegurl")
    again = fetch(player.media_url, headers={"If-None-Match": plain.header("ETag")})
    assert again.status == 304 and again.body == b""


def test_unknown_tags_attribute_order_and_line_endings_are_preserved(event):
    odd = b"#EXTM3U\r\n#EXT-X-VERSION:6\r\n#EXT-X-TARGETDURATION:1\r\n#EXT-X-MEDIA-SEQUENCE:7\r\n#EXT-X-VENDOR:z=1,a=2\r\n" \
          b"# a comment\r\n#EXTINF:1.000,title, with comma\r\n#EXT-X-BITRATE:900\r\nv1/seg4.ts\r\n"
    event.origin.on("/live/demo/odd.m3u8", ok(odd, "text/plain"))
    event.channels = [event.channel_config("demo", event.origin.url + "/live/demo/odd.m3u8")]
    event.start()
    player = event.player().open()
    text = fetch(player.media_url).body
    expected = odd.split(b"v1/seg4.ts")
    assert text.startswith(expected[0]) and text.endswith(b"\r\n") and text.count(b"\r\n") == odd.count(b"\r\n")
    player.refresh()
    player.play(7, event.live.bytes_of("v1", 4))


def test_the_access_log_names_client_object_node_and_session(event):
    event.start()
    player = event.player().open()
    player.refresh()
    answer = player.follow(player.playlist.segments[-1].uri)
    line = wait_until(lambda: [a for a in event.nodes["stadium"].access_log() if a["path"].startswith("/media/")], 3)[0]
    assert (line["client"], line["method"], line["status"], line["bytes"], line["cache"]) == \
        ("127.0.0.1", "GET", 200, len(answer.body), "miss")
    assert line["duration_ms"] > 0 and line["completed"] is True
    lines = wait_until(lambda: [a for a in event.balancer.access_log() if a["path"].endswith("index.m3u8") and a["session"]], 3)
    assert re.fullmatch(r"[0-9a-f]{16}", lines[-1]["session"])


def test_the_admin_endpoints_are_on_the_admin_listener_only(event):
    event.start()
    for program in (event.balancer, event.nodes["stadium"]):
        assert program.admin("/healthz").status == 200
        assert program.admin("/readyz").status == 200
        assert program.admin("/status").json
        assert "tribune_http_requests_total" in program.metrics().names()
        for path in ("/healthz", "/readyz", "/metrics", "/status"):
            assert program.get(path).status == 404


def test_a_connection_serves_many_requests(event):
    event.start()
    with Connection(event.nodes["stadium"].address) as connection:
        for _ in range(50):
            assert connection.request("/ping").status == 200
