"""A client that plays a live channel by the rules which androidx.media3 (ExoPlayer) publishes in its HLS library; no code of it.

- A playlist is taken when it is newer: a higher EXT-X-MEDIA-SEQUENCE, or the same and more segments, or as many and more trailing parts, or now ended.
  One that ends before the last one begins is a reset; none newer for 3.5 target durations is stuck. Both are playback errors.
- It is asked for again a target duration after a newer one began to load, half of one after another.
- Segments are followed by their number. One that the playlist no longer lists is a playback error. What loads once keeps its URI over all retries, also
  when a newer playlist gives another one; a part that arrived is not asked for again.
- An initialization section is loaded again when its absolute URI is another one.
- Answers 403, 404, 410, 416, 500 and 503 exclude the track for a minute, as long as there is another. Other failures are tried again after 0, 1 and 2 s,
  and the next one is a playback error."""
import re
import threading
import time
from urllib.parse import urljoin

from .parsing import MediaPlaylist, variant_uris
from .raw_client import fetch
from .waiting import wait_until

AGENT = "Demo/1.0 (Linux;Android 14) AndroidXMedia3/1.8.0"
EXCLUDING = {403, 404, 410, 416, 500, 503}
MIN_RETRIES = 3
LONGEST_RETRY_S = 5.0
STUCK_TARGETS = 3.5
REDIRECTS = 20


class PlaybackError(Exception):
    pass


class LoadError(Exception):
    def __init__(self, text, status=None):
        super().__init__(text)
        self.status = status


def trailing_parts(playlist):
    tail = playlist.text.rpartition("\n" + playlist.segments[-1].text + "\n")[2] if playlist.segments else playlist.text
    return len(re.findall(r"^#EXT-X-PART:", tail, re.M))


def is_newer(loaded, known):
    if known is None or loaded.msn != known.msn:
        return known is None or loaded.msn > known.msn
    if len(loaded.segments) != len(known.segments):
        return len(loaded.segments) > len(known.segments)
    parts, known_parts = trailing_parts(loaded), trailing_parts(known)
    return parts > known_parts or (parts == known_parts and loaded.is_ended and not known.is_ended)


class Loaded:
    def __init__(self, msn, host, body, attempts):
        self.msn, self.host, self.body, self.attempts = msn, host, body, attempts

    def __repr__(self):
        return f"<{self.msn} of {self.host}, {self.attempts} attempts>"


class Media3Client:
    """Plays until close(). `source` is the address that it asks from, and may be changed at any time."""

    def __init__(self, balancer_url, channel="demo", source=None, headers=None, query=""):
        self.source, self.headers = source, {"User-Agent": AGENT, **(headers or {})}
        self.url = f"{balancer_url}/live/{channel}/index.m3u8{query}"
        self.snapshot, self.changed = None, None
        self.loaded, self.inits, self.errors, self.exclusions = [], [], [], []
        self.over = threading.Event()
        self.news = threading.Condition()
        self.multivariant = self._get(self.url)[0]
        self.tracks = variant_uris(self.multivariant.text, self.url)
        self.threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in (self._follow_playlist, self._load_segments)]
        for thread in self.threads:
            thread.start()

    def close(self):
        self.over.set()
        with self.news:
            self.news.notify_all()
        for thread in self.threads:
            thread.join(30)

    def wait_loaded(self, msn, within=20):
        def is_there():
            assert not self.errors, self.errors
            return any(loaded.msn == msn for loaded in self.loaded)

        wait_until(is_there, within, f"segment {msn} loaded")
        return next(loaded for loaded in self.loaded if loaded.msn == msn)

    def _guarded(self, work):
        try:
            work()
        except PlaybackError as error:
            self.errors.append(str(error))

    # -- loading --
    def _get(self, uri, first=0):
        """(answer, host that gave it); follows redirects."""
        headers = {**self.headers, **({"Range": f"bytes={first}-"} if first else {})}
        for _ in range(REDIRECTS):
            try:
                answer = fetch(uri, headers=headers, source=self.source)
            except OSError as error:
                raise LoadError(f"{uri}: {error}") from error
            if answer.status not in (301, 302, 303, 307, 308):
                if answer.status not in (200, 206):
                    raise LoadError(f"{uri}: {answer.status} {answer.body[:200]}", answer.status)
                return answer, uri.split("/")[2]
            uri = urljoin(uri, answer.header("Location"))
        raise LoadError(f"{uri}: too many redirects")

    def _retry(self, error, count):
        """Waits before the next attempt, or gives playback up."""
        if error.status in EXCLUDING and len(self.tracks) > 1:
            self.exclusions.append(str(error))
            raise PlaybackError(f"track excluded: {error}")   # this client has no other track
        if count > MIN_RETRIES:
            raise PlaybackError(str(error))
        self.over.wait(min(count - 1.0, LONGEST_RETRY_S))

    # -- the playlist --
    def _follow_playlist(self):
        failed, due = 0, 0.0
        while not self.over.wait(max(0.0, due - time.monotonic())):
            began = time.monotonic()
            try:
                answer, _ = self._get(self.tracks[0])
                if not answer.complete:
                    raise LoadError("the playlist was cut")
            except LoadError as error:
                failed += 1
                self._retry(error, failed)
                due = 0.0
                continue
            failed = 0
            due = began + self._take(MediaPlaylist(answer.text, self.tracks[0]))

    def _take(self, loaded):
        """How long to wait for the next one, from when this one was asked for."""
        known, now = self.snapshot, time.monotonic()
        if is_newer(loaded, known):
            with self.news:
                self.snapshot, self.changed = loaded, now
                self.news.notify_all()
            return loaded.target
        if loaded.msn + len(loaded.segments) < known.msn:
            raise PlaybackError(f"playlist reset: {known.msn} to {loaded.msn}")
        if now - self.changed > STUCK_TARGETS * known.target:
            raise PlaybackError(f"playlist stuck at {known.last_msn}")
        return known.target / 2

    # -- the segments --
    def _load_segments(self):
        init, msn = None, None
        while not self.over.is_set():
            playlist = self._playlist_with(msn)
            if playlist is None:
                return
            if msn is None:
                msn = max(playlist.msn, playlist.last_msn - 2)   # three target durations behind the end
            if msn < playlist.msn:
                raise PlaybackError(f"behind the live window: {msn} before {playlist.msn}")
            if playlist.map_uri != init:
                init = playlist.map_uri
                if init:
                    self.inits.append((init, self._load(None, init).body))
            loaded = self._load(msn, playlist.segment(msn).uri)
            if loaded:
                self.loaded.append(loaded)
                msn += 1

    def _playlist_with(self, msn):
        """The last playlist, once it lists this number; None at the end."""
        with self.news:
            self.news.wait_for(lambda: self.over.is_set() or self.errors or (self.snapshot and (msn is None or self.snapshot.last_msn >= msn)))
            return None if self.over.is_set() or self.errors else self.snapshot

    def _load(self, msn, uri):
        body, failed = b"", 0
        while not self.over.is_set():
            try:
                answer, host = self._get(uri, len(body))
                body = body + answer.body if answer.status == 206 else answer.body
                if answer.complete:
                    return Loaded(msn, host, body, failed + 1)
                raise LoadError(f"{uri}: cut after {len(body)} bytes")
            except LoadError as error:
                failed += 1
                self._retry(error, failed)
        return None
