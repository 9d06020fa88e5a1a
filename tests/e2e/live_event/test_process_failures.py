"""Processes that are killed, hang or restart: viewers keep playing, and no damaged byte is served."""
import random
import signal
import subprocess
import threading
import time
from statistics import median

import pytest
from harness import telemetry_names
from harness.event import merged
from harness.live_channel import segment_bytes
from harness.origin import ok, paced
from harness.raw_client import fetch
from harness.waiting import LONG, SLOW, Stopwatch, assert_throughout, stretched, wait_until

pytestmark = pytest.mark.release_too("its deadlines are those of the product; sanitized programs get longer ones")

LIVE_NODES = ("stadium", "city")


def test_a_killed_node_is_removed_within_two_seconds_and_added_again(event):
    event.start(nodes=LIVE_NODES)
    for name in LIVE_NODES:
        took = Stopwatch()
        event.nodes[name].kill()
        wait_until(lambda n=name: not event.is_up(n), 3)
        assert took.seconds() < stretched(2.2)
        event.balancer.wait_log(telemetry_names.NODE_LOST, node=name)
        event.nodes[name].start()
        event.wait_registered(name)
        event.balancer.wait_log(telemetry_names.NODE_FOUND, node=name)


def test_a_killed_node_is_removed_before_its_heartbeat_times_out(event):
    event.start(nodes=LIVE_NODES, balancer={"balancer": {"node_timeout": "30s", "routing": {"probe_period": "200ms"}}})
    wait_until(lambda: len(event.nodes["stadium"].access_log(path="/ping", status=200)) >= 2, 5, "the balancer knows that its probes reach the node")
    event.balancer.wait_metric("tribune_balancer_news_questions_total", at_least=2, result="accepted")
    event.nodes["stadium"].kill()
    wait_until(lambda: not event.is_up("stadium"), 10)
    assert event.node_state("stadium")["reason"] == "the node closed its connection, and a probe cannot reach it"
    event.nodes["stadium"].start()
    event.wait_registered("stadium")


def test_a_hanging_node_is_removed_within_two_seconds_and_added_again(event):
    event.start(nodes=LIVE_NODES)
    took = Stopwatch()
    event.nodes["stadium"].signal(signal.SIGSTOP)
    wait_until(lambda: not event.is_up("stadium"), 3)
    assert took.seconds() < stretched(2.2)
    event.live.advance()
    player = event.player().open()
    segment = player.wait_for_msn(event.live.next_msn - 1)
    assert segment.text.startswith(event.nodes["city"].url)
    event.nodes["stadium"].signal(signal.SIGCONT)
    wait_until(lambda: event.is_up("stadium"), 4)


def test_redirects_lead_to_a_live_node_when_one_is_removed(event):
    event.channels = [event.channel_config("demo", event.live.source, links="redirect")]
    event.start(nodes=LIVE_NODES)
    player = event.player().open()
    player.refresh()
    first = player.play(4, event.live.bytes_of("v1", 4)) and player.nodes[-1]
    dead = next(name for name in LIVE_NODES if event.nodes[name].address == first)
    event.nodes[dead].kill()
    wait_until(lambda: not event.is_up(dead), 3)
    player.play(4, event.live.bytes_of("v1", 4))
    assert player.nodes[-1] != first


def test_the_balancer_keeps_listing_segments_when_every_node_looks_dead(event):
    event.start()
    player = event.player().open()
    player.refresh()
    event.nodes["stadium"].signal(signal.SIGSTOP)
    wait_until(lambda: not event.is_up("stadium"), 3)
    event.live.advance()
    segment = player.wait_for_msn(event.live.next_msn - 1)
    assert segment.text.startswith(event.url("stadium"))
    event.nodes["stadium"].signal(signal.SIGCONT)
    player.play(segment.msn, event.live.bytes_of("v1", segment.msn))


