"""Reloads under load, signals and shutdown: requests in progress are unaffected."""
import json
import signal
import threading
import time

import pytest
from harness import telemetry_names
from harness.event import KEYS, merged
from harness.live_channel import segment_bytes
from harness.origin import head, held, ok, raw
from harness.raw_client import Connection, fetch
from harness.waiting import IS_RELEASE, Stopwatch, stretched, wait_until


class Load:
    """Sends requests until stopped, and records those that failed."""

    def __init__(self, work, threads=2):
        self.failures, self.done, self.stopping = [], 0, threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(work,)) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, work):
        while not self.stopping.is_set():
            try:
                work()
                self.done += 1
            except Exception as error:  # noqa: BLE001  whatever it was, it is a failed request
                self.failures.append(repr(error)[:300])

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.every_build
def test_a_valid_reload_takes_effect_and_an_invalid_one_is_rejected_with_line_and_key(event):
    event.start()
    balancer = event.balancer
    good = merged(balancer.config, {})
    good["event"]["channels"] = [*event.channels, event.channel_config("second", event.live.source)]
    balancer.reload(good)
    assert balancer.get("/live/second/index.m3u8").status == 200
    bad = json.dumps(good, indent=1).replace('"channels"', '"chanels"')
    line = balancer.reload(text=bad, expect=telemetry_names.RELOAD_REFUSED)
    number = 1 + next(i for i, text in enumerate(bad.splitlines()) if '"chanels"' in text)
    said = json.dumps(line)
    assert f":{number}:" in said and "chanels" in said and "channels" in said
    assert balancer.get("/live/second/index.m3u8").status == 200, "the old configuration stays"
    balancer.reload(text="{ not json", expect=telemetry_names.RELOAD_REFUSED)
    wait_until(lambda: balancer.metric(telemetry_names.RELOADS, result="refused") == 2, 5)
    assert balancer.is_ready()


@pytest.mark.parametrize("key, change", [("client", {"client": {"max_connections": 77}}), ("process.workers", {"process": {"workers": 3}})])
def test_a_reload_names_the_keys_that_need_a_restart(event, key, change):
    node = event.start_node("stadium", {})
    node.reload(merged(node.config, change))
    node.wait_log("restart_needed", key=key)


def test_a_value_that_is_set_back_needs_no_restart(event):
    node = event.start_node("stadium", {})
    before = merged(node.config, {})
    node.reload(merged(before, {"process": {"workers": 3}}))
    node.wait_log("restart_needed", key="process.workers")
    node.reload(before)
    assert len(node.logged("restart_needed")) == 1


def test_a_hundred_reloads_under_load_fail_no_request(event):
    event.start(nodes=("stadium", "city"))
    # One connection per process is kept over all reloads; new ones are opened all the time.
    kept = {name: Connection(program.address) for name, program in (("balancer", event.balancer), *event.nodes.items())}
    local = threading.local()

    def work():
        if not hasattr(local, "player"):
            local.player = event.player().open()
        player = local.player
        playlist = player.refresh()
        player.play(playlist.last_msn, event.live.bytes_of("v1", playlist.last_msn))

    load = Load(work)
    rounds = 100
    plain = {p: json.dumps(p.config) for p in (event.balancer, *event.nodes.values())}
    for i in range(rounds):
        for program, text in plain.items():
            if i % 10 == 5:
                program.reload(text=text[:-1] + ', "nonsense": 1}', expect=telemetry_names.RELOAD_REFUSED)
            else:
                program.reload(merged(json.loads(text), {"front": {"limits": {"max_header_fields": 90 + i % 10}}}))
        if i % 5 == 0:
            event.live.advance()
        for name, connection in kept.items():
            path = "/live/demo/index.m3u8" if name == "balancer" else "/ping"
            assert connection.request(path).status == 200, f"{name}, round {i}"
    load.stop()
    assert load.failures == [] and load.done > 50, load.failures[:3]
    for program in plain:
        program.wait_metric(telemetry_names.RELOADS, at_least=rounds * 0.9, result="ok")
    for connection in kept.values():
        connection.close()


@pytest.mark.release_too("measures memory")
def test_reloads_leak_nothing(event):
    event.start()
    balancer = event.balancer
    text = json.dumps(balancer.config)
    for _ in range(20):
        balancer.reload(text=text)
    descriptors, memory = balancer.descriptors(), balancer.memory_bytes()
    for _ in range(60):
        balancer.reload(text=text)
    assert balancer.descriptors() <= descriptors + 1
    if IS_RELEASE:
        assert balancer.memory_bytes() - memory < 4 << 20


