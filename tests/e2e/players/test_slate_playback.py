"""Real players in the waiting room: they watch the slate, and when the overload is over the programme, without a reload."""
import json
import subprocess

import pytest
from harness.waiting import stretched, wait_until
from packaged_event import CHANNELS, FRAMES_PER_SECOND, ROOT, set_overload_drill

SECONDS = 24
FRAME_OF_SOUND_MS = 22   # 1,024 samples
# The two generations of GStreamer's HLS client: playbin has hlsdemux, playbin3 has hlsdemux2; both fetch with souphttpsrc. hlsdemux (1.22) shows
# no live fMP4 that it joins late, neither a waiting room nor the packager's own playlist: its first picture comes as late as its time stamp says.
GSTREAMERS = (("playbin3", "demo"), ("playbin3", "demo-ts"), ("playbin", "demo-ts"))


@pytest.fixture(scope="session")
def slates(tmp_path_factory, packaged_origin):
    """What an operator prepares: one waiting room for each channel."""
    folder = tmp_path_factory.mktemp("slates")
    for channel in CHANNELS:
        subprocess.run([ROOT / "scripts" / "make-slate", f"{packaged_origin.url}/{channel}/index.m3u8", folder / channel, "--seconds", "12"], check=True,
                       timeout=stretched(120))
    return folder


@pytest.fixture
def queued_event(packaged_event, slates):
    """Everybody must wait, until the switch is turned off."""
    packaged_event.start(nodes=("stadium",), balancer={"balancer": {"slate_folder": str(slates), "slate_origin": packaged_event.url("balancer")},
                                                       "access": {"refresh": "2s"}})
    set_overload_drill(packaged_event, "on")
    return packaged_event


def slate_segments(event):
    return [path for path in event.segments_served("stadium") if "/slate/" in path and "init" not in path]


def programme_segments(event):
    return [path for path in event.segments_served("stadium") if "/slate/" not in path and "init" not in path]


def let_in_after_the_loop_began_again(event):
    wait_until(lambda: len(set(slate_segments(event))) >= 3, 30, "the player watches the slate")
    assert programme_segments(event) == []
    set_overload_drill(event, "off")
    wait_until(lambda: len(programme_segments(event)) >= 2, 30, "the player watches the programme")


def test_sound_is_cut_where_the_picture_is_so_that_no_turn_has_a_hole(slates):
    """It was cut a little earlier each time, 80 ms at the end of the loop: browsers stood still there and skipped the hole."""
    slate = json.loads((slates / "demo" / "slate.json").read_text())
    for rendition in slate["renditions"]:
        ends = [sum(segment["ms"] for segment in rendition["segments"][:i + 1]) - (i + 1) * slate["slot_ms"] for i in range(len(rendition["segments"]))]
        assert all(-FRAME_OF_SOUND_MS <= end <= 2 * FRAME_OF_SOUND_MS for end in ends), (rendition["playlist"], ends)


def is_next(before, now):
    """Of one quality each segment is loaded once, in order. In another quality hls.js (findFragmentByPTS) goes on with the segment that holds the end of
    what is buffered without a hole: the next one, the last one again when its sound ends a moment before its picture, or the one before that when the
    sound has a hole between the two, as it may at the turn."""
    (number, level), (next_number, next_level) = before, now
    return next_number == number + 1 or (level != next_level and next_number in (number - 1, number))


@pytest.mark.parametrize("channel", CHANNELS)
def test_hls_js_watches_the_slate_and_then_the_programme(queued_event, watch, channel):
    viewer = watch(queued_event.page_url(channel) + "&room=slate", SECONDS, waiting_room=True)
    place = viewer.wait_waiting()["door"]["place"]
    assert place["ahead"] == 0, "the page knows the place of the ticket that the player got"
    viewer.wait_playing()
    let_in_after_the_loop_began_again(queued_event)
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


def test_a_page_that_shows_the_slate_keeps_its_place_over_a_reload(queued_event, tab):
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
        let_in_after_the_loop_began_again(queued_event)
        out, _ = played.communicate(timeout=stretched(SECONDS * 4))
    finally:
        played.kill()
    complaints = [line for line in errors.read_text().splitlines() if "Cannot reuse HTTP connection" not in line]
    assert played.returncode == 0, complaints
    frames = [line for line in out.splitlines() if line and not line.startswith("#")]
    # Where the loop begins again and at the turn, sound and picture may differ by a few frames.
    assert SECONDS * FRAMES_PER_SECOND * 0.9 <= len(frames) <= SECONDS * FRAMES_PER_SECOND * 1.1, len(frames)
    assert complaints == [], complaints[:10]


def is_starved(error):
    """A packager that is late on a busy machine lists nothing new; each update without a new segment makes Shaka (5.2) forget the oldest one that it
    knows, for good. When none is left HlsParser.setProgramDateTimeRegionsFromIndex_ meets an iterator that is null: a TypeError, which Shaka reports with
    severity 1 and no code of its own, and tries again 0.1 s later until the playlist grows."""
    return error["severity"] == 1 and error["code"] is None and error["text"].startswith("TypeError")


@pytest.mark.parametrize("channel", CHANNELS)
def test_shaka_watches_the_slate_and_then_the_programme(queued_event, watch, channel):
    viewer = watch(queued_event.playlist_url(channel), SECONDS, script="shaka.mjs")
    viewer.wait_playing()
    let_in_after_the_loop_began_again(queued_event)
    seen = viewer.wait_done()
    after = seen["after"]
    assert [e for e in after["errors"] if not is_starved(e)] == [], "of Shaka's own errors none, not even one that it recovers from"
    assert seen["complaints"] == [] and after["loads"] == 1, "the player loaded anew"
    # It may wait for data before the first picture, and when this machine is busy; it never stands still for long, or leaps.
    played = after["currentTime"] - seen["before"]["currentTime"]
    assert seen["wallSeconds"] < 1.5 * played + 2
    assert after["shownFrames"] > 0.3 * FRAMES_PER_SECOND * SECONDS
    assert len(programme_segments(queued_event)) >= 3


@pytest.mark.parametrize("playbin, channel", GSTREAMERS)
def test_gstreamer_watches_the_slate_and_then_the_programme(queued_event, folder, playbin, channel):
    said = folder / "gstreamer.out"
    command = ["gst-launch-1.0", "-v", playbin, f"uri={queued_event.playlist_url(channel)}", "video-sink=fakesink name=picture sync=true silent=false",
               "audio-sink=fakesink sync=true"]
    with open(said, "wb") as out:
        player = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def shown_frames():
        return said.read_bytes().count(b"(picture:sink)")

    try:
        let_in_after_the_loop_began_again(queued_event)
        before = shown_frames()
        # The sink shows each frame at its time: one that stands still at the turn shows the slate's rest, at most three segments.
        wait_until(lambda: shown_frames() >= before + 12 * FRAMES_PER_SECOND, 40, "the picture goes on")
        assert player.poll() is None, said.read_text()[-2000:]
        assert "ERROR" not in said.read_text(), said.read_text()[-2000:]
    finally:
        player.terminate()
        player.wait(stretched(10))
