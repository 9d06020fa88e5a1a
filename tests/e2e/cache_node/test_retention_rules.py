"""Retention rules (cache_node.keep): keys are revalidated, segments never."""
import re
from urllib.parse import urljoin

from harness.origin import ok
from harness.raw_client import fetch
from harness.waiting import wait_until

KEY = "/live/demo/v1/k.key"


def test_a_key_is_revalidated_each_time_and_a_segment_never(event):
    event.live.extra_tags = '#EXT-X-KEY:METHOD=AES-128,URI="k.key",IV=0x00000000000000000000000000000001'
    event.origin.on(KEY, ok(b"0123456789abcdef"))
    event.start(node={"cache_node": {"keep": ["other/*.key 1h", "demo/*.key 0s"], "origin": {"hold": "0s"}}})
    player = event.player().open()
    playlist = player.refresh()
    key = urljoin(player.media_url, re.search(r'URI="([^"]*)"', playlist.text).group(1))
    for asked in (1, 2, 3):
        answer = player.follow(key)
        assert answer.body == b"0123456789abcdef" and answer.header("Cache-Control") == "no-cache"
        wait_until(lambda: event.nodes["stadium"].admin("/status").json["cache_node"]["fills_running"] == 0, 5)
        assert event.origin.count(KEY) == asked
    assert event.origin.seen(KEY)[2].header("If-None-Match"), "asked by the validator"
    event.origin.on(KEY, ok(b"fedcba9876543210"))
    assert player.follow(key).body == b"fedcba9876543210"
    wait_until(lambda: event.nodes["stadium"].admin("/status").json["cache_node"]["fills_running"] == 0, 5, "the new key is kept")
    event.origin.refuse()
    wait_until(lambda: player.follow(key).body == b"fedcba9876543210", 5, "what is there serves while the origin is away")
    event.origin.resume()
    segment = playlist.segments[0]
    for _ in range(3):
        answer = fetch(segment.uri)
        assert answer.status == 200 and "immutable" in answer.header("Cache-Control")
    assert event.origin.count(event.live.path_of("v1", segment.msn)) == 1


def test_an_invalid_retention_rule_is_rejected_with_its_key(event, programs):
    node = programs(event.node_config("stadium", {"cache_node": {"keep": ["*.key soon"]}}), "stadium", start=False)
    node.spawn()
    node.wait_end(expected=1)
    assert "cache_node.keep" in node.errors_file.read_text()
