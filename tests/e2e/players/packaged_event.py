"""A live event with a real packager: the origin of the demo (ffmpeg and nginx) on its own port, with Tribune in front."""
import json
import queue
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness.event import Event, merged
from harness.waiting import stretched, wait_until

ROOT = Path(__file__).parents[3]
PLAYERS = Path(__file__).parent
CHANNELS = ("demo", "demo-ts")
FRAMES_PER_SECOND = 25
SEGMENT_SECONDS = 2
PUNCTUAL_SECONDS = 1.5


def set_overload_drill(event, state):
    """`state`: on or off."""
    assert event.balancer.get(f"/access_queue_switch?state={state}").json == {"overload_emulation": state == "on"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PackagedOrigin:
    """scripts/demo-origin as a process."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder.parent / f"{folder.name}.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([ROOT / "scripts" / "demo-origin", str(folder), str(self.port)], stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL)
        wait_until(lambda: self.is_ready() or self.process.poll() is not None, 60, "the packager lists three segments")
        assert self.process.poll() is None, self.log.read_text()
        self.over = threading.Event()
        self.appeared = []   # (when, number) of each segment
        threading.Thread(target=self._record_segments, daemon=True).start()

    def _record_segments(self):
        while not self.over.wait(0.1):
            numbers = re.findall(r"seg-(\d+)\.", (self.folder / "www" / "demo" / "180p" / "index.m3u8").read_text())
            if numbers and (not self.appeared or self.appeared[-1][1] != int(numbers[-1])):
                self.appeared.append((time.monotonic(), int(numbers[-1])))

    def lateness(self, since):
        """The variation, in seconds, of the times at which segments appeared."""
        marks = [at - number * SEGMENT_SECONDS for at, number in self.appeared if at >= since]
        return max(marks) - min(marks) if marks else time.monotonic() - since

    @contextmanager
    def in_time(self):
        """Skips a test that fails while the packager is late: on a machine that is too busy to encode, players have nothing to play."""
        began = time.monotonic()
        try:
            yield
        except AssertionError:
            late = self.lateness(began)
            if late > PUNCTUAL_SECONDS:
                pytest.skip(f"the packager was {late:.1f} s late on this busy machine")
            raise

    def is_ready(self):
        return (self.folder / "ready").exists()

    def bytes_of(self, channel, path):
        """The packager's file; a segment stays for 30 s after it left the playlist."""
        return (self.folder / "www" / channel / path).read_bytes()

    def close(self):
        self.over.set()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


class PackagedEvent(Event):
    """The event of the harness with the packager as its origin, and with the viewer page."""

    def __init__(self, folder, programs, origin):
        self.folder, self.programs, self.origin = folder, programs, origin
        self.channels = [self.channel_config(c, f"{origin.url}/{c}/index.m3u8", links="auto") for c in CHANNELS]
        self.reserved_ports = {}
        self.balancer = None
        self.nodes = {}

    def balancer_config(self, nodes, changes=None):
        own = {"api": {"caches": [{"id": n, "url": self.url(n)} for n in nodes]}, "web": {"folder": str(ROOT / "web" / "dist")}}
        return merged(super().balancer_config(nodes, changes), own)

    def playlist_url(self, channel, cache=None):
        return f"{self.url('balancer')}/live/{channel}/index.m3u8" + (f"?cache={cache}" if cache else "")

    def page_url(self, channel, cache=None):
        return f"{self.url('balancer')}/?channel={channel}" + (f"&cache={cache}" if cache else "")

    def segments_served(self, node):
        return [line["path"] for line in self.nodes[node].access_log() if line["path"].startswith("/media/") and line["status"] in (200, 206)]


ENOUGH_SECONDS = 0.1   # of buffer: a stall with more data than that is caused by a busy machine


def stalls_of(seen):
    """Stalls of more than half a second for lack of data."""
    return [s for s in seen["stalls"] if (s["durationMs"] is None or s["durationMs"] > 500) and s["bufferSeconds"] < ENOUGH_SECONDS]


def errors_of(seen):
    """All errors except stalls with data in the buffer."""
    return [e for e in seen["errors"] if e["fatal"] or e["details"] not in ("bufferStalledError", "bufferNudgeOnStall") or e["bufferSeconds"] < ENOUGH_SECONDS]


def assert_smooth(seen, seconds):
    """hls.js played `seconds` without a stall or an error."""
    after = seen["after"]
    assert after["engine"] == "hls.js"
    # Stalls of any length. With a second of data in the buffer the decoder stalled, not the stream.
    assert [s for s in after["stalls"] if s["bufferSeconds"] < 1] == [], after
    assert [e for e in after["errors"] if e["fatal"] or "Stalled" in e["details"]] == [], after
    # Stalls are checked above. The wall clock and the number of frames also depend on the load of this machine, which decodes without a
    # graphics card beside compilers: they only show that the video played.
    played = after["currentTime"] - seen["before"]["currentTime"]
    assert seen["wallSeconds"] < 1.5 * played + 2
    assert after["shownFrames"] - seen["before"]["shownFrames"] > 0.3 * FRAMES_PER_SECOND * seconds


class Viewer:
    """A page in headless Chromium; see watch.mjs, tab.mjs and shaka.mjs."""

    def __init__(self, page_url, seconds, screenshot, script="watch.mjs", waiting_room=False, within=()):
        """`seconds` of playback; 0: until enough() is called. `within`: the command that enters the namespace of its network."""
        screenshot.parent.mkdir(parents=True, exist_ok=True)
        self.seconds = seconds
        self.has_left = False
        self.lines = queue.Queue()
        self.errors = screenshot.with_suffix(".stderr")
        command = [*within, "node", script, page_url, str(seconds), str(screenshot)] + ([str(screenshot.with_suffix(".waiting_room.png"))] if waiting_room else [])
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(command, cwd=PLAYERS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put({"event": "ended"})

    def next(self, event, within):
        try:
            line = self.lines.get(timeout=stretched(within))
        except queue.Empty:
            raise AssertionError(f"the viewer did not say '{event}' within {within} s") from None
        assert line["event"] == event, f"{line}\n{self.errors.read_text()[-2000:]}"[:6000]
        return line

    def wait_waiting(self):
        """The page shows its waiting room; needs `waiting_room`."""
        return self.next("waiting", 60)

    def wait_left(self):
        self.next("left", 30)
        self.has_left = True

    def wait_playing(self):
        return self.next("playing", 60)

    def enough(self):
        self.process.stdin.write("enough\n")
        self.process.stdin.flush()

    def command(self, command, within=120):
        """The state of the page after this command; see tab.mjs."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.next(command.split()[0], within)

    def wait_done(self):
        return self.next("done", self.seconds * 4 + 30)

    def close(self):
        self.process.stdin.close()
        if self.process.poll() is None and not self.has_left:
            self.process.terminate()
        self.process.wait(20)
