"""Viewers of a long event. Each obeys the specification: it requests its playlist once per target duration, loads new segments, and retries a
segment when a connection fails. It fails on a 4xx, a 5xx, decreasing numbers, wrong bytes, or no new segment for so long that a buffer of
that length is empty."""
import threading
from urllib.parse import urljoin

from harness.parsing import MediaPlaylist, variant_uris
from harness.raw_client import fetch

DIRECT = "Demo/1.0 videojs-vhs/3.17"   # a player that receives direct links, and accepts new ones for listed segments of a dead node


class Fault(AssertionError):
    pass


class Viewer(threading.Thread):
    """`starts`: at the "edge" of the window, or at its "head". `pauses`: minutes (from, to) without requests. `switches`:
    {minute: variant}."""

    def __init__(self, soak, name, channel, agent=None, variant=0, starts="edge", pauses=(), switches=None):
        super().__init__(daemon=True, name=name)
        self.soak, self.channel, self.agent, self.variant, self.starts = soak, channel, agent, variant, starts
        self.pauses, self.switches = list(pauses), dict(switches or {})
        self.url = f"{soak.event.balancer.url}/live/{channel.id}/index.m3u8"
        self.next_msn = None
        self.played_at = None
        self.played = self.asked = self.retries = 0
        self.playlist = None
        self.error = None

    # -- what it does --
    def run(self):
        try:
            self.open()
            while not self.soak.over.is_set() and not self.has_seen_all():
                self.play_one_interval()
        except Exception as error:   # an exception of this thread fails the event
            self.error = f"{self.name}, at minute {self.soak.time.now() / 60:.1f}: {type(error).__name__}: {error}"
            self.soak.over.set()

    def has_seen_all(self):
        return self.playlist is not None and self.playlist.is_ended and self.next_msn > self.playlist.last_msn

    def open(self):
        self.uris = variant_uris(self.get(self.url).text, self.url)
        self.played_at = self.soak.time.now()

    def play_one_interval(self):
        self.pause()
        began = self.soak.time.now()
        for minute in [m for m in self.switches if m * 60 <= began]:
            self.variant = self.switches.pop(minute)
        self.refresh()
        self.play_new()
        if not self.has_seen_all() and self.soak.time.now() - self.played_at > self.soak.patience:
            raise Fault(f"nothing new for {self.soak.time.now() - self.played_at:.0f} s; listed: {self.playlist.msn} to {self.playlist.last_msn}")
        self.soak.time.pass_until(began + self.channel.target, self.soak.over)

    def pause(self):
        for pause in [p for p in self.pauses if p[0] * 60 <= self.soak.time.now()]:
            self.pauses.remove(pause)
            self.soak.time.pass_until(pause[1] * 60, self.soak.over)
            self.played_at = self.soak.time.now()

    def refresh(self):
        answer = self.get(self.uris[self.variant])
        fresh = MediaPlaylist(answer.text, self.uris[self.variant])
        if self.playlist and (fresh.msn < self.playlist.msn or fresh.last_msn < self.playlist.last_msn - 1):
            raise Fault(f"numbers went back: {self.playlist.msn} to {self.playlist.last_msn}, then {fresh.msn} to {fresh.last_msn}")
        self.playlist = fresh

    def play_new(self):
        """Plays up to two new segments, so that a viewer behind the live edge gets closer to it."""
        if self.next_msn is None:
            self.next_msn = {"edge": max(self.playlist.msn, self.playlist.last_msn - 2), "head": self.playlist.msn}[self.starts]
        self.next_msn = max(self.next_msn, self.playlist.msn)   # after a pause
        for _ in range(2):
            if self.next_msn > self.playlist.last_msn:
                return
            body = self.load(self.next_msn)
            expected = self.channel.bytes_of(self.channel.variants[self.variant], self.next_msn)
            if body != expected:
                raise Fault(f"segment {self.next_msn} differs from the origin's: {len(body)} of {len(expected)} bytes")
            self.next_msn += 1
            self.played += 1
            self.played_at = self.soak.time.now()

    def load(self, msn):
        """The bytes of the segment. After a failed connection the playlist is loaded again, as players do it."""
        while True:
            uri = self.playlist.segment(msn).uri
            try:
                answer = self.get(uri)
                if answer.status == 307:
                    answer = self.get(urljoin(uri, answer.header("Location")))
                if answer.complete:
                    return answer.body
            except OSError:
                pass
            self.retries += 1
            if self.soak.time.now() - self.played_at > self.soak.patience:
                raise Fault(f"segment {msn} cannot be loaded for {self.soak.patience} s: {uri}")
            self.soak.time.pass_until(self.soak.time.now() + 1, self.soak.over)
            self.refresh()
            if msn < self.playlist.msn:
                raise Fault(f"segment {msn} left the window before it could be loaded")

    def get(self, uri):
        self.asked += 1
        answer = fetch(uri, headers={"User-Agent": self.agent} if self.agent else {})
        if answer.status >= 400:
            raise Fault(f"{answer.status} for {uri}: {answer.body[:400]!r}")
        return answer
