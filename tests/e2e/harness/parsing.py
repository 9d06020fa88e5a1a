"""Parsers for Prometheus text and m3u8 text, as far as the tests need them."""
import re
from urllib.parse import urljoin

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    def __init__(self, text):
        self.samples = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                self.samples.append((name, dict(LABEL.findall(labels or "")), float(value)))

    def sum(self, name, **labels):
        """All samples of that name whose labels agree, added up; 0 when there is none."""
        return sum(v for n, l, v in self.samples if n == name and all(l.get(k) == w for k, w in labels.items()))

    def names(self):
        return sorted({n for n, _, _ in self.samples})


class Segment:
    def __init__(self, msn, uri, text, tags):
        self.msn = msn
        self.uri = uri  # absolute
        self.text = text  # as it stands in the playlist
        self.tags = tags

    def __repr__(self):
        return f"<{self.msn} {self.text}>"


class MediaPlaylist:
    def __init__(self, text, url):
        assert text.startswith("#EXTM3U"), text[:200]
        self.text, self.url = text, url
        self.msn = self.discontinuity = 0
        self.target = None
        self.is_ended = False
        self.map_uri = None
        self.segments = []
        tags = []
        for line in text.splitlines():
            if line.startswith("#EXT-X-MEDIA-SEQUENCE:"):
                self.msn = int(line.split(":")[1])
            elif line.startswith("#EXT-X-DISCONTINUITY-SEQUENCE:"):
                self.discontinuity = int(line.split(":")[1])
            elif line.startswith("#EXT-X-TARGETDURATION:"):
                self.target = int(line.split(":")[1])
            elif line.startswith("#EXT-X-ENDLIST"):
                self.is_ended = True
            elif line.startswith("#EXT-X-MAP:"):
                self.map_uri = urljoin(url, re.search(r'URI="([^"]*)"', line).group(1))
            elif line.startswith("#"):
                tags.append(line)
            elif line:
                self.segments.append(Segment(self.msn + len(self.segments), urljoin(url, line), line, tags))
                tags = []

    @property
    def last_msn(self):
        return self.msn + len(self.segments) - 1

    def segment(self, msn):
        return self.segments[msn - self.msn]


def variant_uris(text, url):
    """Absolute URIs of a multivariant playlist's variants, in its order."""
    assert text.startswith("#EXTM3U"), text[:200]
    lines = text.splitlines()
    return [urljoin(url, lines[i + 1]) for i, line in enumerate(lines) if line.startswith("#EXT-X-STREAM-INF:")]
