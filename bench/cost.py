"""Instructions of a server per request, counted by callgrind: a figure that other work on the machine does not change.

The cases: a live playlist of a session with direct links (playlist) and with redirect links (list; of a paid channel: paid list), a 307 of a segment
(of a paid channel: paid 307), the admission of a new viewer and a heartbeat of a node at the balancer; a segment in the cache at a cache node. bench/costs.json keeps the figures. The kernel's work, such as sending, is not counted.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import cost_figures
import servers
from bench import ROOT

BATCHES = 5
WARM_UP = 100
SEGMENT_BYTES = 32 * 1024   # fits the send buffer of a socket: no case depends on how fast the client reads
HEADERS = {
    "Host": "event.example.org",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Accept": "*/*", "Accept-Language": "en-US,en;q=0.9", "Accept-Encoding": "gzip, deflate, br",
    "Origin": "https://event.example.org", "Referer": "https://event.example.org/",
    "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty",
}


class Connection:
    """One kept connection, one request at a time."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.read = b""

    def receive(self):
        more = self.socket.recv(1 << 20)
        if not more:
            raise RuntimeError("the server closed the connection")
        self.read += more

    def ask(self, request, status):
        """(head, body) of the response, which must have this status."""
        self.socket.sendall(request)
        while b"\r\n\r\n" not in self.read:
            self.receive()
        head, self.read = self.read.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"\ncontent-length: *(\d+)", head, re.IGNORECASE).group(1))
        while len(self.read) < length:
            self.receive()
        body, self.read = self.read[:length], self.read[length:]
        if int(head.split()[1]) != status:
            raise RuntimeError(f"{request.splitlines()[0].decode()}: expected {status}, got {head.decode()}\n{body[:500]!r}")
        return head, body

    def get(self, url, status=200, headers=HEADERS):
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return self.ask(f"GET {target} HTTP/1.1\r\n{fields}\r\n".encode(), status)


def uris(url, body):
    return [urljoin(url, line) for line in body.decode().splitlines() if line and line[0] != "#"]