def test_a_healthy_node_does_not_flap(event):
    event.start(nodes=LIVE_NODES)
    assert_throughout(lambda: all(event.is_up(n) for n in LIVE_NODES), 6)
    assert event.balancer.logged(telemetry_names.NODE_LOST) == []


def test_forged_replayed_and_old_heartbeats_are_rejected(event):
    event.start()
    body = b'{"node":"stadium","public_url":"http://198.51.100.1","version":"0","run":"x","sent_unix_ms":1,"healthy":true}'
    refused = 0
    for headers in ({}, {"X-Tribune-Signature": "k1.1.AAAA"}, {"X-Tribune-Signature": f"k1.{int(time.time() * 1000)}.{'A' * 22}"}):
        answer = fetch(event.balancer.url + "/internal/v1/nodes/stadium", "POST", {"Content-Type": "application/json", **headers}, body)
        assert answer.status in (400, 401, 403), answer
        refused += 1
    assert refused == 3
    _, url, _ = event.link()
    assert url.startswith(event.nodes["stadium"].url)
    event.balancer.wait_metric(telemetry_names.HEARTBEATS, at_least=3, result="forged")
    event.balancer.wait_log("heartbeat_refused")


def test_an_unknown_node_is_rejected(event):
    event.start()
    stranger = event.programs(merged(event.node_config("stranger"), {}), "stranger")
    event.balancer.wait_metric(telemetry_names.HEARTBEATS, 1, 6, result="unknown_node")
    assert not stranger.is_ready()
    assert "stranger" not in {n["id"] for n in event.balancer.admin("/status").json["balancer"]["nodes"]}


def test_nodes_serve_and_restart_without_the_balancer(event):
    event.start()
    msn, url, expected = event.link(4)
    _, cold, cold_bytes = event.link(3)
    wait_until((event.folder / "store_stadium" / "channel_map.json").exists, 5, "the map is on disk")
    event.balancer.kill()
    assert fetch(url).body == expected
    node = event.nodes["stadium"]
    node.kill()
    node.start()
    assert fetch(cold).body == cold_bytes, "filled with the map that was kept on disk"
    assert fetch(url).body == expected
    event.balancer.start()
    wait_until(lambda: event.is_up("stadium"), 6)


class Viewer:
    """Plays on a thread until stopped, and retries a failed segment as players do; records its longest time without a segment."""

    def __init__(self, event, **options):
        self.event, self.player, self.options = event, event.player(**options).open(), options
        self.played, self.longest_gap, self.failure = [], 0.0, None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        last = time.monotonic()
        try:
            while not self.stopping.is_set():
                try:
                    self.player.refresh()
                except OSError:
                    self.stopping.wait(0.05)
                    continue
                fresh = [s for s in self.player.playlist.segments if not self.played or s.msn > self.played[-1]]
                if not fresh:
                    self.stopping.wait(0.05)
                    continue
                msn = fresh[0].msn
                self._play(msn)
                self.longest_gap = max(self.longest_gap, time.monotonic() - last)
                last = time.monotonic()
                self.played.append(msn)
        except BaseException as error:  # noqa: BLE001  shown by stop()
            self.failure = error

    def _play(self, msn):
        expected = self.event.live.bytes_of("v1", msn)
        while not self.stopping.is_set():
            try:
                return self.player.play(msn, expected)
            except (OSError, AssertionError) as error:
                if "differs" in str(error):
                    raise
                self.stopping.wait(0.1)
                try:
                    self.player.refresh()
                except OSError:
                    pass
        return None

    def has_played(self, count):
        if self.failure:
            raise self.failure
        return len(self.played) > count

    def stop(self):
        self.stopping.set()
        self.thread.join()
        if self.failure:
            raise self.failure
        assert self.played == list(range(self.played[0], self.played[-1] + 1)), "segments in their order, none left out"
        return self


