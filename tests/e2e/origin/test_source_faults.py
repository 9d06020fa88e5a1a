"""A source with faults: the balancer keeps the last good playlist for a bounded time, and recovers by itself."""
import gzip
import re
import time

import pytest
from harness import telemetry_names
from harness.event import merged
from harness.live_channel import LiveChannel
from harness.origin import head, held, ok, raw, redirect, status
from harness.raw_client import fetch
from harness.waiting import IS_RELEASE, Stopwatch, assert_throughout, stretched, wait_until

KIND = {"Content-Type": "application/vnd.apple.mpegurl"}
MEDIA = "/live/demo/v1/index.m3u8"


@pytest.fixture
def player(event):
    """A player that has loaded the playlist of a working source. The target duration is 2 s, so that the last good playlist
    stays for 3 s, without a longer stale_time."""
    event.live.target = 2
    event.channels[0]["stale_time"] = "0ms"
    event.start(balancer={"balancer": {"origin": {"connect_timeout": "500ms", "first_byte_timeout": "1s", "low_speed_window": "1s"}}})
    player = event.player().open()
    player.refresh()
    return player


def assert_keeps_playlist(event, player, script, path=MEDIA, least_seconds=1.0):
    """The source fails: the failure is counted and logged, and players keep the last good playlist for `least_seconds`."""
    failures = event.balancer.metric(telemetry_names.SOURCE_FAILURES)
    good = player.playlist.text
    broken = time.monotonic()
    asked = event.origin.count(path)
    event.origin.on(path, script)

    def is_noticed():
        answer = player.try_refresh()
        if time.monotonic() - broken < least_seconds:
            assert answer.status == 200, f"gone after {time.monotonic() - broken:.2f} s: {answer}"
        return event.balancer.metric(telemetry_names.SOURCE_FAILURES) > failures
    wait_until(is_noticed, 6, "the failure is counted")
    assert event.origin.count(path) > asked
    event.balancer.wait_log(telemetry_names.SOURCE_FAILED)
    assert player.playlist.text == good


def assert_recovers(event, player, path=MEDIA):
    """The source works again: players continue without a restart."""
    event.origin.on(path, ok(lambda: event.live.media("v1"), "application/vnd.apple.mpegurl"))
    event.live.advance()
    segment = player.wait_for_msn(event.live.next_msn - 1, within=8)
    player.play(segment.msn, event.live.bytes_of("v1", segment.msn))