def test_sigterm_completes_responses_in_progress_and_exits_with_0(event):
    event.live.size = 2 << 20
    event.live.advance()
    event.start(node={"process": {"stop_deadline": "5s"}})
    node = event.nodes["stadium"]
    _, url, expected = event.link()
    assert fetch(url).body == expected
    downloads = []
    for _ in range(10):
        connection = Connection(node.address, receive_buffer=16384)
        connection.send(f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        downloads.append((connection, connection.read_head()))
    idle = Connection(node.address)
    assert idle.request("/ping").status == 200
    node.signal(signal.SIGTERM)
    wait_until(idle.is_closed, 2, "idle connections closed at once")
    wait_until(lambda: refuses(node.address) or node.process.poll() is not None, 2, "listeners closed")
    for connection, answer in downloads:
        connection.read_body(answer)
        assert answer.complete and answer.body == expected
        assert connection.read_to_end() == b""
    took = Stopwatch()
    assert node.wait_end(8) == 0
    assert took.seconds() < stretched(2), "nothing was left to wait for"


def refuses(address):
    try:
        Connection(address, timeout=1).close()
        return False
    except OSError:
        return True


def test_after_sigterm_readiness_is_false_at_once_and_requests_are_served_for_the_stop_delay(event):
    event.start(balancer={"process": {"stop_delay": "2s", "stop_deadline": "1s"}})
    balancer = event.balancer
    assert balancer.is_ready()
    balancer.signal(signal.SIGTERM)
    wait_until(lambda: balancer.admin("/readyz").status == 503, 1, "not ready")
    answer = balancer.get("/live/demo/index.m3u8")
    assert answer.status == 200, "clients that are not yet redirected elsewhere are served"
    assert balancer.wait_end(8) == 0


def test_a_response_during_the_shutdown_has_connection_close(event):
    event.origin.on("/live/demo/v1/seg4.ts", ok(segment_bytes("x", 400_000), "video/mp2t"))
    event.start()
    node = event.nodes["stadium"]
    _, url, _ = event.link(4)
    gate = event.origin.gate()
    body = segment_bytes("x", 400_000)
    event.origin.on("/live/demo/v1/seg4.ts", held(gate, raw(head(200, {"Content-Type": "video/mp2t"}, len(body)) + body, "keep")))
    with Connection(node.address) as connection:
        connection.send(f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        event.origin.wait_for("/live/demo/v1/seg4.ts")
        node.signal(signal.SIGTERM)
        wait_until(lambda: refuses(node.address), 2)
        gate.open()
        answer = connection.read_response()
        assert answer.status == 200 and answer.body == body
        assert answer.header("Connection").lower() == "close"
    assert node.wait_end(8) == 0


def test_requests_that_do_not_end_are_aborted_at_the_stop_deadline(event):
    event.start(node={"process": {"stop_deadline": "1s"}, "cache_node": {"origin": {"first_byte_timeout": "30s"}}})
    node = event.nodes["stadium"]
    _, url, _ = event.link(4)
    gate = event.origin.gate()
    event.origin.on("/live/demo/v1/seg4.ts", held(gate, raw(b"")))
    with Connection(node.address) as connection:
        connection.send(f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        event.origin.wait_for("/live/demo/v1/seg4.ts")
        took = Stopwatch()
        node.signal(signal.SIGTERM)
        assert node.wait_end(6) == 0
        assert 0.8 < took.seconds() < stretched(3)
        rest = connection.read_to_end()
        assert b" 200 " not in rest.split(b"\r\n")[0]


def test_a_second_sigterm_ends_the_process_immediately(event):
    event.start(node={"process": {"stop_deadline": "60s"}, "cache_node": {"origin": {"first_byte_timeout": "30s"}}})
    node = event.nodes["stadium"]
    _, url, _ = event.link(4)
    gate = event.origin.gate()
    event.origin.on("/live/demo/v1/seg4.ts", held(gate, raw(b"")))
    with Connection(node.address) as connection:
        connection.send(f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        event.origin.wait_for("/live/demo/v1/seg4.ts")
        node.signal(signal.SIGTERM)
        node.wait_log("stopping", 3)
        assert node.is_running()
        took = Stopwatch()
        node.signal(signal.SIGTERM)
        node.wait_end(3, expected=None)
        assert took.seconds() < stretched(2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_process_stops_at_once_with_0(event, number):
    event.start()
    for program in (event.balancer, event.nodes["stadium"]):
        took = Stopwatch()
        program.signal(number)
        assert program.wait_end(5) == 0
        assert took.seconds() < stretched(1.5)


@pytest.mark.every_build
def test_stopping_under_load_completes_every_response_that_has_begun(event):
    event.start()
    node = event.nodes["stadium"]
    _, url, expected = event.link()
    fetch(url)
    target = url.split("/", 3)[3]
    begun = {"cut": 0, "whole": 0}

    def work():
        try:
            connection = Connection(node.address)
        except OSError:
            raise StopIteration from None
        with connection:
            if not connection.send_tolerant(f"GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()):
                return
            try:
                answer = connection.read_head()
            except Exception:
                return  # closed before an answer was begun: the client may send it elsewhere
            connection.read_body(answer)
            begun["whole" if answer.complete and answer.body == expected else "cut"] += 1

    load = Load(work, 4)
    wait_until(lambda: load.done > 200, 10)
    node.signal(signal.SIGTERM)
    assert node.wait_end(8) == 0
    load.stop()
    assert begun["cut"] == 0 and begun["whole"] > 100


def test_keys_are_rotated_by_reloads_without_a_failed_segment(event):
    event.start()
    player = event.player().open()
    new = {"id": "k2", "secret": "another-scenario-secret-0123456789"}
    steps = [[*KEYS, new], [new, *KEYS]]
    for keys in steps:
        for program in (event.nodes["stadium"], event.balancer):
            program.reload(merged(program.config, {"event": {"keys": keys}}))
        event.live.advance()
        segment = player.wait_for_msn(event.live.next_msn - 1)
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
        for listed in player.refresh().segments:
            player.play(listed.msn, event.live.bytes_of("v1", listed.msn))
    began = time.monotonic()
    wait_until(lambda: event.is_up("stadium") and time.monotonic() - began > 2.5, 6, "heartbeats with the new key are accepted")


def test_unused_signals_are_logged_and_do_not_end_the_process(event):
    balancer = event.start_balancer()
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        balancer.signal(number)
        balancer.wait_log("signal_unused", signal=int(number))
    assert balancer.is_ready()


def test_a_rejected_reload_still_reopens_the_log(event):
    file = event.folder / "rotated.log"
    balancer = event.programs(event.balancer_config([], {"log": {"file": str(file)}}), "balancer", start=False)
    balancer.spawn()
    wait_until(lambda: file.exists() and '"event":"ready"' in file.read_text(), 8)
    file.rename(event.folder / "rotated.log.1")
    balancer.write_config(None, "{ not json")
    balancer.signal(signal.SIGHUP)
    wait_until(lambda: file.exists() and '"event":"reload_refused"' in file.read_text(), 5)


def test_sigterm_lets_downloads_from_the_plain_cache_complete(event, plain_cache):
    body = bytes(range(256)) * 16384
    event.origin.on("/big", ok(body, fields={"Cache-Control": "max-age=100"}))
    cache = plain_cache(event.origin.url, process={"stop_deadline": "8s"})
    slow = Connection(cache.bound("http_cache"), receive_buffer=16384)
    slow.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = slow.read_head()
    idle = Connection(cache.bound("http_cache"))
    assert idle.request("/big").status == 200
    cache.signal(signal.SIGTERM)
    wait_until(idle.is_closed, 3, "idle connections are closed")
    cache.wait_log("stopping")
    slow.read_body(answer)
    assert answer.complete and answer.body == body
    assert slow.read_to_end() == b""
    took = Stopwatch()
    assert cache.wait_end(8) == 0
    assert took.seconds() < stretched(3), "nothing was left to wait for"


def test_the_plain_cache_serves_new_clients_until_the_stop_delay_is_over(event, plain_cache):
    event.origin.on("/small", ok(b"small", fields={"Cache-Control": "max-age=100"}))
    cache = plain_cache(event.origin.url, process={"stop_delay": "2s", "stop_deadline": "1s"})
    cache.signal(signal.SIGTERM)
    wait_until(lambda: cache.admin("/readyz").status == 503, 2)
    assert fetch("http://" + cache.bound("http_cache") + "/small").body == b"small"
    assert cache.wait_end(8) == 0
