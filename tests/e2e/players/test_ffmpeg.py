"""ffmpeg plays both channels through the balancer: it decodes every frame, and every byte equals the origin's."""
import re
import subprocess
import threading
from urllib.parse import urljoin

import pytest
from harness.parsing import MediaPlaylist
from harness.raw_client import fetch
from harness.waiting import stretched, wait_until
from packaged_event import CHANNELS, FRAMES_PER_SECOND

SECONDS = 20
MEDIA_PATH = re.compile(r"/media/[^/]+/[^/]+/(.+)")


def decoded_frame_times(url):
    """Plays SECONDS of the first video stream: (presentation time of each decoded frame in frames, error messages)."""
    command = ["ffmpeg", "-nostdin", "-v", "repeat+error", "-i", url, "-t", str(SECONDS), "-map", "0:v:0", "-fps_mode", "passthrough",
               "-enc_time_base", f"1/{FRAMES_PER_SECOND}", "-f", "framecrc", "-"]
    played = subprocess.run(command, capture_output=True, text=True, timeout=stretched(SECONDS * 3))
    assert played.returncode == 0, played.stderr[-2000:]
    lines = [line for line in played.stdout.splitlines() if line and not line.startswith("#")]
    # ffmpeg logs this when a redirect leads to another host than its kept connection, and opens a new one.
    complaints = [line for line in played.stderr.splitlines() if "Cannot reuse HTTP connection" not in line]
    return [int(line.split(",")[2]) for line in lines], complaints


def playlist_uris(multivariant_url):
    """The URIs of all media playlists of the channel: variants and renditions."""
    text = fetch(multivariant_url).text
    named = re.findall(r'^#EXT-X-MEDIA:.*URI="([^"]+)"', text, re.M)
    listed = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [urljoin(multivariant_url, uri) for uri in named + listed]


def get(url):
    answer = fetch(url)
    if answer.status == 307:
        answer = fetch(urljoin(url, answer.header("Location")))
    assert answer.status == 200 and answer.complete, (url, answer)
    return answer


class Comparison(threading.Thread):
    """A second viewer that fetches all segments of every rendition and compares them with the packager's files."""

    def __init__(self, event, channel):
        super().__init__(daemon=True)
        self.event, self.channel = event, channel
        self.over = threading.Event()
        self.compared = set()
        self.problems = []

    def run(self):
        try:
            playlists = playlist_uris(self.event.playlist_url(self.channel))
            while not self.over.is_set():
                for url in playlists:
                    self.compare(url)
                self.over.wait(0.5)
        except Exception as error:  # reported by the test: an exception of a thread is not
            self.problems.append(repr(error))

    def compare(self, playlist_url):
        text = fetch(playlist_url).text
        playlist = MediaPlaylist(text, playlist_url)
        uris = [segment.uri for segment in playlist.segments]
        if playlist.map_uri:
            uris.append(urljoin(playlist_url, playlist.map_uri))
        for uri in uris:
            if uri in self.compared:
                continue
            answer = fetch(uri)
            location = urljoin(uri, answer.header("Location")) if answer.status == 307 else uri
            answer = get(location) if answer.status == 307 else answer
            path = MEDIA_PATH.search(location).group(1).split("?")[0]
            if answer.body != self.event.origin.bytes_of(self.channel, path):
                self.problems.append(f"{path} differs from the origin's")
            self.compared.add(uri)

    def finish(self):
        self.over.set()
        self.join(30)
        assert not self.problems, self.problems
        return len(self.compared)


@pytest.mark.parametrize("channel", CHANNELS)
def test_ffmpeg_decodes_every_frame_of_20_seconds_and_every_byte_is_the_origins(packaged_event, channel):
    packaged_event.start(nodes=("stadium", "city"))
    comparison = Comparison(packaged_event, channel)
    comparison.start()
    times, complaints = decoded_frame_times(packaged_event.playlist_url(channel))
    compared = comparison.finish()
    expected = SECONDS * FRAMES_PER_SECOND
    # The sound may begin up to a frame before the picture, and the clock of 20 s starts with the earlier of the two.
    assert expected - 1 <= len(times) <= expected, len(times)
    assert [b - a for a, b in zip(times, times[1:])] == [1] * (len(times) - 1), "frames are missing or doubled"
    assert not complaints, complaints
    assert compared >= 2 * SECONDS // 2, f"only {compared} objects were compared"


def test_the_cache_parameter_selects_the_node(packaged_event):
    packaged_event.start(nodes=("stadium", "city"))
    for node, other in (("stadium", "city"), ("city", "stadium")):
        before = len(packaged_event.segments_served(other))
        command = ["ffmpeg", "-nostdin", "-v", "error", "-i", packaged_event.playlist_url("demo", cache=node), "-t", "4", "-map", "0:v:0",
                   "-f", "null", "-"]
        subprocess.run(command, check=True, timeout=stretched(40))
        wait_until(lambda: len(packaged_event.segments_served(node)) >= 2, 5, f"{node} says what it served")
        assert len(packaged_event.segments_served(other)) == before