class Packager:
    """Publishes a segment every second of real time."""

    def __init__(self, live):
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(live,))
        self.thread.start()

    def _run(self, live):
        while not self.stopping.wait(1.0):
            live.advance()

    def stop(self):
        self.stopping.set()
        self.thread.join()


def test_players_keep_playing_while_a_node_is_killed_and_restarted(event):
    event.channels = [event.channel_config("demo", event.live.source, links="redirect")]
    event.start(nodes=LIVE_NODES)
    packager, viewers = Packager(event.live), [Viewer(event) for _ in range(3)]
    wait_until(lambda: all(v.has_played(6) for v in viewers), 15)
    victim = next(n for n in LIVE_NODES if event.nodes[n].address == viewers[0].player.nodes[-1])
    event.nodes[victim].kill()
    count = len(viewers[0].played)
    wait_until(lambda: all(v.has_played(count + 4) for v in viewers), 15)
    event.nodes[victim].start()
    event.wait_registered(victim)
    wait_until(lambda: all(v.has_played(count + 7) for v in viewers), 15)
    packager.stop()
    for viewer in viewers:
        viewer.stop()
        # A player holds three target durations: a gap below that is no stall.
        assert viewer.longest_gap < stretched(3), viewer.longest_gap


def test_players_keep_playing_while_the_balancer_is_killed_and_restarted(event):
    event.start(nodes=LIVE_NODES)
    packager, viewers = Packager(event.live), [Viewer(event) for _ in range(3)]
    wait_until(lambda: all(v.has_played(6) for v in viewers), 15)
    event.balancer.kill()
    event.balancer.start()
    count = len(viewers[0].played)
    wait_until(lambda: all(v.has_played(count + 5) for v in viewers), 15)
    packager.stop()
    for viewer in viewers:
        viewer.stop()
        assert viewer.longest_gap < stretched(3), viewer.longest_gap


def copy_state(event, to):
    """Copies the state as docs/operations.md describes under "A standby balancer", while the balancer runs."""
    to.mkdir()
    subprocess.run(["mdb_copy", "-c", str(event.folder / "balancer_state"), str(to)], check=True)


def test_a_standby_balancer_with_a_copy_of_the_state_takes_over_the_viewers_of_a_dead_one(event):
    event.start(nodes=LIVE_NODES)
    players = [event.player(query=f"?cache={name}").open() for name in LIVE_NODES]
    for player in players:
        player.refresh()
    event.live.restart()   # the origin's numbers begin again: how they are mapped to the players' is in the state
    for player in players:
        player.wait_for_msn(7)
    wait_until(lambda: event.balancer.admin("/status").json["balancer"]["unsaved_pins"] == 0, 5, "the state is on disk")
    copy_state(event, event.folder / "standby_state")
    event.live.advance(2)
    for player in players:
        player.wait_for_msn(9)
    event.balancer.kill()
    event.start_balancer(LIVE_NODES, {"balancer": {"state_dir": str(event.folder / "standby_state")}})
    for name in LIVE_NODES:
        event.wait_registered(name)
    for msn in (10, 11, 12):
        event.live.advance()
        for player in players:
            player.wait_for_msn(msn)   # the player itself checks that no listed segment changes
            player.play(msn, event.live.bytes_of("v1", msn - 5))


