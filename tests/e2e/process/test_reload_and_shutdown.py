"""Reloading under load and stopping (faults 37, 38): nobody who is being served notices."""
import json
import signal
import threading
import time

import pytest
from harness import telemetry_names
from harness.event import KEYS, merged
from harness.live_channel import segment_bytes
from harness.origin import head, held, ok, raw
from harness.waiting import IS_RELEASE, Stopwatch, stretched, wait_until
from harness.raw_client import Connection, fetch


class Load:
    """Steady requests until stopped; remembers every one that failed."""

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


def test_a_good_file_takes_effect_and_a_bad_one_is_refused_with_line_and_key(event):
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
def test_what_a_reload_cannot_change_is_named(event, key, change):
    node = event.start_node("stadium", {})
    node.reload(merged(node.config, change))
    node.wait_log("restart_needed", key=key)


def test_a_value_that_returned_to_what_runs_needs_no_restart(event):
    node = event.start_node("stadium", {})
    before = merged(node.config, {})
    node.reload(merged(before, {"process": {"workers": 3}}))
    node.wait_log("restart_needed", key="process.workers")
    node.reload(before)
    assert len(node.logged("restart_needed")) == 1


def test_a_hundred_reloads_under_load_fail_no_request(event):
    event.start(nodes=("stadium", "city"))
    # One connection kept through all reloads, and new ones all the time.
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


def test_sigterm_finishes_what_is_under_way_and_exits_with_0(event):
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


def test_readiness_is_false_at_once_and_the_front_door_stays_open_for_the_delay(event):
    event.start(balancer={"process": {"stop_delay": "2s", "stop_deadline": "1s"}})
    balancer = event.balancer
    assert balancer.is_ready()
    balancer.signal(signal.SIGTERM)
    wait_until(lambda: balancer.admin("/readyz").status == 503, 1, "not ready")
    answer = balancer.get("/live/demo/index.m3u8")
    assert answer.status == 200, "who has not noticed yet is still served"
    assert balancer.wait_end(8) == 0


def test_an_answer_during_the_stop_says_connection_close(event):
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


def test_work_that_does_not_end_is_cut_at_the_deadline(event):
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


def test_a_second_sigterm_ends_now(event):
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
def test_an_idle_program_stops_at_once_with_0(event, number):
    event.start()
    for program in (event.balancer, event.nodes["stadium"]):
        took = Stopwatch()
        program.signal(number)
        assert program.wait_end(5) == 0
        assert took.seconds() < stretched(1.5)


def test_stopping_during_load_fails_no_answer_that_was_begun(event):
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


def test_keys_can_be_rotated_by_reloads_without_a_failed_segment(event):
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
    wait_until(lambda: event.is_up("stadium") and time.monotonic() - began > 2.5, 6, "heartbeats of the new key are believed")


def test_signals_that_mean_nothing_end_nothing_and_are_in_the_log(event):
    balancer = event.start_balancer()
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        balancer.signal(number)
        balancer.wait_log("signal_unused", signal=int(number))
    assert balancer.is_ready()


def test_a_refused_reload_opens_the_log_anew_all_the_same(event):
    file = event.folder / "rotated.log"
    balancer = event.programs(event.balancer_config([], {"log": {"file": str(file)}}), "balancer", start=False)
    balancer.spawn()
    wait_until(lambda: file.exists() and '"event":"ready"' in file.read_text(), 8)
    file.rename(event.folder / "rotated.log.1")
    balancer.write_config(None, "{ not json")
    balancer.signal(signal.SIGHUP)
    wait_until(lambda: file.exists() and '"event":"reload_refused"' in file.read_text(), 5)


def test_sigterm_lets_downloads_of_the_plain_cache_end(event, plain_cache):
    body = bytes(range(256)) * 16384
    event.origin.on("/big", ok(body, fields={"Cache-Control": "max-age=100"}))
    cache = plain_cache(event.origin.url, process={"stop_deadline": "8s"})
    slow = Connection(cache.bound("proxy"), receive_buffer=16384)
    slow.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = slow.read_head()
    idle = Connection(cache.bound("proxy"))
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


def test_the_plain_cache_serves_newcomers_until_the_stop_delay_is_over(event, plain_cache):
    event.origin.on("/small", ok(b"small", fields={"Cache-Control": "max-age=100"}))
    cache = plain_cache(event.origin.url, process={"stop_delay": "2s", "stop_deadline": "1s"})
    cache.signal(signal.SIGTERM)
    wait_until(lambda: cache.admin("/readyz").status == 503, 2)
    assert fetch("http://" + cache.bound("proxy") + "/small").body == b"small"
    assert cache.wait_end(8) == 0
