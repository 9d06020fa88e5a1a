"""Tribune beside nginx and Varnish in one run: CPU time of each server per request.

Every server has one core to itself and the load generator (wrk) the other. The servers take turns, so that what else
happens on the machine hits all of them; the median of the rounds counts.
"""
import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from urllib.parse import urljoin

import report
import servers
from measure import load, measure

ROOT = Path(__file__).parents[1]


class Case:
    """One row of a table: a server and the URL that is asked of it."""

    def __init__(self, label, server, url):
        self.label, self.server, self.url = label, server, url
        self.rounds = []

    @property
    def cpu_us(self):
        return statistics.median(r.cpu_us for r in self.rounds)


def run_table(cases, options, seconds):
    for case in cases:
        load(case.url, 1, options.connections, options.client_core)
    for number in range(options.rounds):
        for case in cases:
            case.rounds.append(measure(case.server, case.url, seconds, options.connections, options.client_core))
            print(f"  round {number + 1}: {case.label}: {case.rounds[-1].cpu_us:.1f} us", flush=True)
    return cases


class Tribune:
    """A balancer and a cache node, and what a viewer of theirs asks for."""

    def __init__(self, binary, folder, origin, core):
        source = f"{origin.url}/live.m3u8"
        node_port = servers.free_port()
        channels = [{"id": "bench", "source": source, "links": "direct"}, {"id": "bench-redirect", "source": source, "links": "redirect"},
                    {"id": "bench-paid", "source": source, "access": "paid"}]
        self.balancer = servers.tribune(binary, "tribune balancer", folder, core, lambda _: {
            "event": {"keys": servers.KEYS, "channels": channels, **servers.SILENT_ACCOUNTS},
            "balancer": {"state_dir": str(folder / "balancer"), "nodes": [{"id": "node", "url": f"http://127.0.0.1:{node_port}"}]},
        })
        self.node = servers.tribune(binary, "tribune cache node", folder, core, lambda _: {
            "front": {"listen": [f"127.0.0.1:{node_port}"]},
            "event": {"keys": servers.KEYS},
            "cache_node": {"id": "node", "public_url": f"http://127.0.0.1:{node_port}", "balancers": [self.balancer.url],
                           "store_dir": str(folder / "store"), "max_bytes": "1GiB"},
        })
        servers.wait_until(lambda: servers.get(f"{self.node.admin}/readyz")[0] == 200, 20, "the cache node is ready")
        servers.wait_until(lambda: b"~" in servers.get(self.multivariant("bench"))[2], 20, "the balancer lists the channel")
        self.playlist = self.media_playlist("bench")
        self.playlist_body = servers.get(self.playlist)[2]
        self.segment = self.last_segment(self.playlist)
        self.redirect_playlist = self.media_playlist("bench-redirect")
        self.redirect = self.last_segment(self.redirect_playlist)
        self.paid_playlist = self.media_playlist("bench-paid", "?session=" + servers.paid_session(self.balancer.url, "bench-paid"))
        self.paid_redirect = self.last_segment(self.paid_playlist)
        # The first request fills the cache; the second one is a hit.
        bodies = [servers.get(self.segment)[2] for _ in range(2)]
        assert len(bodies[1]) == servers.SEGMENT_BYTES and bodies[0] == bodies[1]
        assert servers.get(self.redirect)[2] == bodies[0]

    def multivariant(self, channel):
        return f"{self.balancer.url}/live/{channel}/index.m3u8"

    def media_playlist(self, channel, query=""):
        url = self.multivariant(channel) + query
        return urljoin(url, [line for line in servers.get(url)[2].decode().splitlines() if line and line[0] != "#"][0])

    def last_segment(self, playlist):
        return urljoin(playlist, [line for line in servers.get(playlist)[2].decode().splitlines() if line and line[0] != "#"][-1])

    def close(self):
        self.node.close()
        self.balancer.close()


def bench(options, folder):
    www = folder / "www"
    www.mkdir()
    (www / "seg.ts").write_bytes(os.urandom(servers.SEGMENT_BYTES))
    live = servers.LivePlaylist(www)
    live.start()
    core = options.server_core
    running = []
    try:
        origin = servers.nginx("origin", folder, www)
        running.append(origin)
        tribune = Tribune(options.binary, folder, origin, core)
        running.append(tribune)
        # The peers serve the very bytes that Tribune serves.
        (www / "viewer.m3u8").write_bytes(tribune.playlist_body)
        static = servers.nginx("nginx static", folder, www, core)
        running.append(static)
        opened = servers.nginx("nginx static open_file_cache", folder, www, core, http="open_file_cache max=1000 inactive=60s;")
        running.append(opened)
        cache = servers.nginx_cache(folder, origin, core)
        running.append(cache)
        copying = servers.nginx_cache(folder, origin, core, name="nginx proxy_cache copying", sendfile="off")
        running.append(copying)
        varnish = servers.varnish(folder, origin, core)
        running.append(varnish)

        print(f"segment of {servers.SEGMENT_BYTES} bytes", flush=True)
        segment = run_table([
            Case("Tribune cache node", tribune.node, tribune.segment),
            Case("nginx, static file", static, static.url + "/seg.ts"),
            Case("nginx, proxy_cache hit", cache, cache.url + "/seg.ts"),
            Case("nginx, proxy_cache hit, sendfile off", copying, copying.url + "/seg.ts"),
            Case("Varnish hit", varnish, varnish.url + "/seg.ts"),
        ], options, options.seconds)
        print(f"playlist of {len(tribune.playlist_body)} bytes", flush=True)
        playlist = run_table([
            Case("Tribune balancer, a session's live playlist", tribune.balancer, tribune.playlist),
            Case("Tribune balancer, the same with redirect links", tribune.balancer, tribune.redirect_playlist),
            Case("Tribune balancer, the same of a paid channel", tribune.balancer, tribune.paid_playlist),
            Case("Tribune balancer, 307 of a segment", tribune.balancer, tribune.redirect),
            Case("Tribune balancer, 307 of a paid channel", tribune.balancer, tribune.paid_redirect),
            Case("nginx, static file", static, static.url + "/viewer.m3u8"),
            Case("nginx, static file, open_file_cache", opened, opened.url + "/viewer.m3u8"),
            Case("nginx, proxy_cache hit", cache, cache.url + "/viewer.m3u8"),
            Case("Varnish hit", varnish, varnish.url + "/viewer.m3u8"),
        ], options, options.seconds)
        return segment, playlist, len(tribune.playlist_body)
    finally:
        live.over.set()
        for server in reversed(running):
            server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=os.environ.get("TRIBUNE_BINARY", str(ROOT / "build" / "tribune")))
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each case; the median counts (default %(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="length of a round (default %(default)s)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="do not write docs/performance.md")
    options = parser.parse_args()
    options.load_before = os.getloadavg()[0]
    # Not under /tmp, which may be memory: all servers that keep files get the same disk.
    (ROOT / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    folder.chmod(0o755)
    try:
        segment, playlist, playlist_bytes = bench(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = report.render(segment, playlist, playlist_bytes, options)
    print(text)
    if not options.keep:
        report.write(ROOT / "docs" / "performance.md", report.FIGURES, text)
    missed = report.missed(segment, playlist)
    for line in missed:
        print(f"bench: target missed: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