def test_a_node_that_is_killed_repeatedly_serves_no_damaged_byte_and_leaves_no_orphaned_file(event):
    count = 40
    event.live.size = 512 * 1024
    event.live.window = count
    event.live.advance(count)
    # The store holds a third of the objects, so that it always evicts.
    event.start(node={"cache_node": {"max_bytes": "16MiB", "min_age": "0s"}})
    player = event.player().open()
    urls = {s.msn: s.uri for s in player.refresh().segments}
    node, chance = event.nodes["stadium"], random.Random(20)
    for msn in urls:  # slow enough that kills happen during fills
        event.origin.on(event.live.path_of("v1", msn), paced(event.live.bytes_of("v1", msn), 32 << 20))
    damaged, served, stopping = [], [0], threading.Event()

    def read(seed):
        mine = random.Random(seed)
        while not stopping.is_set():
            msn = mine.choice(list(urls))
            try:
                answer = fetch(urls[msn], timeout=5)
            except Exception:  # noqa: BLE001  the node is dead at the moment
                stopping.wait(0.02)
                continue
            if answer.status == 200:
                served[0] += 1
                whole = event.live.bytes_of("v1", msn)
                if (answer.complete and answer.body != whole) or not whole.startswith(answer.body):
                    damaged.append((msn, answer))

    readers = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for reader in readers:
        reader.start()
    took = []
    try:
        for _ in range(200 if LONG else 20):
            before = served[0]
            wait_until(lambda: served[0] >= before + chance.randint(1, 12), 10, "segments served between the kills")
            node.kill()
            starting = Stopwatch()
            node.start()
            assert fetch(node.url + "/ping").status == 200
            took.append(starting.seconds())
    finally:
        stopping.set()
        for reader in readers:
            reader.join()
    assert median(took) < 2 * SLOW, "ready within two seconds"
    assert damaged == []
    # What the store holds on disk is what the index knows, within the bound.
    wait_until(lambda: stored_bytes(event) <= (16 << 20) + 2 * event.live.size, 5, "no orphan grows the disk")
    known = node.admin("/status").json["cache_node"]["stored_bytes"]
    assert known <= 16 << 20
    wait_until(lambda: abs(stored_bytes(event) - node.admin("/status").json["cache_node"]["stored_bytes"]) < event.live.size, 5,
               "files and index agree: no file without a record, no record without a file")
    for msn in list(urls)[:10]:
        assert fetch(urls[msn]).body == event.live.bytes_of("v1", msn)


def stored_bytes(event):
    total = 0
    for file in (event.folder / "store_stadium").rglob("*"):
        try:
            if file.is_file() and not file.name.endswith(".mdb"):
                total += file.stat().st_size
        except FileNotFoundError:
            pass
    return total


def test_objects_completed_before_a_kill_are_served_after_it_without_the_origin(event):
    event.start()
    player = event.player().open()
    playlist = player.refresh()
    for segment in playlist.segments:
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    node = event.nodes["stadium"]
    event.wait_stored("stadium", len(playlist.segments))
    node.kill()
    event.origin.refuse()
    node.start()
    wait_until(node.is_ready, 5, "the node has the channel map, which may not have been on disk yet")
    for segment in playlist.segments:
        assert fetch(segment.uri).body == event.live.bytes_of("v1", segment.msn)


def test_eviction_keeps_the_store_within_its_limit(event):
    event.live.size = 1 << 20
    event.live.window = 40
    event.live.advance(40)
    event.start(node={"cache_node": {"max_bytes": "16MiB", "min_age": "0s"}})
    player = event.player().open()
    for segment in player.refresh().segments:
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    node = event.nodes["stadium"]
    wait_until(lambda: stored_bytes(event) <= 17 << 20, 5)
    node.wait_metric(telemetry_names.EVICTIONS, at_least=20)
    last = player.playlist.segments[-1]
    count = event.origin.count(event.live.path_of("v1", last.msn))
    player.play(last.msn, event.live.bytes_of("v1", last.msn))
    assert event.origin.count(event.live.path_of("v1", last.msn)) == count, "the newest is still there"


def test_an_object_larger_than_the_store_is_not_stored(event):
    big = segment_bytes("big", 20 << 20)
    event.origin.on("/live/demo/v1/seg4.ts", ok(big, "video/mp2t"))
    event.start(node={"cache_node": {"max_bytes": "16MiB", "min_age": "0s"}})
    _, url, _ = event.link(4)
    answer = fetch(url, timeout=20)
    assert answer.status in (200, 502, 503)
    if answer.status == 200 and answer.complete:
        assert answer.body == big
    _, other, expected = event.link(3)
    assert fetch(other).body == expected
