"""A live channel at a scripted origin. The test controls its time: segments appear when it calls advance()."""
import hashlib
from datetime import timedelta

from .origin import ok


def segment_bytes(seed, size):
    """The same bytes for the same seed; different ones at every offset, so that a mixed body is detected."""
    block = hashlib.sha512(seed.encode()).digest()
    counter = (hashlib.sha512(block + str(i).encode()).digest() for i in range(size // 64 + 1))
    return b"".join(counter)[:size]


class LiveChannel:
    """master.m3u8 with `variants`, each a sliding window of segments. `run` names the packager's run: restart() begins a
    new one with reused file names and other bytes."""

    def __init__(self, origin, prefix="/live/demo", variants=("v1", "v2"), window=5, target=1, size=64 * 1024, fmp4=False,
                 first_msn=0, listed=5, name="seg", began=None):
        self.origin, self.prefix, self.variants = origin, prefix, variants
        self.window, self.target, self.size, self.fmp4 = window, target, size, fmp4
        self.name, self.began = name, began  # began: the moment of `first_msn`, when its segments are dated
        self.run = 1
        self.next_msn = first_msn
        self.first_msn = first_msn
        self.is_ended = False
        self.extra_tags = ""
        origin.on(f"{prefix}/master.m3u8", ok(self.multivariant, "application/vnd.apple.mpegurl"))
        for variant in variants:
            origin.on(f"{prefix}/{variant}/index.m3u8", ok(self._media(variant), "application/vnd.apple.mpegurl"))
            if fmp4:
                origin.on(f"{prefix}/{variant}/init.mp4", ok(lambda v=variant: self.init_of(v), "video/mp4"))
        self.advance(listed)

    @property
    def source(self):
        return f"{self.origin.url}{self.prefix}/master.m3u8"

    def multivariant(self):
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
        for i, variant in enumerate(self.variants):
            lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={1000000 * (i + 1)},CODECS=\"avc1.4d401f,mp4a.40.2\"", f"{variant}/index.m3u8"]
        return ("\n".join(lines) + "\n").encode()

    def name_of(self, msn):
        return f"{self.name}{msn}.{'m4s' if self.fmp4 else 'ts'}"

    def path_of(self, variant, msn):
        return f"{self.prefix}/{variant}/{self.name_of(msn)}"

    def bytes_of(self, variant, msn, run=None):
        return segment_bytes(f"{self.prefix}|{variant}|{msn}|{run or self.run}", self.size)

    def init_of(self, variant):
        return segment_bytes(f"{self.prefix}|{variant}|init|{self.run}", 1200)

    @property
    def listed(self):
        return range(max(self.first_msn, self.next_msn - self.window), self.next_msn)

    def media(self, variant):
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{self.target}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{self.listed.start}")
        if self.fmp4:
            lines.append('#EXT-X-MAP:URI="init.mp4"')
        if self.extra_tags:
            lines.append(self.extra_tags)
        for msn in self.listed:
            if self.began:
                lines.append("#EXT-X-PROGRAM-DATE-TIME:" + (self.began + timedelta(seconds=(msn - self.first_msn) * self.target)).isoformat())
            lines += [f"#EXTINF:{self.target:.3f},", self.name_of(msn)]
        if self.is_ended:
            lines.append("#EXT-X-ENDLIST")
        return ("\n".join(lines) + "\n").encode()

    def _media(self, variant):
        return lambda: self.media(variant)

    def advance(self, count=1):
        """Publishes segments; those that left the window can still be fetched."""
        for _ in range(count):
            msn = self.next_msn
            for variant in self.variants:
                self.origin.on(self.path_of(variant, msn), ok(self.bytes_of(variant, msn), "video/mp2t"))
            self.next_msn += 1

    def restart(self, first_msn=0, listed=3):
        """Restarts the packager: numbers and names begin again, the bytes are new."""
        self.run += 1
        self.first_msn = self.next_msn = first_msn
        self.advance(listed)
