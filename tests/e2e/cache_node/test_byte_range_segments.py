"""Segments that are byte ranges of one file, and hostile ranges during a fill: one object, one request to the origin."""
import threading

import pytest
from harness.live_channel import segment_bytes
from harness.origin import head, held, ok, raw
from harness.parsing import variant_uris
from harness.raw_client import fetch
from harness.waiting import wait_until

FILE = "/live/demo/v1/all.ts"
BODY = segment_bytes("all", 300_000)
PARTS = [(0, 100_000), (100_000, 120_000), (220_000, 80_000)]


def playlist(tags=""):
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:0", *([tags] if tags else [])]
    for at, size in PARTS:
        lines += ["#EXTINF:2.000,", f"#EXT-X-BYTERANGE:{size}@{at}", "all.ts"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()


def part(uri, at, size):
    return fetch(uri, headers={"Range": f"bytes={at}-{at + size - 1}"})


def test_byte_range_segments_and_i_frame_playlists_share_one_object(event):
    kind = "application/vnd.apple.mpegurl"
    event.origin.on("/live/demo/v1/index.m3u8", ok(playlist(), kind))
    event.origin.on("/live/demo/v1/iframes.m3u8", ok(playlist("#EXT-X-I-FRAMES-ONLY"), kind))
    event.origin.on("/live/demo/master.m3u8", ok(event.live.multivariant() + b'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,URI="v1/iframes.m3u8"\n', kind))
    event.origin.on(FILE, ok(BODY, "video/mp2t"))
    event.start()
    player = event.player().open()
    segments = player.refresh().segments
    assert [s.msn for s in segments] == [0, 1, 2]
    line = next(x for x in player.multivariant.text.splitlines() if x.startswith("#EXT-X-I-FRAME-STREAM-INF"))
    frames = event.player()
    frames.media_url = variant_uris("#EXTM3U\n#EXT-X-STREAM-INF:X=1\n" + line.split('URI="')[1].split('"')[0], player.url)[0]
    for rendition in (segments, frames.refresh().segments):
        for segment, (at, size) in zip(rendition, PARTS):
            assert f"#EXT-X-BYTERANGE:{size}@{at}" in segment.tags
            answer = part(segment.uri, at, size)
            assert answer.status == 206 and answer.body == BODY[at:at + size]
            assert answer.header("Content-Range") == f"bytes {at}-{at + size - 1}/{len(BODY)}"
    assert event.origin.count(FILE) == 1


HOSTILE = {
    "200 ranges": "bytes=" + ",".join(f"{i * 10}-{i * 10 + 5}" for i in range(200)),
    "overlapping": "bytes=" + ",".join(["0-"] * 200),
    "reversed": "bytes=5-2",
    "beyond the end": "bytes=300000-",
    "a suffix of nothing": "bytes=-0",
    "far beyond": "bytes=18446744073709551615-18446744073709551615",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_ranges_during_a_fill_cause_no_further_request(event, case):
    event.live.advance(1)
    path = event.live.path_of("v1", 3)
    gate = event.origin.gate()
    event.origin.on(path, held(gate, raw(BODY[1000:], "keep"), head(200, {"Content-Type": "video/mp2t"}, len(BODY)) + BODY[:1000]))
    event.start()
    _, url, _ = event.link(3)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(fetch(url, headers={"Range": HOSTILE[case]}, timeout=20)))
    asking.start()
    # A valid range of the bytes that have arrived is served meanwhile.
    early = part(url, 0, 500)
    assert early.status == 206 and early.body == BODY[:500]
    gate.open()
    asking.join()
    [answer] = answers
    if answer.status == 416:
        assert answer.header("Content-Range") == f"bytes */{len(BODY)}"
    else:
        assert answer.status == 200 and answer.complete and answer.body == BODY
    wait_until(lambda: fetch(url).body == BODY, 5)
    assert event.origin.count(path) == 1
