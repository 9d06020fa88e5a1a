"""hls.js in headless Chromium, on the viewer page that Tribune serves."""
import pytest
from stage import CHANNELS, FRAMES_PER_SECOND

SECONDS = 20


def assert_smooth(seen):
    after = seen["after"]
    assert after["engine"] == "hls.js"
    # Of any length. With a second of film and more at hand it was the decoder that stood still, not the stream.
    assert [s for s in after["stalls"] if s["bufferSeconds"] < 1] == []
    assert [e for e in after["errors"] if e["fatal"] or "Stalled" in e["details"]] == []
    # A stall shows above. The wall clock and the count of frames also tell how busy this machine is, which decodes without a
    # graphics card beside the compilers: they are only asked whether the film ran and was seen.
    played = after["currentTime"] - seen["before"]["currentTime"]
    assert seen["wallSeconds"] < 1.5 * played + 2
    assert after["shownFrames"] - seen["before"]["shownFrames"] > 0.3 * FRAMES_PER_SECOND * SECONDS


@pytest.mark.parametrize("channel", CHANNELS)
def test_hls_js_plays_20_seconds_without_a_stall(packaged_event, watch, channel):
    packaged_event.stand(nodes=("stadium", "city"))
    viewer = watch(packaged_event.page_url(channel), SECONDS)
    viewer.wait_playing()
    seen = viewer.wait_done()
    assert_smooth(seen)
    assert seen["after"]["errors"] == []
    assert seen["complaints"] == []
    assert {f["node"] for f in seen["after"]["fragments"]} == {"stadium"}
    assert seen["after"]["position"]["last"] >= seen["before"]["fragments"][0]["sn"] + SECONDS // 2


def test_the_page_says_which_node_serves(packaged_event, watch):
    packaged_event.stand(nodes=("stadium", "city"))
    viewer = watch(packaged_event.page_url("demo", cache="city"), 4)
    viewer.wait_playing()
    seen = viewer.wait_done()
    assert {f["node"] for f in seen["after"]["fragments"]} == {"city"}
    assert packaged_event.segments_served("stadium") == []
