"""A store on a full, failing or damaged disk: no wrong byte, no crash loop, and recovery without an operator."""
import os
import re
import subprocess

import pytest
from harness import telemetry_names
from harness.raw_client import fetch
from harness.waiting import wait_until

DEGRADED = "tribune_cache_disk_degraded"


def plays_all(event):
    """Plays every listed segment; the number of them."""
    player = event.player().open()
    player.wait_for_msn(event.live.next_msn - 1)
    segments = player.playlist.segments
    for segment in segments:
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    return len(segments)


def status(node):
    return node.admin("/status").json["cache_node"]


def is_degraded(node):
    return node.metric(DEGRADED) == 1


# -- full and failing --

def test_a_node_on_a_full_disk_serves_from_memory_reports_it_and_recovers_by_itself(event):
    store = event.folder / "store_stadium"
    store.mkdir()
    namespace = ["unshare", "-m", "/bin/sh", "-c", 'mount -t tmpfs -o size=4m none "$0" && exec "$@"', str(store)]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode != 0:
        pytest.skip("needs a mount namespace")
    event.live.size = 1 << 20
    event.live.window = 12
    event.live.advance(12)
    # Nothing may be evicted, so the disk stays full.
    node = event.start_node(changes={"cache_node": {"min_free_bytes": "0B", "min_age": "1h", "fill_buffer_bytes": "64MiB"}}, wrapper=namespace)
    event.start_balancer(["stadium"])
    event.wait_registered("stadium")
    assert plays_all(event) == 12
    node.wait_log("disk_failed")
    wait_until(lambda: is_degraded(node), 5, "the metrics say that the disk is degraded")
    assert status(node)["disk"] != "ok"
    assert plays_all(event) == 12, "once more, from the disk and from memory"
    mend = ["nsenter", "--mount", "--target", str(node.pid), "mount", "-o", "remount,size=64m", "none", str(store)]
    subprocess.run(mend, check=True, capture_output=True)
    node.wait_log("disk_recovered", within=10)
    assert not is_degraded(node) and status(node)["disk"] == "ok"
    before = status(node)["objects"]
    event.live.advance(3)
    plays_all(event)
    wait_until(lambda: status(node)["objects"] > before, 5, "objects are stored again")


@pytest.mark.release_only("traces system calls")
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_temporarily_failing_writes_affect_no_viewer(event, error):
    calls = "pwritev,pwrite64,fdatasync,fsync,ftruncate,rename"
    wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when=4..12"]
    event.live.window = 8
    event.live.advance(8)
    node = event.start_node(wrapper=wrapper)
    event.start_balancer(["stadium"])
    event.wait_registered("stadium", within=15)
    failed = lambda: node.logged("disk_failed") or node.metric("tribune_cache_index_failures_total")  # noqa: E731
    for _ in range(40):
        plays_all(event)
        if failed():
            break
        event.live.advance(1)
    assert failed(), "no write failed"

    def well():
        event.live.advance(1)
        plays_all(event)
        return status(node)["disk"] == "ok" and status(node)["index"] == "ok"
    wait_until(well, 20, "the node is well again")
    assert node.is_running()


# -- damaged --

def stored_files(event, at_least):
    objects = event.folder / "store_stadium" / "objects"
    return [f for f in objects.rglob("*") if f.is_file() and f.stat().st_size >= at_least]


def filled(event):
    """Starts a node, stores one segment and kills the node: (MSN, URL, bytes)."""
    event.start()
    msn, url, expected = event.link()
    assert fetch(url).body == expected
    event.wait_stored("stadium", 1)
    event.nodes["stadium"].kill()
    return msn, url, expected


@pytest.mark.parametrize("at", [0, 0.5, 1])
def test_one_flipped_bit_of_an_object_is_detected_and_the_object_is_filled_again(event, at):
    msn, url, expected = filled(event)
    [file] = stored_files(event, len(expected))
    with open(file, "r+b") as damaged:
        place = min(int(len(expected) * at), len(expected) - 1)
        damaged.seek(place)
        damaged.write(bytes([expected[place] ^ 0x10]))
    node = event.nodes["stadium"].start()
    assert fetch(url).body == expected
    assert event.origin.count(event.live.path_of("v1", msn)) == 2
    assert node.wait_log("object_damaged") and node.metric("tribune_cache_damaged_objects_total") == 1
    assert fetch(url).body == expected
    assert event.origin.count(event.live.path_of("v1", msn)) == 2


def cut(file):
    os.truncate(file, file.stat().st_size - 4096 - 100)


def foreign(file):
    file.write_bytes(b"SQLite format 3\0" * 1024)


def garbled(file):
    data = bytearray(file.read_bytes())
    data[8192:] = b"\xa5" * (len(data) - 8192)
    file.write_bytes(data)


def newer(file):
    data = file.read_bytes()
    newer_data, count = re.subn(rb"tribune cache index \d", b"tribune cache index 9", data)
    assert count
    file.write_bytes(newer_data)


@pytest.mark.parametrize("damage", [cut, foreign, garbled, newer])
def test_a_damaged_index_is_set_aside_logged_and_rebuilt(event, damage):
    msn, url, expected = filled(event)
    index = event.folder / "store_stadium" / "index"
    damage(index / "data.mdb")
    node = event.nodes["stadium"].start()
    node.wait_log("store_set_aside")
    assert list(index.glob("data.mdb.set-aside-*"))
    wait_until(lambda: fetch(url).body == expected, 5, "the segment is filled again")
    wait_until(lambda: len(stored_files(event, len(expected))) == 1, 5, "no orphan is left")
    event.wait_stored("stadium", 1)
    # The new index holds across a restart.
    node.kill()
    node.start()
    assert not node.logged("store_set_aside")
    count = event.origin.count(event.live.path_of("v1", msn))
    assert fetch(url).body == expected
    assert event.origin.count(event.live.path_of("v1", msn)) == count
    wait_until(lambda: node.metric(telemetry_names.INDEX_PENDING) == 0, 5)
