"""Real players in the waiting room: they play the slate, and after the overload the programme, without a reload."""
import json
import subprocess

import pytest
from harness.waiting import in_gate, stretched, wait_until
from packaged_event import CHANNELS, FRAMES_PER_SECOND, ROOT, set_overload_drill

SECONDS = 24
FRAME_OF_SOUND_MS = 22   # 1,024 samples
# The two generations of GStreamer's HLS client: playbin has hlsdemux, playbin3 has hlsdemux2; both fetch with souphttpsrc. hlsdemux (1.22) shows
# no live fMP4 that it joins late, neither a waiting room nor the packager's own playlist: its first picture comes as late as its time stamp says.
GSTREAMERS = (("playbin3", "demo"), ("playbin3", "demo-ts"), ("playbin", "demo-ts"))


@pytest.fixture(scope="session")
def slates(tmp_path_factory, packaged_origin):
    """The slates that an operator prepares, one for each channel."""
    folder = tmp_path_factory.mktemp("slates")
    for channel in CHANNELS:
        subprocess.run([ROOT / "scripts" / "make-slate", f"{packaged_origin.url}/{channel}/index.m3u8", folder / channel, "--seconds", "12"], check=True,
                       timeout=stretched(120))
    return folder


@pytest.fixture
def queued_event(packaged_event, slates):
    """An event in which all clients wait until the drill is switched off."""
    packaged_event.start(nodes=("stadium",), balancer={"balancer": {"slate_folder": str(slates), "slate_origin": packaged_event.url("balancer")},
                                                       "access": {"refresh": "2s"}})
    set_overload_drill(packaged_event, "on")
    return packaged_event


def slate_segments(event):
    return [path for path in event.segments_served("stadium") if "/slate/" in path and "init" not in path]


def programme_segments(event):
    return [path for path in event.segments_served("stadium") if "/slate/" not in path and "init" not in path]


def admit_after_the_loop_restarted(event):
    wait_until(lambda: len(set(slate_segments(event))) >= 3, 30, "the player watches the slate")
    assert programme_segments(event) == []
    set_overload_drill(event, "off")
    wait_until(lambda: len(programme_segments(event)) >= 2, 30, "the player watches the programme")


def test_audio_and_video_of_the_slate_end_together(slates):
    """Audio once ended earlier with each segment, 80 ms at the end of the loop: browsers stalled there and skipped the hole."""
    slate = json.loads((slates / "demo" / "slate.json").read_text())
    for rendition in slate["renditions"]:
        ends = [sum(segment["ms"] for segment in rendition["segments"][:i + 1]) - (i + 1) * slate["slot_ms"] for i in range(len(rendition["segments"]))]
        assert all(-FRAME_OF_SOUND_MS <= end <= 2 * FRAME_OF_SOUND_MS for end in ends), (rendition["playlist"], ends)


def is_next(before, now):
    """Each segment of one quality is loaded once, in order. After a change of quality hls.js (findFragmentByPTS) continues with the segment that contains
    the end of the continuous buffer: the next one, the last one again when its audio ends shortly before its video, or the one before that when the
    audio has a hole between the two, as it may at the transition."""
    (number, level), (next_number, next_level) = before, now
    return next_number == number + 1 or (level != next_level and next_number in (number - 1, number))


@pytest.mark.parametrize("channel", in_gate(["demo-ts"], CHANNELS))
def test_hls_js_plays_the_slate_and_then_the_programme(queued_event, watch, channel):
    viewer = watch(queued_event.page_url(channel) + "&room=slate", SECONDS, waiting_room=True)
    place = viewer.wait_waiting()["door"]["place"]
    assert place["ahead"] == 0, "the page knows the place of the ticket that the player got"
    viewer.wait_playing()
    admit_after_the_loop_restarted(queued_event)
    seen = viewer.wait_done()
    after = seen["after"]
    assert [e for e in after["errors"] if e["fatal"]] == [], after["errors"]
    loaded = [(f["sn"], f["level"]) for f in after["fragments"] if f["type"] == "main"]
    assert all(is_next(*pair) for pair in zip(loaded, loaded[1:])), loaded
    numbers = [number for number, _ in loaded]
    assert set(numbers) == set(range(numbers[0], numbers[-1] + 1)), numbers
    assert after["shownFrames"] > 0.3 * FRAMES_PER_SECOND * SECONDS
    assert after["position"]["last"] >= numbers[0] + SECONDS // 2
    assert len(programme_segments(queued_event)) >= 3
    assert after["door"]["state"] == "inside" and after["waitingRoom"] is None, "the page sees that the programme is there"
    viewer.wait_left()
    wait_until(lambda: queued_event.balancer.metric("tribune_access_sessions") == 0, 12, "the page gave the session back")