GOOD = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:90\n#EXTINF:2,\nseg90.ts\n"
BAD_ANSWERS = {
    "HTML with 200": raw(head(200, {"Content-Type": "text/html"}, 26) + b"<html><body>login</body>\r\n", "keep"),
    "an empty file": raw(head(200, KIND, 0), "keep"),
    "only a newline": raw(head(200, KIND, 1) + b"\n", "keep"),
    "a 500": status(500),
    "a 404": status(404),
    "a 403": status(403),
    "a body cut": raw(head(200, KIND, len(GOOD) + 50) + GOOD),
    "a body reset": raw(head(200, KIND, len(GOOD) + 50) + GOOD, "reset"),
    "chunked without end": raw(head(200, {**KIND, "Transfer-Encoding": "chunked"}) + b"%x\r\n" % len(GOOD) + GOOD + b"\r\n"),
    "gzip that is cut": raw(head(200, {**KIND, "Content-Encoding": "gzip"}, 30) + gzip.compress(GOOD)[:30], "keep"),
    "gzip that is not": raw(head(200, {**KIND, "Content-Encoding": "gzip"}, len(GOOD)) + GOOD, "keep"),
    "two lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD, "keep"),
    "length and chunked": raw(head(200, {**KIND, "Content-Length": "3", "Transfer-Encoding": "chunked"}) + b"%x\r\n" % len(GOOD) + GOOD + b"\r\n0\r\n\r\n", "keep"),
    "more than announced": raw(head(200, KIND, 30) + GOOD, "keep"),
    "a head cut": raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\nContent-Le"),
    "HTTP/0.9": raw(GOOD),
    "a field of 64 KiB": raw(head(200, {**KIND, "X": "y" * 65536}, len(GOOD)) + GOOD, "keep"),
    "300 fields": raw(head(200, {**KIND, **{f"X-{i}": "y" for i in range(300)}}, len(GOOD)) + GOOD, "keep"),
    "NUL in the head": raw(b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD, "keep"),
    "status 20": raw(b"HTTP/1.1 20 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD, "keep"),
    "status 999": raw(b"HTTP/1.1 999 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD, "keep"),
    "a flood of 1xx": raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + head(200, KIND, len(GOOD)) + GOOD, "keep"),
    "a multivariant playlist in place of a media playlist": raw(head(200, KIND, 58) + b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/index.m3u8\n\n\n\n\n\n", "keep"),
}


@pytest.mark.parametrize("fault", BAD_ANSWERS)
def test_an_invalid_response_leaves_the_last_good_playlist_and_the_channel_recovers_by_itself(event, player, fault):
    assert_keeps_playlist(event, player, BAD_ANSWERS[fault])
    assert_recovers(event, player)


BAD_TEXTS = {
    "a media sequence beyond 64 bits": GOOD.replace(b":90\n", b":99999999999999999999\n"),
    "NUL": GOOD.replace(b"seg90", b"seg\x0090"),
    "EXTINF without a duration": GOOD.replace(b"#EXTINF:2,", b"#EXTINF:,"),
    "tags of both kinds": GOOD + b"#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n",
    "a URI of another origin": GOOD.replace(b"seg90.ts", b"http://198.51.100.1/seg90.ts"),
    "a URI of another scheme": GOOD.replace(b"seg90.ts", b"file:///etc/passwd"),
    "recursive DEFINE": GOOD.replace(b"seg90", b"{$a}").replace(b"#EXTINF", b'#EXT-X-DEFINE:NAME="a",VALUE="{$b}{$b}"\n#EXT-X-DEFINE:NAME="b",VALUE="{$a}{$a}"\n#EXTINF'),
    "an undefined variable": GOOD.replace(b"seg90", b"{$none}"),
    "growing DEFINE": GOOD.replace(b"seg90", b"{$v40}").replace(
        b"#EXTINF", b'#EXT-X-DEFINE:NAME="v0",VALUE="aaaaaaaaaaaaaaaa"\n' + b"".join(
            b'#EXT-X-DEFINE:NAME="v%d",VALUE="{$v%d}{$v%d}"\n' % (i, i - 1, i - 1) for i in range(1, 41)) + b"#EXTINF", 1),
    "a line of 1 MiB": GOOD + b"#EXT-X-VENDOR:" + b"x" * (1 << 20) + b"\n",
}


@pytest.mark.release_too("measures processor time and memory")
@pytest.mark.parametrize("fault", BAD_TEXTS)
def test_a_damaged_or_hostile_playlist_is_rejected_quickly_and_the_last_good_one_stays(event, player, fault):
    spent = processor_seconds(event.balancer)
    assert_keeps_playlist(event, player, ok(BAD_TEXTS[fault], "application/vnd.apple.mpegurl"))
    if IS_RELEASE:
        assert processor_seconds(event.balancer) - spent < 0.3
    assert_recovers(event, player)


def processor_seconds(program):
    return time.clock_gettime((~program.pid << 3) | 2)


def endless(kind, piece, count):
    def script(request, wire):
        wire.send(head(200, kind))
        for _ in range(count):
            wire.send(piece)
        wire.close()
    return script


PACKED = gzip.compress(GOOD + b"#EXT-X-VENDOR:" + b"0" * 60 + b"\n" * (200 << 20), 9)
HUGE = {
    "50 MiB": endless(KIND, b"#EXTINF:2,\nsegment.ts\n" * 5000, 480),
    "a million segments": endless(KIND, b"#EXTINF:1,\ns\n" * 10_000, 100),
    "a line without end": endless(KIND, b"x" * 65536, 800),
    "a gzip bomb": raw(head(200, {**KIND, "Content-Encoding": "gzip"}, len(PACKED)) + PACKED, "keep"),
    "gzip in gzip": raw(head(200, {**KIND, "Content-Encoding": "gzip, gzip"}, len(gzip.compress(PACKED))) + gzip.compress(PACKED), "keep"),
}


@pytest.mark.release_too("measures processor time and memory")
@pytest.mark.parametrize("fault", HUGE)
def test_a_huge_playlist_is_rejected_at_the_limit_in_little_time_and_memory(event, player, fault):
    bound = 4 << 20
    balancer = event.balancer
    balancer.reset_peak()
    before, spent = balancer.peak_memory_bytes(), processor_seconds(balancer)
    refused = balancer.metric(telemetry_names.SOURCE_FAILURES)
    assert_keeps_playlist(event, player, HUGE[fault])
    times = max(1, balancer.metric(telemetry_names.SOURCE_FAILURES) - refused)
    if IS_RELEASE:
        assert balancer.peak_memory_bytes() - before < 2 * bound
        # What else it did meanwhile (the test's polling) is within the same bar.
        assert processor_seconds(balancer) - spent < 0.05 * times + 0.15
    assert_recovers(event, player)


def test_without_a_stale_time_the_last_good_playlist_is_bounded_by_one_and_a_half_target_durations(event, player):
    event.origin.on(MEDIA, status(500))
    broken = time.monotonic()
    seen_stale = []

    def is_given_up():
        asked = time.monotonic() - broken
        answer = player.try_refresh()
        if answer.status == 200:
            seen_stale.append(asked)
        return answer.status != 200
    wait_until(is_given_up, 10, "the stale playlist is given up")
    given_up = time.monotonic() - broken
    answer = player.try_refresh()
    assert answer.status in (502, 503, 504) and answer.header("Content-Type").startswith("application/problem+json")
    # Counted from the last good refresh, which may be a refresh interval (1 s) older than the fault.
    assert given_up > 1.9 and max(seen_stale) < stretched(3.6), (max(seen_stale), given_up)
    assert_recovers(event, player)


def test_a_stalled_source_is_reported_as_stalled_and_not_as_failed(event, player):
    path_count = event.origin.count(MEDIA)
    assert_throughout(lambda: player.try_refresh().status in (200, 502, 503, 504), 5)
    assert event.origin.count(MEDIA) > path_count
    wait_until(lambda: event.balancer.logged(telemetry_names.SOURCE_STALLED), 5, "the stalled source is logged")
    event.live.advance()
    player.wait_for_msn(event.live.next_msn - 1, within=8)


def test_a_media_sequence_that_decreases_slightly_never_decreases_the_numbers_of_a_player(event, player):
    event.live.advance(5)
    player.wait_for_msn(9)
    event.live.next_msn -= 2  # an older copy of the playlist from another packager
    wait_until(lambda: player.try_refresh().status == 200 and event.origin.count(MEDIA) > 4, 5)
    assert_throughout(lambda: player.refresh().last_msn >= 9, 2.5)
    event.live.next_msn += 2
    event.live.advance()
    player.wait_for_msn(10, within=8)
    assert "#EXT-X-DISCONTINUITY\n" not in player.playlist.text, "an older copy is no restart"


@pytest.mark.parametrize("every", [2, 3])
@pytest.mark.parametrize("other", ["a lagging cache", "another packager"])
def test_stale_responses_and_a_second_packager_behind_one_url_repeat_nothing(event, other, every):
    event.live.window, event.live.target = 60, 1
    event.live.advance(60)
    late = LiveChannel(event.origin, prefix="/live/demo/other", target=1, window=60, listed=0, first_msn=0,
                       name="seg" if other == "a lagging cache" else "chunk")
    asked = 0

    def script(request, wire):
        nonlocal asked
        asked += 1
        late.next_msn = event.live.next_msn - 5
        source = late if asked % every == 0 else event.live
        return ok(source.media("v1"), "application/vnd.apple.mpegurl")(request, wire)
    event.origin.on("/live/demo/v1/index.m3u8", script)
    event.start()
    player = event.player().open()
    player.refresh()   # fails from here on when a number decreases or a text changes
    for _ in range(8):
        event.live.advance()
        segment = player.wait_for_msn(event.live.next_msn - 1)
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    assert asked > 8 and len({re.search(r"/media/demo/([^/]+)/", text).group(1) for text in player.texts.values()}) == 1


def test_an_ended_source_stays_ended(event, player):
    event.live.is_ended = True
    wait_until(lambda: player.refresh().is_ended, 5)
    count = event.origin.count(MEDIA)
    assert_throughout(lambda: player.refresh().is_ended, 3)
    assert event.origin.count(MEDIA) - count <= 4


@pytest.mark.parametrize("fault", ["silent", "stalled"])
def test_a_slow_source_is_aborted_at_its_deadline_and_blocks_no_viewer(event, player, fault):
    gate = event.origin.gate()
    text = event.live.media("v1")
    scripts = {"silent": held(gate, raw(b"")), "stalled": held(gate, raw(b""), head(200, KIND, len(text)) + text[:40])}
    other = event.player(variant=1).open()

    answered = []   # requests of another viewer that were served in the meantime
    failures = event.balancer.metric(telemetry_names.SOURCE_FAILURES)
    event.origin.on(MEDIA, scripts[fault])
    took = Stopwatch()

    def is_noticed():
        quick = Stopwatch()
        player.try_refresh()
        assert quick.seconds() < stretched(2.5), "a viewer of the slow playlist waited for it"
        is_waited_for = gate.waiting > 0
        assert other.try_refresh().status == 200
        if event.balancer.metric(telemetry_names.SOURCE_FAILURES) > failures:
            return True
        answered.extend([1] * is_waited_for)
        return False
    wait_until(is_noticed, 6)
    assert len(answered) >= 3, "the viewer of another playlist waited"
    assert took.seconds() < stretched(5)
    gate.open()
    assert_recovers(event, player)


def test_a_source_that_refused_connections_recovers_without_a_restart(event, player):
    event.origin.refuse()
    failures = event.balancer.metric(telemetry_names.SOURCE_FAILURES)

    def is_noticed():
        player.try_refresh()
        return event.balancer.metric(telemetry_names.SOURCE_FAILURES) > failures
    wait_until(is_noticed, 6)
    event.origin.resume()
    assert_recovers(event, player)


def test_a_balancer_that_starts_before_its_source_serves_when_the_source_is_up(event):
    event.origin.refuse()
    event.start()
    answer = event.balancer.get("/live/demo/index.m3u8")
    assert answer.status in (502, 503, 504) and answer.json["type"].startswith("/problems/origin")
    event.origin.resume()
    wait_until(lambda: event.balancer.get("/live/demo/index.m3u8").status == 200, 5)
    player = event.player().open()
    assert player.refresh().segments


# -- redirects --

def redirects(event):
    canary = event.origins()
    port = event.balancer.admin_url.rsplit(":", 1)[1]
    event.origin.on("/loop", redirect("/loop"))
    event.origin.on("/ring1", redirect("/ring2"))
    event.origin.on("/ring2", redirect("/ring1"))
    for i in range(6):
        event.origin.on(f"/hop{i}", redirect(f"/hop{i + 1}"))
    event.origin.on("/hop6", ok(lambda: event.live.media("v1"), "application/vnd.apple.mpegurl"))
    return canary, {
        "a loop": "/loop", "a ring": "/ring1", "six hops": "/hop0", "to file": "file:///etc/passwd", "to gopher": "gopher://127.0.0.1/x",
        "to link-local": "http://169.254.169.254/latest", "to another port": canary.url + "/x", "to the admin port": f"http://127.0.0.1:{port}/metrics",
        "to localhost by name": f"http://localhost:{canary.port}/x", "to a number": f"http://2130706433:{canary.port}/x", "to IPv6 loopback": f"http://[::1]:{canary.port}/x",
        "to nothing": "", "with userinfo": f"http://127.0.0.1:{event.origin.port}@127.0.0.1:{canary.port}/x",
    }


def test_forbidden_redirects_of_a_source_are_rejected_after_each_hop(event, player):
    canary, targets = redirects(event)
    admin_before = event.balancer.metric("tribune_http_requests_total", listener="admin", method="GET")
    wrong = []
    for name, location in targets.items():
        failures = event.balancer.metric(telemetry_names.SOURCE_FAILURES)
        event.origin.on(MEDIA, redirect(location))
        counts = {p: event.origin.count(p) for p in ("/loop", "/ring1", "/ring2")}
        try:
            wait_until(lambda: player.try_refresh() and event.balancer.metric(telemetry_names.SOURCE_FAILURES) > failures, 6, name)
            for path, count in counts.items():
                assert event.origin.count(path) - count <= 5 * 4, f"{name}: hops without end"
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, wrong
    assert canary.requests == []
    assert event.origin.count("/hop6") == 0, "more than five hops"
    assert admin_before > 0
    assert_recovers(event, player)


def test_forbidden_redirects_of_a_segment_are_rejected_after_each_hop(event):
    event.start()
    canary, targets = redirects(event)
    node = event.nodes["stadium"]
    targets["to the node's admin port"] = node.admin_url + "/metrics"
    for i, (name, location) in enumerate(targets.items()):
        path = event.live.path_of("v1", 5 + i)
        event.live.advance()
        event.origin.on(path, redirect(location))
        player = event.player().open()
        segment = wait_until(lambda: player.refresh().last_msn >= 5 + i and player.playlist.segment(5 + i), 5)
        answer = fetch(segment.uri)
        assert answer.status in (502, 503, 504), (name, answer)
        assert b"root:" not in answer.body and b"tribune_" not in answer.body
    assert canary.requests == []
    assert event.origin.count("/hop6") == 0


def test_a_few_hops_inside_the_origin_are_followed_for_segments(event):
    event.start()
    path = event.live.path_of("v1", 4)
    event.origin.on("/there", redirect("/final.ts"))
    event.origin.on("/final.ts", ok(event.live.bytes_of("v1", 4), "video/mp2t"))
    event.origin.on(path, redirect("/there"))
    _, url, expected = event.link(4)
    assert fetch(url).body == expected


def test_a_configured_extra_origin_may_serve_segments_and_no_other_may(event, origins):
    other, foreign = origins(), origins()
    body = event.live.bytes_of("v1", 0)
    other.on("/ads/ad.ts", ok(body, "video/mp2t"))
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:2,\n{other.url}/ads/ad.ts\n"
    event.origin.on("/x/index.m3u8", ok(text.encode(), "application/vnd.apple.mpegurl"))
    event.origin.on("/y/index.m3u8", ok(text.replace(other.url, foreign.url).encode(), "application/vnd.apple.mpegurl"))
    event.channels = [event.channel_config("demo", event.origin.url + "/x/index.m3u8", extra_origins=[other.url]),
                      event.channel_config("bad", event.origin.url + "/y/index.m3u8", extra_origins=[other.url])]
    event.start()
    player = event.player().open()
    player.refresh()
    player.play(0, body)
    answer = event.balancer.get("/live/bad/index.m3u8")
    assert answer.status == 502, answer
    assert foreign.requests == []


def test_one_failing_channel_of_twenty_does_not_affect_the_others(event):
    lives = [LiveChannel(event.origin, prefix=f"/live/c{i}", variants=("v1",)) for i in range(20)]
    event.channels = [event.channel_config(f"c{i}", live.source, stale_time="0ms") for i, live in enumerate(lives)]
    event.start()
    players = [event.player(channel=f"c{i}").open() for i in range(20)]
    for player in players:
        player.refresh()
    event.origin.on("/live/c7/v1/index.m3u8", status(500))
    wait_until(lambda: players[7].try_refresh().status != 200, 8)
    for i, player in enumerate(players):
        if i != 7:
            lives[i].advance()
            segment = player.wait_for_msn(5)
            player.play(segment.msn, lives[i].bytes_of("v1", 5))


def test_playlist_limits_apply_to_their_own_channel(event):
    small = merged(event.channel_config("small", event.live.source), {"playlist_limits": {"max_bytes": "1KiB"}})
    event.live.extra_tags = "#" + "x" * 2000
    event.channels.append(small)
    event.start()
    assert event.player().open().refresh().segments
    player = event.player(channel="small").open()
    assert player.try_refresh().status == 502
    event.balancer.wait_log(telemetry_names.SOURCE_FAILED, channel="small")
