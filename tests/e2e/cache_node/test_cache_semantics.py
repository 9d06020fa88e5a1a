"""The media path as a shared cache: retention rules of the node, Cache-Control and Vary of the origin, 1xx responses."""
import re
from urllib.parse import urljoin

import pytest
from harness.origin import head, in_turn, ok, raw, status
from harness.raw_client import fetch
from harness.waiting import wait_until

PATH = "/live/demo/v1/thing.bin"
KEY = b"0123456789abcdef"


def thing(event, fields, body=KEY):
    event.origin.on(PATH, ok(body, fields=fields))


def start_event(event, keep=("demo/*.bin origin",), **options):
    event.live.extra_tags = '#EXT-X-KEY:METHOD=AES-128,URI="thing.bin",IV=0x00000000000000000000000000000001'
    event.start(node={"cache_node": {"keep": list(keep), "origin": {"hold": "0s", "keep_errors": "0s", "circuit_failures": 1000}, **options.pop("cache_node", {})}}, **options)
    player = event.player().open()
    playlist = player.refresh()
    return player, urljoin(player.media_url, re.search(r'URI="([^"]*)"', playlist.text).group(1))


def settled(event, name="stadium"):
    wait_until(lambda: event.nodes[name].admin("/status").json["cache_node"]["fills_running"] == 0, 5, "no fill is running")


def test_segments_are_stored_whatever_their_cache_control_says(event):
    event.live.advance(1)
    path = event.live.path_of("v1", 3)
    body = event.live.bytes_of("v1", 3)
    event.origin.on(path, ok(body, "video/mp2t", fields={"Cache-Control": "private, no-store", "Vary": "*"}))
    event.start()
    _, url, _ = event.link(3)
    for _ in range(3):
        answer = fetch(url)
        assert answer.body == body and "immutable" in answer.header("Cache-Control")
        settled(event)
    assert event.origin.count(path) == 1


def test_cache_control_of_the_origin_applies_where_a_rule_says_so(event):
    thing(event, {"Cache-Control": "no-cache", "CDN-Cache-Control": "max-age=1000"})
    player, url = start_event(event)
    for _ in range(3):
        answer = player.follow(url)
        assert answer.body == KEY and answer.header("Cache-Control") == "no-cache"
        settled(event)
    assert event.origin.count(PATH) == 1


def test_no_store_objects_are_fetched_each_time(event):
    thing(event, {"Cache-Control": "no-store"})
    player, url = start_event(event)
    for asked in (1, 2, 3):
        answer = player.follow(url)
        assert answer.body == KEY and answer.header("Cache-Control") == "no-store"
        assert "detail=no_store" in answer.header("Cache-Status") and "; stored" not in answer.header("Cache-Status")
        settled(event)
        assert event.origin.count(PATH) == asked
    assert event.nodes["stadium"].admin("/status").json["cache_node"]["objects"] == 0


@pytest.mark.every_build
def test_a_stale_response_is_revalidated_and_a_304_renews_it(event):
    thing(event, {"Cache-Control": "max-age=0"})
    player, url = start_event(event)
    player.follow(url)
    settled(event)
    thing(event, {"Cache-Control": "max-age=1000"})
    answer = player.follow(url)
    assert answer.body == KEY and "fwd=stale; fwd-status=304" in answer.header("Cache-Status")
    assert answer.header("Cache-Control") == "max-age=1000"
    for _ in range(2):
        assert "; hit" in player.follow(url).header("Cache-Status")
    assert event.origin.count(PATH) == 2
    assert event.origin.seen(PATH)[1].header("If-None-Match")


def test_stale_responses_are_served_while_the_origin_is_down_unless_they_forbid_it(event):
    thing(event, {"Cache-Control": "max-age=0"})
    player, url = start_event(event)
    player.follow(url)
    settled(event)
    event.origin.refuse()
    answer = player.follow(url)
    assert answer.status == 200 and answer.body == KEY and "fwd=stale" in answer.header("Cache-Status")
    event.origin.resume()
    thing(event, {"Cache-Control": "max-age=0, must-revalidate"}, b"fedcba9876543210")
    wait_until(lambda: player.follow(url).body == b"fedcba9876543210", 5, "the origin is back")
    settled(event)
    event.origin.refuse()
    assert player.follow(url).status in (502, 503, 504)


def test_an_object_that_the_origin_removed_is_no_longer_served(event):
    thing(event, {"Cache-Control": "max-age=0"})
    player, url = start_event(event)
    assert player.follow(url).status == 200
    settled(event)
    event.origin.on(PATH, status(410))
    assert player.follow(url).status == 404


