"""hls.js in headless Chromium, on the viewer page that Tribune serves."""
import pytest
from harness.waiting import in_gate
from packaged_event import CHANNELS, assert_smooth

SECONDS = 20


@pytest.mark.parametrize("channel", in_gate(["demo"], CHANNELS))
def test_hls_js_plays_20_seconds_without_a_stall(packaged_event, watch, channel):
    packaged_event.start(nodes=("stadium", "city"))
    viewer = watch(packaged_event.page_url(channel), SECONDS)
    viewer.wait_playing()
    seen = viewer.wait_done()
    assert_smooth(seen, SECONDS)
    assert seen["after"]["errors"] == []
    assert seen["complaints"] == []
    assert {f["node"] for f in seen["after"]["fragments"]} == {"stadium"}
    assert seen["after"]["position"]["last"] >= seen["before"]["fragments"][0]["sn"] + SECONDS // 2


def test_the_page_reports_the_serving_node(packaged_event, watch):
    packaged_event.start(nodes=("stadium", "city"))
    viewer = watch(packaged_event.page_url("demo", cache="city"), 4)
    viewer.wait_playing()
    seen = viewer.wait_done()
    assert {f["node"] for f in seen["after"]["fragments"]} == {"city"}
    assert packaged_event.segments_served("stadium") == []
