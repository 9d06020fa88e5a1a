"""A player that fails on every violation of the specification: decreasing numbers, a changed text of a listed segment, an
incomplete segment."""
from urllib.parse import urljoin

from .parsing import MediaPlaylist, variant_uris
from .raw_client import fetch
from .waiting import wait_until


class Player:
    def __init__(self, balancer_url, channel="demo", query="", agent=None, variant=0, source=None):
        self.url = f"{balancer_url}/live/{channel}/index.m3u8{query}"
        self.headers = {"User-Agent": agent} if agent else {}
        self.variant = variant
        self.source = source  # the address from which it connects
        self.media_url = None
        self.playlist = None
        self.texts = {}  # msn -> text as first listed
        self.nodes = []  # address that served each segment

    def open(self):
        answer = fetch(self.url, headers=self.headers, source=self.source)
        assert answer.status == 200, (answer, answer.body[:500])
        self.multivariant = answer
        self.media_url = variant_uris(answer.text, self.url)[self.variant]
        return self

    def try_refresh(self):
        """Loads the media playlist; the response, also when it is not a 200."""
        answer = fetch(self.media_url, headers=self.headers, source=self.source)
        if answer.status != 200:
            return answer
        self.take(MediaPlaylist(answer.text, self.media_url))
        return answer

    def refresh(self):
        answer = self.try_refresh()
        assert answer.status == 200, (answer, answer.body[:500])
        return self.playlist

    def take(self, playlist):
        before = self.playlist
        if before is not None:
            assert playlist.msn >= before.msn, f"MSN decreased: {before.msn} to {playlist.msn}"
            assert playlist.last_msn >= before.last_msn, f"the last MSN decreased: {before.last_msn} to {playlist.last_msn}"
            assert playlist.discontinuity >= before.discontinuity
        for segment in playlist.segments:
            first = self.texts.setdefault(segment.msn, segment.text)
            assert first == segment.text, f"the text of {segment.msn} changed: {first} to {segment.text}"
        self.playlist = playlist

    def wait_for_msn(self, msn, within=5.0):
        wait_until(lambda: self.try_refresh().status == 200 and self.playlist.last_msn >= msn, within, f"MSN {msn} listed")
        return self.playlist.segment(msn)

    def follow(self, uri):
        """The response for the segment, over at most one 307."""
        answer = fetch(uri, headers=self.headers, source=self.source)
        if answer.status == 307:
            uri = urljoin(uri, answer.header("Location"))
            answer = fetch(uri, headers=self.headers, source=self.source)
        self.nodes.append(uri.split("/")[2])
        return answer

    def play(self, msn, expected, tries=1):
        """Fetches a listed segment; a real player retries a failed one."""
        segment = self.playlist.segment(msn)
        for attempt in range(tries):
            try:
                answer = self.follow(segment.uri)
            except OSError:
                if attempt + 1 == tries:
                    raise
                continue
            if answer.status == 200 and answer.complete:
                break
        assert answer.status == 200 and answer.complete, (segment, answer, answer.body[:300])
        assert answer.body == expected, f"segment {msn} differs from the origin's ({len(answer.body)} of {len(expected)} bytes)"
        return answer