class CountedServer:
    """A Tribune process under callgrind. It counts only between `begin` and the end of the process, so it starts in a second."""

    def __init__(self, options, name, folder, sections):
        self.profiles = folder / f"{name}.callgrind"
        under = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", f"--callgrind-out-file={self.profiles}"]
        self.server = servers.tribune(options.binary, name, folder, None, sections, under=under)
        self.url, self.admin = self.server.url, self.server.admin
        self.idle_rate = {}

    def command(self, *words):
        made = subprocess.run(["vgdb", f"--pid={self.server.pid}", *words], check=False, capture_output=True, text=True, timeout=60)
        if made.returncode != 0:
            raise RuntimeError(f"vgdb cannot reach {self.server.name}: {made.stderr.strip()[-500:]}")
        return made.stdout

    def begin(self):
        """Starts counting, and counts what the timers of an idle server take."""
        self.command("instrumentation", "on")
        marks = [self.counts()]
        for _ in range(3):
            time.sleep(1)
            marks.append(self.counts())
        self.idle_rate = {thread: statistics.median((after.get(thread, 0) - before.get(thread, 0)) / (end - start)
                                                    for (before, start), (after, end) in pairwise(marks))
                          for thread in marks[-1][0]}

    def counts(self):
        """Instructions of each thread so far."""
        state = self.command("status", "internal")
        found = {int(thread): int(events) for thread, events in re.findall(r"^events-(\d+): *(\d+)", state, re.MULTILINE)}
        if not found:
            raise RuntimeError(f"callgrind reports no counts of {self.server.name}: {state[-500:]}")
        return found, time.monotonic()

    def measure(self, ask, requests):
        """Instructions per request: of the worker, and of all other threads.

        WHY these steps: the work itself is the same for each request, so what varies is what runs beside it. Timers run by the clock, however many
        requests there are: their rate is counted while the server is idle, and subtracted. A refresh or a purge that falls into one batch does not
        change the median of the batches. How many records share a commit of the store, or how many lines a write of the log, depends on the clock
        too: these are other threads, so the figure is the worker's. No playlist changes, and signatures and ids have the same length each time.
        Counting begins when the server is ready. Addresses need no care, because valgrind maps a process the same way each time.
        """
        for _ in range(WARM_UP):
            ask()
        marks = [self.counts()]
        for _ in range(BATCHES):
            for _ in range(requests // BATCHES):
                ask()
            marks.append(self.counts())
        worker = max(marks[-1][0], key=lambda thread: marks[-1][0][thread] - marks[0][0].get(thread, 0))

        def of_batch(threads, number):
            (before, start), (after, end) = marks[number], marks[number + 1]
            grown = sum(after.get(t, 0) - before.get(t, 0) - self.idle_rate.get(t, 0) * (end - start) for t in threads)
            return grown / (requests // BATCHES)

        others = [thread for thread in marks[-1][0] if thread != worker]
        return tuple(statistics.median(of_batch(threads, number) for number in range(BATCHES)) for threads in ([worker], others))

    def close(self):
        self.server.close()


class ScriptedNode:
    """A cache node of which there are only the heartbeats."""

    PATH = "/internal/v1/nodes/node"

    def __init__(self, url):
        self.url, self.sequence = url, 0

    def heartbeat(self):
        self.sequence += 1
        now = int(time.time() * 1000)
        body = json.dumps({
            "node": "node", "public_url": self.url, "group": "city", "peer_url": "", "version": "0.1.0", "run": "0123456789abcdef",
            "sequence": 1_000_000 + self.sequence, "sent_unix_ms": now, "healthy": True, "reason": "", "sent_mbps": 1234.5, "capacity_mbps": 100_000,
            "connections": 1000, "sessions": 1000, "player_reports": 0, "rebuffer_ratio": 0, "player_mbps": 0, "objects": 2000,
            "stored_bytes": 1 << 32, "max_bytes": 1 << 40, "disk_free_bytes": 1 << 40, "requests": 1000, "failures": 0, "failures_by_origin": 0,
            "failures_by_origin_status": 0, "origin_asks": 10, "origin_failures": 0, "peer_asks": 0, "peer_failures": 0, "memory": "plenty",
            "descriptors": 1100, "max_descriptors": 20_000, "channels": {"direct": 1000.5, "redirect": 234.5}}).encode()
        return post(self.PATH, body)


def post(path, body):
    """A signed request of a process of the event."""
    head = {"Host": "127.0.0.1", "Content-Length": len(body), **servers.signed_fields("POST", path, body)}
    fields = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n".encode() + body


def write_source(www):
    """A live channel with one variant whose playlist does not change while the cases run."""
    media = os.urandom(SEGMENT_BYTES)
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:600", "#EXT-X-MEDIA-SEQUENCE:1"]
    for number in range(1, servers.LISTED + 1):
        (www / f"seg-{number}.ts").write_bytes(media)
        lines += ["#EXTINF:600.000000,", f"seg-{number}.ts"]
    (www / "seg.ts").write_bytes(media)
    (www / "live.m3u8").write_text("\n".join(lines) + "\n")
    (www / "index.m3u8").write_text('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=1280x720,CODECS="avc1.64001f,mp4a.40.2"\nlive.m3u8\n')


def balancer_sections(origin, state_dir, node_url):
    source = f"{origin.url}/index.m3u8"
    return {
        "event": {"keys": servers.KEYS, "channels": [{"id": "direct", "source": source, "links": "direct"},
                                                     {"id": "redirect", "source": source, "links": "redirect"},
                                                     {"id": "paid", "source": source, "access": "paid"}],
                  **servers.SILENT_ACCOUNTS},
        # Each scope has a limit, so that each new viewer is compared with all of them. None is reached.
        "access": {"max_sessions": 100_000, "max_traffic_mbps": 1_000_000, "restart_grace": "0s",
                   "channels": [{"id": "direct", "max_sessions": 50_000, "max_traffic_mbps": 500_000}],
                   "groups": [{"id": "city", "max_sessions": 50_000, "max_traffic_mbps": 500_000}],
                   "nodes": [{"id": "node", "max_sessions": 50_000, "max_traffic_mbps": 500_000}]},
        "balancer": {"state_dir": str(state_dir), "nodes": [{"id": "node", "url": node_url, "group": "city"}],
                     "node_timeout": "1min", "session_idle": "1h", "publish_delay": "0s",
                     "routing": {"probe_period": "1h", "ramp": "0s"}, "origin": {"multivariant_age": "1h"}},
    }


class Cases:
    """Starts what the cases need, counts them, and keeps a profile of each when options ask for it."""

    def __init__(self, options, folder, origin):
        self.options, self.folder, self.origin = options, folder, origin
        self.measured, self.elsewhere = {}, {}

    def count(self, server, case, ask):
        if self.options.profiles:
            server.command("zero")
        worker, others = server.measure(ask, self.options.requests)
        self.measured[case], self.elsewhere[case] = round(worker), round(others)
        print(f"  {case}: {worker:,.0f} instructions, {others:,.0f} in other threads", flush=True)
        if self.options.profiles:
            self.keep_profiles(server, case)

    def keep_profiles(self, server, case):
        """callgrind writes one file for each dump and thread, PREFIX.NUMBER-THREAD: the largest is the worker's."""
        server.command("dump", case)
        made = sorted(self.folder.glob(f"{server.profiles.name}.*"), key=lambda file: file.stat().st_size)
        shutil.move(made[-1], self.options.profiles / f"{case}.callgrind")
        for file in made[:-1]:
            file.unlink()

    def balancer(self):
        node = ScriptedNode(f"http://127.0.0.1:{servers.free_port()}")
        balancer = CountedServer(self.options, "balancer", self.folder, lambda _: balancer_sections(self.origin, self.folder / "balancer", node.url))
        try:
            viewer, link = Connection(balancer.url), Connection(balancer.url)

            def beat():
                link.ask(node.heartbeat(), 200)

            beat()
            opened = {channel: f"{balancer.url}/live/{channel}/index.m3u8" for channel in ("direct", "redirect")}
            opened["paid"] = f"{balancer.url}/live/paid/index.m3u8?session=" + servers.paid_session(balancer.url, "paid")
            playlists = {channel: uris(url, viewer.get(url, headers={"Host": "localhost"})[1])[0] for channel, url in opened.items()}
            listed = {channel: uris(url, viewer.get(url, headers={"Host": "localhost"})[1]) for channel, url in playlists.items()}
            if urlsplit(listed["direct"][0]).netloc != urlsplit(node.url).netloc or not listed["redirect"][0].startswith(balancer.url):
                raise RuntimeError(f"the playlists have other links than direct and redirect ones: {listed}")
            balancer.begin()
            self.count(balancer, "heartbeat", beat)
            self.count(balancer, "playlist", lambda: viewer.get(playlists["direct"]))
            beat()
            self.count(balancer, "redirect", lambda: viewer.get(listed["redirect"][-1], status=307))
            beat()
            other = Connection(balancer.url)   # the number of requests of a connection is limited
            self.count(balancer, "list", lambda: other.get(playlists["redirect"]))
            beat()
            self.count(balancer, "paid list", lambda: other.get(playlists["paid"]))
            beat()
            self.count(balancer, "paid 307", lambda: other.get(listed["paid"][-1], status=307))
            beat()
            self.count(balancer, "admission", lambda: viewer.get(opened["direct"]))
        finally:
            balancer.close()

    def node(self):
        """The node gets the channels and a link from a balancer that is not counted."""
        port = servers.free_port()
        node_url = f"http://127.0.0.1:{port}"
        balancer = servers.tribune(self.options.binary, "balancer_of_node", self.folder, None,
                                   lambda _: balancer_sections(self.origin, self.folder / "balancer_of_node", node_url))
        try:
            node = CountedServer(self.options, "node", self.folder, lambda _: {
                "front": {"listen": [f"127.0.0.1:{port}"]}, "event": {"keys": servers.KEYS},
                "cache_node": {"id": "node", "group": "city", "public_url": node_url, "balancers": [balancer.url], "heartbeat_interval": "10s",
                               "store_dir": str(self.folder / "store"), "max_bytes": "256MiB", "origin": {"allow_special_addresses": True}}})
            try:
                servers.wait_until(lambda: servers.get(f"{node.admin}/readyz")[0] == 200, 30, "the cache node is ready")
                viewer, opened = Connection(node_url), f"{balancer.url}/live/direct/index.m3u8"
                servers.wait_until(lambda: b"~" in servers.get(opened)[2], 30, "the balancer admits a viewer")
                playlist = uris(opened, servers.get(opened)[2])[0]
                segment = uris(playlist, servers.get(playlist)[2])[-1]
                viewer.get(segment)
                servers.wait_until(lambda: b"hit" in viewer.get(segment)[0], 10, "the segment is in the cache")
                node.begin()
                self.count(node, "segment", lambda: viewer.get(segment))
            finally:
                node.close()
        finally:
            balancer.close()


def measure_all(options):
    # Not under /tmp, which may be memory: the store is on a disk as in the other measurements.
    (ROOT / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    folder.chmod(0o755)
    try:
        www = folder / "www"
        www.mkdir()
        write_source(www)
        origin = servers.nginx("origin", folder, www)
        try:
            cases = Cases(options, folder, origin)
            cases.balancer()
            cases.node()
        finally:
            origin.close()
        return cases.measured
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require(binary):
    """Fails when valgrind or the program cannot be used."""
    for tool in ("valgrind", "vgdb"):
        if not shutil.which(tool):
            raise RuntimeError(f"{tool} is missing; scripts/install-packages test installs it")
    try:
        made = subprocess.run([binary, "--version"], check=False, capture_output=True, text=True, timeout=30)
    except OSError as error:
        raise RuntimeError(f"{binary} cannot be started ({error.strerror}); scripts/build tribune builds it, TRIBUNE_BINARY names another") from error
    if made.returncode != 0:
        raise RuntimeError(f"{binary} --version ended with {made.returncode}: {made.stderr.strip()[-500:]}")


def report(options, measured):
    """Prints what was measured and does what the options ask for; the exit status."""
    subject = cost_figures.subject_of(options.binary)
    if options.write:
        cost_figures.write(measured, subject)
        print(f"wrote {cost_figures.FILE.relative_to(ROOT)}")
    kept = cost_figures.read()
    print(cost_figures.table(measured, kept))
    comparison = cost_figures.Comparison(measured, kept, subject)
    if options.results:
        cost_figures.write_junit(options.results, measured, comparison)
    if comparison.void:
        print(f"bench: nothing was compared: {comparison.void}. scripts/bench cost --write replaces them.")
    for sentence in comparison.shrank.values():
        print(f"bench: {sentence}. scripts/bench cost --write keeps the lower figure.")
    for sentence in comparison.grew.values():
        print(f"bench: {sentence}", file=sys.stderr)
    return 1 if options.check and comparison.grew else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=os.environ.get("TRIBUNE_BINARY", str(ROOT / "build" / "tribune")))
    parser.add_argument("--requests", type=int, default=2000, help="requests of each case (default %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the figures into bench/costs.json")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 when a figure exceeds that of the file by more than {100 * cost_figures.TOLERANCE:.0f} %%")
    parser.add_argument("--results", type=Path, metavar="FILE", help="write a JUnit report")
    parser.add_argument("--profiles", type=Path, metavar="FOLDER", help="keep a profile of each case there, for callgrind_annotate")
    options = parser.parse_args()
    if options.requests < BATCHES:
        parser.error(f"--requests must be at least {BATCHES}")
    if options.profiles:
        options.profiles.mkdir(parents=True, exist_ok=True)
    servers.end_at_signals(signal.SIGTERM, signal.SIGHUP)
    try:
        require(options.binary)
        return report(options, measure_all(options))
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
