"""Disks that are slow or fail, and logs that nobody takes (fault 34): the loops do not notice."""
import os
import shutil

import pytest
from harness import words
from harness.waiting import IS_RELEASE, Stopwatch, stretched, wait_until
from harness.wire import fetch


def plays(event, upto=5):
    player = event.player().open()
    playlist = player.refresh()
    for segment in playlist.segments[:upto]:
        took = Stopwatch()
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
        assert took.seconds() < stretched(0.8), "a viewer waited for the disk"
    return player


def straced(*injections):
    if not IS_RELEASE:
        pytest.skip("system calls are traced in the release build")
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    traced = ",".join(sorted({i.split(":")[0] for i in injections}))
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={traced}", *[w for i in injections for w in ("-e", f"inject={i}")]]


def test_a_disk_that_takes_a_second_for_each_sync_slows_nobody(event):
    wrapper = straced("fsync:delay_enter=1000000", "fdatasync:delay_enter=1000000", "msync:delay_enter=1000000")
    event.start_node("stadium", wrapper=wrapper)
    event.start_balancer(["stadium"])
    event.wait_heard("stadium", within=15)
    player = plays(event)
    for segment in player.playlist.segments:
        took = Stopwatch()
        assert fetch(segment.uri).status == 200
        assert took.seconds() < 0.5
    assert event.is_listed("stadium"), "heartbeats go on"


def test_a_read_error_of_the_disk_drops_the_object_and_fills_it_again(event):
    wrapper = straced("sendfile:error=EIO:when=3+7")
    node = event.start_node("stadium", wrapper=wrapper)
    event.start_balancer(["stadium"])
    event.wait_heard("stadium", within=15)
    msn, url, expected = event.link()
    assert fetch(url).body == expected
    event.wait_stored("stadium", 1)   # from RAM there is nothing to be read from the disk
    for _ in range(30):
        answer = fetch(url)
        if answer.complete and answer.status == 200:
            assert answer.body == expected
        else:
            assert expected.startswith(answer.body) or answer.status >= 500
    wait_until(lambda: fetch(url).body == expected, 5)
    assert event.origin.count(event.live.path_of("v1", msn)) >= 2, "an object that cannot be read is filled again"
    assert node.metric("tribune_cache_damaged_objects_total") >= 1 and node.wait_log("object_damaged")


def test_a_log_on_a_full_disk_costs_lines_and_nothing_else(event):
    with open("/dev/full", "wb") as full:
        config = event.balancer_config([])
        balancer = event.programs(config, "balancer", start=False, stdout=full)
        balancer.spawn()
    event.balancer = balancer
    wait_until(lambda: answers(event.url("balancer") + "/live/demo/index.m3u8"), 8)
    for _ in range(200):
        assert fetch(event.url("balancer") + "/live/demo/index.m3u8").status == 200


def answers(url):
    try:
        return fetch(url).status == 200
    except OSError:
        return False


def admin_with_log_file(event, file):
    """The admin port is told by the log, so here it is a reserved one."""
    return {"log": {"file": str(file)}, "admin": {"listen": [f"127.0.0.1:{event.port('admin')}"]}}


def test_lines_that_cannot_be_written_are_counted(event):
    changes = admin_with_log_file(event, "/dev/full")
    balancer = event.programs(event.balancer_config([], changes), "balancer", start=False)
    balancer.spawn()
    url = event.url("balancer") + "/live/demo/index.m3u8"
    wait_until(lambda: answers(url), 8)
    for _ in range(50):
        fetch(url)
    from harness.reading import Metrics
    dropped = lambda: Metrics(fetch(event.url("admin") + "/metrics").text).sum(words.DROPPED_LINES)  # noqa: E731
    wait_until(lambda: dropped() >= 50, 5, "the log's thread has met the full disk with each line")


def test_a_reader_of_the_log_that_goes_away_kills_nobody(event):
    read, write = os.pipe()
    balancer = event.programs(event.balancer_config([]), "balancer", start=False, stdout=write)
    balancer.spawn()
    os.close(write)
    url = event.url("balancer") + "/live/demo/index.m3u8"
    wait_until(lambda: answers(url), 8)
    os.close(read)
    for _ in range(100):
        assert fetch(url).status == 200
    assert balancer.is_running()


def test_a_reader_of_the_log_that_stops_reading_blocks_nobody(event):
    read, write = os.pipe()
    balancer = event.programs(event.balancer_config([]), "balancer", start=False, stdout=write)
    balancer.spawn()
    os.close(write)
    url = event.url("balancer") + "/live/demo/index.m3u8"
    wait_until(lambda: answers(url), 8)
    for _ in range(1500):
        took = Stopwatch()
        assert fetch(url).status == 200
        assert took.seconds() < stretched(1)
    os.close(read)


def test_standard_output_that_was_closed_at_the_start_is_no_place_for_a_socket(event):
    """Descriptor 1 must not become a client's connection that log lines are written to."""
    config = event.balancer_config([], admin_with_log_file(event, event.folder / "own.log"))
    balancer = event.programs(config, "balancer", start=False, wrapper=["/bin/sh", "-c", 'exec "$@" >&-', "sh"])
    balancer.spawn()
    url = event.url("balancer") + "/live/demo/index.m3u8"
    wait_until(lambda: answers(url), 8)
    for _ in range(50):
        assert fetch(url).text.startswith("#EXTM3U")
    wait_until(lambda: (event.folder / "own.log").read_text().count('"event":"request"') >= 50, 5, "a line for each")


def test_the_log_file_is_opened_anew_on_reload(event):
    file = event.folder / "rotated.log"
    balancer = event.programs(event.balancer_config([], admin_with_log_file(event, file)), "balancer", start=False)
    balancer.spawn()
    url = event.url("balancer") + "/live/demo/index.m3u8"
    wait_until(lambda: answers(url), 8)
    file.rename(event.folder / "rotated.log.1")
    balancer.signal(1)
    wait_until(lambda: answers(url) and file.exists() and '"event":"request"' in file.read_text(), 5)


def test_a_damaged_cache_file_is_found_and_filled_again(event):
    event.stand()
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
