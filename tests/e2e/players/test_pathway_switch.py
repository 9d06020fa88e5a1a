"""HLS Content Steering with real players: hls.js and Shaka start on one pathway and switch when its group is drained."""
import re

from harness.operator_cli import ctl
from harness.waiting import wait_until

SECONDS = 10
CHANNEL = "demo"   # it has a rendition of audio, so that two playlists change at once


def drained_under_its_viewer(event, watch, viewed, channel=None, **options):
    """Drains the group of the pathway on which the player started; the state of the player at the end. `channel`: more settings of the channel."""
    event.channels = [{**entry, "steering": True, **(channel or {})} for entry in event.channels]
    event.start(nodes=("stadium", "city"), balancer={"balancer": {"steering": {"ttl": "1s", "ttl_under_pressure": "1s"}, "routing": {"drain_time": "0ms"}}})
    viewer = watch(viewed(CHANNEL), SECONDS, **options)
    viewer.wait_playing()
    wait_until(lambda: asked_under(event, "stadium"), 5, "the player is on its first pathway")
    ctl(event, "drain", "stadium")
    wait_until(lambda: asked_under(event, "city"), 10, "the player takes the other pathway")
    wait_until(lambda: event.segments_served("city"), 10, "the other group serves")
    return viewer.wait_done()["after"]


def assert_one_after_the_other(numbers):
    found = sorted(set(numbers))
    assert found == list(range(found[0], found[-1] + 1)), "segments were skipped"


def test_hls_js_switches_the_pathway_when_its_group_is_drained(packaged_event, watch):
    after = drained_under_its_viewer(packaged_event, watch, packaged_event.page_url)
    assert after["engine"] == "hls.js"
    assert [e for e in after["errors"] if e["fatal"]] == []
    # Shorter stalls are caused by this machine, which decodes without a graphics card beside compilers.
    assert [s for s in after["stalls"] if (s["durationMs"] or 0) > 1000] == []
    assert_one_after_the_other(f["sn"] for f in after["fragments"] if f["type"] == "main")


def test_shaka_switches_the_pathway_when_its_group_is_drained(packaged_event, watch):
    after = drained_under_its_viewer(packaged_event, watch, packaged_event.playlist_url, channel={"blocking_reload": True}, script="shaka.mjs")
    assert after["errors"] == []
    assert after["loads"] == 1
    assert_one_after_the_other(int(number) for number in re.findall(r"/(?:180|360|720)p/seg-(\d+)\.", "\n".join(after["segments"])))


def asked_under(event, pathway):
    """Requests for media playlists of a pathway."""
    return [line for line in event.balancer.access_log() if f"/~via/{pathway}/" in line["path"] and line["path"].endswith(".m3u8")]
