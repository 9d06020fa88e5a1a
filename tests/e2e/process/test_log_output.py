"""Log output that is full, closed, not read or rotated: requests are served as before."""
import os

from harness import telemetry_names
from harness.parsing import Metrics
from harness.raw_client import fetch
from harness.waiting import Stopwatch, stretched, wait_until


def test_a_log_on_a_full_disk_loses_lines_and_nothing_else(event):
    with open("/dev/full", "wb") as full:
        config = event.balancer_config([])
        balancer = event.programs(config, "balancer", start=False, stdout=full)
        balancer.spawn()
    event.balancer = balancer
    wait_until(lambda: is_served(event.url("balancer") + "/live/demo/index.m3u8"), 8)
    for _ in range(200):
        assert fetch(event.url("balancer") + "/live/demo/index.m3u8").status == 200


def is_served(url):
    try:
        return fetch(url).status == 200
    except OSError:
        return False


def start_with_log_to_pipe(event):
    """The balancer, the URL of a playlist that it serves, and the reading end of the pipe to which it writes its log."""
    read, write = os.pipe()
    balancer = event.programs(event.balancer_config([]), "balancer", start=False, stdout=write)
    balancer.spawn()
    os.close(write)
    url = event.url("balancer") + "/live/demo/index.m3u8"
    wait_until(lambda: is_served(url), 8)
    return balancer, url, read


def admin_with_log_file(event, file):
    """The harness reads the address of the admin listener from the log on standard output; here it is a reserved port."""
    return {"log": {"file": str(file)}, "admin": {"listen": [f"127.0.0.1:{event.port('admin')}"]}}


def test_log_lines_that_cannot_be_written_are_counted(event):
    changes = admin_with_log_file(event, "/dev/full")
    balancer = event.programs(event.balancer_config([], changes), "balancer", start=False)
    balancer.spawn()
    url = event.url("balancer") + "/live/demo/index.m3u8"
    wait_until(lambda: is_served(url), 8)
    for _ in range(50):
        fetch(url)
    dropped = lambda: Metrics(fetch(event.url("admin") + "/metrics").text).sum(telemetry_names.DROPPED_LINES)  # noqa: E731
    wait_until(lambda: dropped() >= 50, 5, "the log thread has failed to write each line")


def test_the_process_survives_when_the_reader_of_its_log_closes_the_pipe(event):
    balancer, url, read = start_with_log_to_pipe(event)
    os.close(read)
    for _ in range(100):
        assert fetch(url).status == 200
    assert balancer.is_running()


def test_a_reader_that_stops_reading_the_log_blocks_no_request(event):
    _, url, read = start_with_log_to_pipe(event)
    for _ in range(1500):
        took = Stopwatch()
        assert fetch(url).status == 200
        assert took.seconds() < stretched(1)
    os.close(read)


def test_no_socket_takes_the_descriptor_of_a_closed_standard_output(event):
    """Otherwise descriptor 1 could become a client's connection, to which log lines are written."""
    config = event.balancer_config([], admin_with_log_file(event, event.folder / "own.log"))
    balancer = event.programs(config, "balancer", start=False, wrapper=["/bin/sh", "-c", 'exec "$@" >&-', "sh"])
    balancer.spawn()
    url = event.url("balancer") + "/live/demo/index.m3u8"
    wait_until(lambda: is_served(url), 8)
    for _ in range(50):
        assert fetch(url).text.startswith("#EXTM3U")
    wait_until(lambda: (event.folder / "own.log").read_text().count('"event":"request"') >= 50, 5, "a log line for each request")


def test_a_reload_reopens_the_log_file(event):
    file = event.folder / "rotated.log"
    balancer = event.programs(event.balancer_config([], admin_with_log_file(event, file)), "balancer", start=False)
    balancer.spawn()
    url = event.url("balancer") + "/live/demo/index.m3u8"
    wait_until(lambda: is_served(url), 8)
    file.rename(event.folder / "rotated.log.1")
    balancer.signal(1)
    wait_until(lambda: is_served(url) and file.exists() and '"event":"request"' in file.read_text(), 5)
