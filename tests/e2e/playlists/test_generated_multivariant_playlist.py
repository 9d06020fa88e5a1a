"""A source without a multivariant playlist: the one that viewers receive announces codecs, resolution and bandwidth of the media, which ffmpeg makes here."""
import re
import subprocess

import pytest
from harness.origin import held, ok
from harness.waiting import wait_until

KIND = "application/vnd.apple.mpegurl"
PATH = "/live/packaged/"
LOOKS = "tribune_balancer_media_looks_total"
PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=3"]
SOUND = ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=3"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-pix_fmt", "yuv420p", "-g", "25", "-keyint_min", "25",
        "-sc_threshold", "0"]
MADE = {
    "fmp4": (PICTURE + X264 + ["-hls_segment_type", "fmp4"], r'CODECS="avc1\.42c0[0-9a-f]{2}",RESOLUTION=320x180,FRAME-RATE=25\.000'),
    "fmp4-with-sound": (PICTURE + SOUND + X264 + ["-c:a", "aac", "-hls_segment_type", "fmp4"],
                        r'CODECS="avc1\.42c0[0-9a-f]{2},mp4a\.40\.2",RESOLUTION=320x180,FRAME-RATE=25\.000'),
    "ts": (PICTURE + SOUND + X264 + ["-c:a", "aac"], r'CODECS="avc1\.42c0[0-9a-f]{2},mp4a\.40\.2",RESOLUTION=320x180,FRAME-RATE=25\.000'),
    "ts-in-one-file": (PICTURE + X264 + ["-hls_flags", "single_file"], r'CODECS="avc1\.42c0[0-9a-f]{2}",RESOLUTION=320x180,FRAME-RATE=25\.000'),
    "sound": (SOUND + ["-c:a", "aac", "-hls_segment_type", "fmp4"], r'CODECS="mp4a\.40\.2"'),
}


@pytest.fixture(scope="session", params=MADE)
def made(request, tmp_path_factory):
    """A folder with the output of ffmpeg, and the attributes that must be announced."""
    folder = tmp_path_factory.mktemp("packaged")
    options, expected = MADE[request.param]
    subprocess.run(["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", *options, "-f", "hls", "-hls_time", "1", "-hls_list_size", "0",
                    "index.m3u8"], cwd=folder, check=True, stdin=subprocess.DEVNULL)
    return folder, expected


def offer(event, folder, live=True):
    for file in folder.iterdir():
        event.origin.on(PATH + file.name, ok(file.read_bytes(), "video/mp4"))
    text = (folder / "index.m3u8").read_bytes()
    event.origin.on(PATH + "index.m3u8", ok(text.replace(b"#EXT-X-ENDLIST\n", b"") if live else text, KIND))
    event.channels = [event.channel_config("demo", event.origin.url + PATH + "index.m3u8")]


def announced(event):
    return re.search("#EXT-X-STREAM-INF:(.*)", event.player().open().multivariant.text)[1]


def media_requests(event):
    return [r for r in event.origin.requests if not r.path.endswith(".m3u8")]


@pytest.mark.parametrize("live", (True, False))
def test_the_first_viewer_receives_codecs_resolution_and_bandwidth(event, made, live):
    folder, expected = made
    offer(event, folder, live)
    event.start()
    said = announced(event)
    assert re.search(f",{expected}$", said), said
    bandwidth, average = (int(re.search(rf"(?:^|,){name}=(\d+)", said)[1]) for name in ("BANDWIDTH", "AVERAGE-BANDWIDTH"))
    assert average < bandwidth < 2 * average
    requests = media_requests(event)
    assert len(requests) == len({r.target for r in requests}) <= 2 and all(r.header("Range") for r in requests)
    assert announced(event) == said and media_requests(event) == requests
    assert event.balancer.metric(LOOKS, result="found") == 1
    assert event.player().open().refresh().segments


@pytest.fixture(scope="session")
def packaged_ts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ts")
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", *PICTURE, *X264, "-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "index.m3u8"],
                   cwd=folder, check=True, stdin=subprocess.DEVNULL)
    return folder


def test_a_slow_origin_delays_no_viewer_and_later_viewers_receive_the_codecs(event, packaged_ts):
    offer(event, packaged_ts)
    gate = event.origin.gate()
    for file in packaged_ts.glob("*.ts"):
        event.origin.on(PATH + file.name, held(gate, ok(file.read_bytes(), "video/mp2t")))
    event.start(balancer={"balancer": {"origin": {"multivariant_age": "1s"}}})
    assert announced(event) == "BANDWIDTH=5000000"
    assert event.player().open().refresh().segments
    gate.open()
    wait_until(lambda: "CODECS=" in announced(event), 10, "the inspection is complete")


def test_a_missing_segment_is_logged_and_the_channel_plays_on(event, packaged_ts):
    offer(event, packaged_ts)
    for file in packaged_ts.glob("*.ts"):
        event.origin.on(PATH + file.name, event.origin.fallback)
    event.start()
    assert announced(event) == "BANDWIDTH=5000000"
    assert event.balancer.wait_log("source_media_unknown")
    assert event.balancer.metric(LOOKS, result="failed") == 1
    assert event.player().open().refresh().segments


def test_with_media_inspection_off_the_balancer_fetches_no_segment(event, packaged_ts):
    offer(event, packaged_ts)
    event.channels[0]["bandwidth_bps"] = 700_000
    event.start(balancer={"balancer": {"origin": {"media_look": "0s"}}})
    assert announced(event) == "BANDWIDTH=700000"
    assert media_requests(event) == []
