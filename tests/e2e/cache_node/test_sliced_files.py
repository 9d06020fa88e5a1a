"""Large files are fetched and stored in slices: a range fetches its slices only, and no body mixes two versions."""
import json
import re

import pytest
from harness.concurrent_clients import fetch_all
from harness.live_channel import segment_bytes
from harness.origin import ok
from harness.raw_client import fetch
from harness.waiting import wait_until

FILE = "/live/demo/v1/film.ts"
SLICE = 64 * 1024
BODY = segment_bytes("film", 1_000_000)
NEXT = segment_bytes("film, the second cut", 1_000_000)
SLICES = {"cache_node": {"slice_bytes": "64KiB", "slice_above": "100KiB"}}


def film(body=BODY, **fields):
    return ok(body, "video/mp2t", fields={"Accept-Ranges": "bytes", **fields})


def playlist():
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:0"]
    for at in range(0, len(BODY), 200_000):
        lines += ["#EXTINF:2.000,", f"#EXT-X-BYTERANGE:200000@{at}", "film.ts"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()


@pytest.fixture
def url(event):
    event.origin.on("/live/demo/v1/index.m3u8", ok(playlist(), "application/vnd.apple.mpegurl"))
    event.origin.on(FILE, film())
    event.start(node=SLICES)
    return link_of(event)


def link_of(event):
    return event.player().open().refresh().segments[0].uri


def part(uri, first, last, **headers):
    return fetch(uri, headers={"Range": f"bytes={first}-{last}", **headers})


def ranges(event, since=0):
    """The ranges that the origin was asked for; None for the whole file."""
    return [r.header("Range") for r in event.origin.seen(FILE)][since:]


def slice_range(number):
    return f"bytes={number * SLICE}-{min((number + 1) * SLICE, len(BODY)) - 1}"


def is_part(answer, first, last, body=BODY):
    return answer.status == 206 and answer.body == body[first:last + 1] and answer.header("Content-Range") == f"bytes {first}-{last}/{len(body)}"


def test_a_range_at_the_end_fetches_its_slice_only(event, url):
    assert is_part(part(url, 990_000, 990_999), 990_000, 990_999)
    assert ranges(event) == [None, slice_range(15)]
    assert event.origin.seen(FILE)[1].header("If-Range")
    answer = part(url, 995_000, 2_000_000)
    assert is_part(answer, 995_000, 999_999) and "hit" in answer.header("Cache-Status")
    answer = fetch(url, headers={"Range": "bytes=-10"})
    assert is_part(answer, 999_990, 999_999)
    assert len(ranges(event)) == 2


def test_ranges_over_several_slices_are_exact_and_each_slice_is_fetched_once(event, url):
    assert is_part(part(url, SLICE - 1, 3 * SLICE), SLICE - 1, 3 * SLICE)
    assert ranges(event, 1) == [slice_range(n) for n in range(4)]
    answer = part(url, 1_000_000, 1_000_001)
    assert answer.status == 416 and answer.header("Content-Range") == "bytes */1000000"
    answer = fetch(url, method="HEAD")
    assert answer.status == 200 and answer.header("Content-Length") == "1000000" and answer.header("Accept-Ranges") == "bytes"
    tag = answer.header("ETag")
    assert fetch(url, headers={"If-None-Match": tag}).status == 304
    assert is_part(part(url, 5, 9, **{"If-Range": tag}), 5, 9)
    answer = part(url, 5, 9, **{"If-Range": '"another"'})
    assert answer.status == 200 and answer.complete and answer.body == BODY
    results = fetch_all([url] * 20, within=30)
    assert all(v.status == 200 and v.error is None and v.body == BODY for v in results)
    assert sorted(ranges(event, 1)) == sorted(slice_range(n) for n in range(16))


def test_a_file_that_changes_between_slices_is_served_from_one_version_only(event, url):
    assert is_part(part(url, 0, 99), 0, 99)
    event.origin.on(FILE, film(NEXT))
    # No byte was sent yet: the response starts again with the new version.
    assert is_part(part(url, 500_000, 500_099), 500_000, 500_099, NEXT)
    assert is_part(part(url, 0, 99), 0, 99, NEXT)
    answer = fetch(url)
    assert answer.status == 200 and answer.complete and answer.body == NEXT


def test_a_body_in_progress_is_aborted_when_its_file_changes(event, url):
    old, new = film(), film(NEXT)
    event.origin.on(FILE, lambda request, wire: (old if request.header("Range") in (None, slice_range(0)) else new)(request, wire))
    answer = fetch(url)
    assert answer.status == 200 and not answer.complete and BODY.startswith(answer.body)
    event.origin.on(FILE, new)
    answer = fetch(url)
    assert answer.complete and answer.body == NEXT


def test_files_without_ranges_or_validators_are_fetched_whole(event):
    event.origin.on("/live/demo/v1/index.m3u8", ok(playlist(), "application/vnd.apple.mpegurl"))
    event.origin.on(FILE, ok(BODY, "video/mp2t", ranges=False))
    event.start(node=SLICES)
    assert is_part(part(link_of(event), 990_000, 990_999), 990_000, 990_999)
    assert ranges(event) == [None]


def test_slices_survive_a_restart_and_are_purged_together(event, url):
    node = event.nodes["stadium"]
    part(url, 0, 3 * SLICE - 1)
    event.wait_stored("stadium", 3)
    node.kill()
    event.origin.refuse()
    node.start()
    event.wait_registered("stadium")
    before = len(ranges(event))
    assert is_part(part(url, 0, 3 * SLICE - 1), 0, 3 * SLICE - 1)
    assert is_part(part(url, 70_000, 70_009), 70_000, 70_009)
    event.origin.resume()
    assert ranges(event, before) == []
    target = re.sub(r"\?.*", "", url).split("/media/")[1]
    answer = fetch(node.admin_url + "/cache/purge", method="POST", body=json.dumps({"url": target}).encode())
    assert answer.json["purged"] == 3
    assert is_part(part(url, 0, 99), 0, 99)
    assert ranges(event, before) == [None, slice_range(0)]


def test_a_warm_up_fetches_every_slice(event, url):
    node = event.nodes["stadium"]
    target = re.sub(r"\?.*", "", url).split("/media/")[1]
    job = fetch(node.admin_url + "/cache/warm", method="POST", body=json.dumps({"urls": [target]}).encode()).json["job"]
    wait_until(lambda: fetch(f"{node.admin_url}/cache/warm/{job}").json["stored"] == 1, 20, "all slices are here")
    assert sorted(r for r in ranges(event) if r) == sorted(slice_range(n) for n in range(16))
    asked = len(ranges(event))
    answer = fetch(url)
    assert answer.complete and answer.body == BODY and "hit" in answer.header("Cache-Status")
    assert len(ranges(event)) == asked


def test_nodes_of_a_group_fetch_each_slice_once(event):
    event.origin.on("/live/demo/v1/index.m3u8", ok(playlist(), "application/vnd.apple.mpegurl"))
    event.origin.on(FILE, film())
    event.start(nodes=("one", "two"), node={"cache_node": {**SLICES["cache_node"], "group": "g", "peers": {"answer_timeout": "5s"}}})
    event.wait_peers(("one", "two"))
    target = "/media/" + link_of(event).split("/media/")[1]
    for name in ("one", "two"):
        answer = fetch(event.nodes[name].url + target)
        assert answer.complete and answer.body == BODY
    asked = [r for r in ranges(event) if r]
    assert sorted(asked) == sorted(slice_range(n) for n in range(16))