def test_a_page_with_the_slate_keeps_its_place_over_a_reload(queued_event, tab):
    viewer, _ = tab(queued_event.page_url("demo") + "&room=slate")
    number = lambda: (viewer.command("look")["door"]["place"] or {}).get("number")  # noqa: E731
    before = wait_until(number, 40, "the page knows the place of the ticket that the player got")
    viewer.command("reload")
    assert wait_until(number, 40, "and again") == before
    wait_until(lambda: queued_event.balancer.metric("tribune_access_queue_length") == 1, 5, "and took no second place")


@pytest.mark.parametrize("channel", CHANNELS)
def test_ffmpeg_decodes_the_slate_and_then_the_programme(queued_event, folder, channel):
    errors = folder / "ffmpeg.stderr"
    command = ["ffmpeg", "-nostdin", "-v", "repeat+error", "-i", queued_event.playlist_url(channel), "-t", str(SECONDS), "-map", "0:v:0",
               "-fps_mode", "passthrough", "-f", "framecrc", "-"]
    with open(errors, "wb") as said:
        played = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True)
    try:
        admit_after_the_loop_restarted(queued_event)
        out, _ = played.communicate(timeout=stretched(SECONDS * 4))
    finally:
        played.kill()
    complaints = [line for line in errors.read_text().splitlines() if "Cannot reuse HTTP connection" not in line]
    assert played.returncode == 0, complaints
    frames = [line for line in out.splitlines() if line and not line.startswith("#")]
    # Where the loop restarts and at the transition, audio and video may differ by a few frames.
    assert SECONDS * FRAMES_PER_SECOND * 0.9 <= len(frames) <= SECONDS * FRAMES_PER_SECOND * 1.1, len(frames)
    assert complaints == [], complaints[:10]


def is_starved(error):
    """On a busy machine the packager is late and lists no new segment; with each such update Shaka (5.2) drops its oldest segment for good. When none is
    left, HlsParser.setProgramDateTimeRegionsFromIndex_ fails on a null iterator: a TypeError, which Shaka reports with severity 1 and without a code. It
    retries every 0.1 s until the playlist grows."""
    return error["severity"] == 1 and error["code"] is None and error["text"].startswith("TypeError")


@pytest.mark.parametrize("channel", in_gate(["demo"], CHANNELS))
def test_shaka_plays_the_slate_and_then_the_programme(queued_event, watch, channel):
    viewer = watch(queued_event.playlist_url(channel), SECONDS, script="shaka.mjs")
    viewer.wait_playing()
    admit_after_the_loop_restarted(queued_event)
    seen = viewer.wait_done()
    after = seen["after"]
    assert [e for e in after["errors"] if not is_starved(e)] == [], "of Shaka's own errors none, not even one that it recovers from"
    assert seen["complaints"] == [] and after["loads"] == 1, "the player loaded anew"
    # It may wait for data before the first frame and on a busy machine; it never stalls for long, and never jumps.
    played = after["currentTime"] - seen["before"]["currentTime"]
    assert seen["wallSeconds"] < 1.5 * played + 2
    assert after["shownFrames"] > 0.3 * FRAMES_PER_SECOND * SECONDS
    assert len(programme_segments(queued_event)) >= 3


@pytest.mark.parametrize("playbin, channel", GSTREAMERS)
def test_gstreamer_plays_the_slate_and_then_the_programme(queued_event, folder, playbin, channel):
    said = folder / "gstreamer.out"
    command = ["gst-launch-1.0", "-v", playbin, f"uri={queued_event.playlist_url(channel)}", "video-sink=fakesink name=picture sync=true silent=false",
               "audio-sink=fakesink sync=true"]
    with open(said, "wb") as out:
        player = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def shown_frames():
        return said.read_bytes().count(b"(picture:sink)")

    try:
        admit_after_the_loop_restarted(queued_event)
        before = shown_frames()
        # The sink shows each frame at its time: a player that stalls at the transition shows at most three more segments of the slate.
        wait_until(lambda: shown_frames() >= before + 12 * FRAMES_PER_SECOND, 40, "the picture goes on")
        assert player.poll() is None, said.read_text()[-2000:]
        assert "ERROR" not in said.read_text(), said.read_text()[-2000:]
    finally:
        player.terminate()
        player.wait(stretched(10))
