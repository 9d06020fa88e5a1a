"""Sources without a multivariant playlist in Shaka, which plays video without audio only when the codecs are announced."""
import pytest
from harness.waiting import in_gate

SECONDS = 8


@pytest.mark.parametrize("source", in_gate(["demo/180p"], ["demo/180p", "demo-ts/180p"]))
def test_shaka_plays_a_source_without_a_multivariant_playlist(packaged_event, watch, source):
    packaged_event.channels = [packaged_event.channel_config("demo", f"{packaged_event.origin.url}/{source}/index.m3u8", links="auto", blocking_reload=True)]
    packaged_event.start(nodes=("stadium",))
    viewer = watch(packaged_event.playlist_url("demo"), SECONDS, script="shaka.mjs")
    viewer.wait_playing()
    seen = viewer.wait_done()["after"]
    assert [error for error in seen["errors"] if error["code"] is not None] == []
    assert seen["currentTime"] > SECONDS / 2 and seen["loads"] == 1