def test_cache_control_and_age_of_the_origin_reach_all_nodes_of_a_group(event):
    thing(event, {"Cache-Control": "max-age=1000", "Age": "30"})
    player, url = start_event(event, nodes=("one", "two"), cache_node={"group": "g"})
    event.wait_peers(("one", "two"))
    link = fetch(url).header("Location")   # the URL of a key leads to the balancer
    for name in ("one", "two"):
        answer = fetch(link.replace(event.url("one"), event.url(name)).replace(event.url("two"), event.url(name)))
        assert answer.body == KEY and answer.header("Cache-Control") == "max-age=1000"
        assert 30 <= int(answer.header("Age")) < 900
        settled(event, name)
    assert event.origin.count(PATH) == 1


def test_early_hints_and_other_1xx_responses_are_skipped(event):
    event.live.advance(1)
    path = event.live.path_of("v1", 3)
    body = event.live.bytes_of("v1", 3)
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nCache-Control: no-store\r\n\r\n"
    final = head(200, {"Content-Type": "video/mp2t"}, len(body)) + body
    event.origin.on(path, in_turn(raw(b"HTTP/1.1 100 Continue\r\n\r\n" + interim + b"HTTP/1.1 102 Processing\r\n\r\n" + final, "keep"), status(500)))
    event.start()
    _, url, _ = event.link(3)
    for _ in range(2):
        answer = fetch(url)
        assert answer.status == 200 and answer.body == body and answer.header("Link") is None
    assert event.origin.count(path) == 1


def test_only_the_configured_query_keys_distinguish_objects(event):
    names = ["part.ts?n=1&token=a", "part.ts?n=1&token=b", "part.ts?n=2&token=c"]
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:0", *(line for name in names for line in ("#EXTINF:2.000,", name)), "#EXT-X-ENDLIST", ""]
    event.origin.on("/live/demo/v1/index.m3u8", ok("\n".join(lines).encode(), "application/vnd.apple.mpegurl"))
    path = "/live/demo/v1/part.ts"
    event.origin.on(path, lambda request, wire: ok(request.target.encode(), "video/mp2t")(request, wire))
    event.start(node={"cache_node": {"query_keys": ["demo/* n"]}})
    segments = event.player().open().refresh().segments
    bodies = [fetch(segment.uri + "&CMCD=bl%3D100").body.decode() for segment in segments]
    assert bodies == [f"{path}?n=1&token=a", f"{path}?n=1&token=a", f"{path}?n=2&token=c"]
    assert event.origin.count(path) == 2


def test_responses_that_vary_on_origin_or_accept_encoding_are_stored_once(event):
    thing(event, {"Cache-Control": "max-age=1000", "Vary": "Origin, Accept-Encoding", "Access-Control-Allow-Origin": "https://one.test"})
    player, url = start_event(event)
    link = fetch(url).header("Location")   # the URL of a key leads to the balancer
    for fields in ({"Origin": "https://one.test"}, {"Origin": "https://two.test", "Accept-Encoding": "gzip"}, {}):
        answer = fetch(link, headers=fields)
        assert answer.body == KEY and answer.header("Access-Control-Allow-Origin") == "*" and answer.header("Vary") is None
        settled(event)
    assert event.origin.count(PATH) == 1


def languages(event):
    """An origin that responds in the requested language."""
    def answer(request, wire):
        body = (request.header("Accept-Language") or "none").encode()
        ok(body, fields={"Cache-Control": "max-age=1000", "Vary": "Accept-Language"})(request, wire)
    event.origin.on(PATH, answer)


def test_responses_that_vary_on_an_unlisted_field_are_not_stored_and_logged_once(event):
    languages(event)
    _, url = start_event(event)
    link = fetch(url).header("Location")
    for asked in (1, 2):
        answer = fetch(link, headers={"Accept-Language": "de"})
        assert answer.body == b"none" and "detail=vary_any" in answer.header("Cache-Status")
        settled(event)
        assert event.origin.count(PATH) == asked
    node = event.nodes["stadium"]
    assert node.wait_log("origin_varies")[0]["fields"] == "Accept-Language"
    assert len(node.logged("origin_varies")) == 1
    assert node.metric("tribune_cache_varied_answers_total") == 2


def test_nodes_of_a_group_fetch_each_variant_of_a_rule_once(event):
    languages(event)
    _, url = start_event(event, nodes=("one", "two"), cache_node={"group": "g", "vary_on": ["demo/*.bin Accept-Language"]})
    event.wait_peers(("one", "two"))
    link = fetch(url).header("Location")
    for name in ("one", "two"):
        for language in ("de", "en;q=0.9", "de"):
            answer = fetch(link.replace(event.url("one"), event.url(name)).replace(event.url("two"), event.url(name)), headers={"Accept-Language": language})
            assert answer.body == language.encode() and answer.header("Vary") == "Accept-Language"
            settled(event, name)
    assert sorted(r.header("Accept-Language") for r in event.origin.seen(PATH) if r.header("Accept-Language")) == ["de", "en;q=0.9"]
    assert not any(event.nodes[n].logged("origin_varies") for n in ("one", "two"))
