"""A disk that is slow or returns errors: viewers are served, and damaged objects are filled again."""
import os

import pytest
from harness.raw_client import fetch
from harness.waiting import Stopwatch, stretched, wait_until


def assert_plays_quickly(event, upto=5):
    player = event.player().open()
    playlist = player.refresh()
    for segment in playlist.segments[:upto]:
        took = Stopwatch()
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
        assert took.seconds() < stretched(0.8), "a viewer waited for the disk"
    return player


def straced(*injections):
    traced = ",".join(sorted({i.split(":")[0] for i in injections}))
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={traced}", *[w for i in injections for w in ("-e", f"inject={i}")]]


@pytest.mark.release_only("traces system calls")
def test_a_disk_with_one_second_per_sync_delays_no_viewer(event):
    wrapper = straced("fsync:delay_enter=1000000", "fdatasync:delay_enter=1000000", "msync:delay_enter=1000000")
    event.start_node("stadium", wrapper=wrapper)
    event.start_balancer(["stadium"])
    event.wait_registered("stadium", within=15)
    player = assert_plays_quickly(event)
    for segment in player.playlist.segments:
        took = Stopwatch()
        assert fetch(segment.uri).status == 200
        assert took.seconds() < 0.5
    assert event.is_up("stadium"), "heartbeats continue"


@pytest.mark.release_only("traces system calls")
def test_a_read_error_drops_the_object_and_it_is_filled_again(event):
    wrapper = straced("sendfile:error=EIO:when=3+7")
    node = event.start_node("stadium", wrapper=wrapper)
    event.start_balancer(["stadium"])
    event.wait_registered("stadium", within=15)
    msn, url, expected = event.link()
    assert fetch(url).body == expected
    event.wait_stored("stadium", 1)   # objects in RAM are not read from the disk
    for _ in range(30):
        answer = fetch(url)
        if answer.complete and answer.status == 200:
            assert answer.body == expected
        else:
            assert expected.startswith(answer.body) or answer.status >= 500
    wait_until(lambda: fetch(url).body == expected, 5)
    assert event.origin.count(event.live.path_of("v1", msn)) >= 2, "an object that cannot be read is filled again"
    assert node.metric("tribune_cache_damaged_objects_total") >= 1 and node.wait_log("object_damaged")


def test_a_damaged_cache_file_is_detected_and_filled_again(event):
    event.start()
    msn, url, expected = event.link()
    assert fetch(url).body == expected
    node = event.nodes["stadium"]
    store = event.folder / "store_stadium"
    files = wait_until(lambda: [f for f in (store / "objects").rglob("*") if f.is_file() and f.stat().st_size >= len(expected)], 5)
    event.wait_stored("stadium", 1)
    node.kill()
    for file in files:
        os.truncate(file, 1000)
    node.start()
    wait_until(lambda: fetch(url).body == expected, 5)
    assert event.origin.count(event.live.path_of("v1", msn)) == 2
