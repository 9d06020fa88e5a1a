"""HLS Content Steering with a real player: hls.js starts on one pathway and takes the other one when its group is drained."""
from harness.routing import ctl
from harness.waiting import wait_until

SECONDS = 10
CHANNEL = "demo"   # it has a rendition of audio, so that two playlists change at once


def test_hls_js_takes_the_other_pathway_when_its_group_is_drained(packaged_event, watch):
    event = packaged_event
    event.channels = [{**entry, "steering": True} for entry in event.channels]
    event.stand(nodes=("stadium", "city"), balancer={"balancer": {"steering": {"ttl": "1s", "ttl_under_pressure": "1s"}, "routing": {"drain_time": "0ms"}}})
    viewer = watch(event.page_url(CHANNEL), SECONDS)
    viewer.wait_playing()
    wait_until(lambda: asked_under(event, "stadium"), 5, "the player is on its first pathway")
    ctl(event, "drain", "stadium")
    wait_until(lambda: asked_under(event, "city"), 10, "the player takes the other pathway")
    wait_until(lambda: event.segments_served("city"), 10, "the other group serves")
    after = viewer.wait_done()["after"]
    assert after["engine"] == "hls.js"
    assert [e for e in after["errors"] if e["fatal"]] == []
    # Shorter ones this machine makes by itself, which decodes without a graphics card beside the compilers.
    assert [s for s in after["stalls"] if (s["durationMs"] or 0) > 1000] == []
    numbers = sorted({f["sn"] for f in after["fragments"] if f["type"] == "main"})
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "segments were skipped"


def asked_under(event, pathway):
    """Media playlists that were asked for under a pathway."""
    return [line for line in event.balancer.accesses() if f"/~via/{pathway}/" in line["path"] and line["path"].endswith(".m3u8")]
