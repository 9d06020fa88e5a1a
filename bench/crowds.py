"""What a crowd meets: how many viewers of a live edge hit, memory of idle viewers. Beside other servers: peers.py, which shares the
origin and the thousand clients on a cold object with this.

Prints figures; docs/performance.md takes them by hand, with the load of the machine. The clients are one asyncio loop in this process.
"""
import argparse
import asyncio
import collections
import http.server
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import servers
from bench import ROOT, Tribune


class Connection:
    """A client's kept connection."""

    def __init__(self, url):
        self.address = urlsplit(url).netloc.rsplit(":", 1)
        self.reader = self.writer = None

    async def get(self, url):
        """(status, head, body, time of the first byte of the body)"""
        if not self.writer:
            self.reader, self.writer = await asyncio.open_connection(self.address[0], int(self.address[1]), limit=1 << 20)
        parts = urlsplit(url)
        self.writer.write(f"GET {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), None)
        chunks, first, size = [], None, 0
        while length is None or size < length:
            if length is None:   # chunked
                count = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
                data = (await self.reader.readexactly(count + 2))[:-2]
                if count == 0:
                    break
            else:
                data = await self.reader.read(1 << 18)
                if not data:
                    raise OSError("cut")
            first = first or time.monotonic()
            size += len(data)
            chunks.append(data)
        return int(head.split(" ", 2)[1]), head, b"".join(chunks), first

    def close(self):
        if self.writer:
            self.writer.close()


def links(text, base):
    return [urljoin(base, line) for line in text.decode().splitlines() if line and line[0] != "#"]


# ---- the live edge ----

async def viewer(tribune, until, words):
    playlists, segments = Connection(tribune.balancer.url), None
    await asyncio.sleep(random.uniform(0, 2))
    _, _, text, _ = await playlists.get(tribune.multivariant("bench"))
    media = links(text, tribune.multivariant("bench"))[0]
    seen = set()
    while time.monotonic() < until:
        _, _, text, _ = await playlists.get(media)
        listed = links(text, media)
        segments = segments or Connection(listed[-1])
        for url in [u for u in listed if u not in seen] if seen else listed[-1:]:
            status, head, _, _ = await segments.get(url)
            if seen:   # what others than those who join meet
                words[next((line.split(";")[1].split("=")[0].strip() for line in head.split("\r\n") if line.lower().startswith("cache-status")), str(status))] += 1
        seen.update(listed)
        await asyncio.sleep(random.uniform(0.8, 1.2))
    playlists.close()
    if segments:
        segments.close()


async def watch(tribune, viewers, seconds):
    words = collections.Counter()
    until = time.monotonic() + seconds
    await asyncio.gather(*(viewer(tribune, until, words) for _ in range(viewers)))
    return words


def live_edge(options, folder):
    www = folder / "www"
    www.mkdir()
    (www / "seg.ts").write_bytes(os.urandom(256 * 1024))
    servers.SEGMENT_BYTES = 256 * 1024
    live = servers.LivePlaylist(www)
    live.start()
    origin = servers.nginx("origin", folder, www)
    tribune = Tribune(options.binary, folder, origin, None)
    try:
        words = asyncio.run(watch(tribune, options.viewers, options.seconds))
        every = sum(words.values())
        status = servers.get(f"{tribune.node.admin}/status")[2].decode()
        print(f"live edge: {options.viewers} viewers, {every} segments: " + ", ".join(f"{word} {100 * n / every:.2f} %" for word, n in words.most_common()))
        print("  node: " + ", ".join(part for part in status.split(",") if part.split(":")[0].strip('{"') in ("hits", "misses", "waited")))
    finally:
        live.over.set()
        tribune.close()
        origin.close()


# ---- a thousand on a cold object ----

class ColdOrigin(http.server.ThreadingHTTPServer):
    """/seg.ts at once; any other segment after 200 ms, in 16 pieces 50 ms apart, as a live packager sends."""
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, segments):
        super().__init__(("127.0.0.1", 0), ColdHandler)
        self.names = ["seg.ts", *(f"cold-{i}.ts" for i in range(1, segments + 1))]
        self.asked, self.first, self.last = 0, None, None
        self.piece = os.urandom(32 * 1024)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class ColdHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        if self.path.endswith(".m3u8"):
            body = ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n" + "".join(f"#EXTINF:2,\n{name}\n" for name in server.names)).encode()
        elif self.path == "/seg.ts":
            body = server.piece
        else:
            body = None
            server.asked += 1
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.send_header("Cache-Control", "max-age=3600")
        self.send_header("Content-Length", str(len(body) if body else 16 * len(server.piece)))
        if body:
            self.end_headers()
            self.wfile.write(body)
            return
        time.sleep(0.2)
        self.end_headers()
        for i in range(16):
            self.wfile.write(server.piece)
            server.last = time.monotonic()
            if i == 0:
                server.first = server.first or server.last
            time.sleep(0.05)

    def log_message(self, *_):
        pass


def crowd(options, url):
    """(when it set out, [(first byte, last byte, bytes)]): the clients are a process of their own, so that they cost the servers little."""
    parts = urlsplit(url)
    host, port = parts.netloc.rsplit(":", 1)
    target = parts.path + ("?" + parts.query if parts.query else "")
    ran = subprocess.run([options.client, host, port, target, str(options.clients)], check=False, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    *lines, began = ran.stdout.splitlines()
    return float(began.split()[1]), [(float(first), float(last), int(size)) for first, last, size in (line.split() for line in lines)]


# ---- idle viewers ----

def memory_of(pid):
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:] if ":" in line)
    return int(fields["Private_Dirty"].split()[0]) * 1024


async def keep_idle(memory, url, clients):
    """What memory() says while so many connections are kept that have been answered."""
    connections = []
    for begin in range(0, clients, 500):
        group = [Connection(url) for _ in range(begin, min(begin + 500, clients))]
        await asyncio.gather(*(c.get(url) for c in group))
        connections += group
    used = memory()
    for connection in connections:
        connection.close()
    return used, len(connections)


def idle(options, folder):
    www = folder / "www"
    www.mkdir(exist_ok=True)
    (www / "seg.ts").write_bytes(os.urandom(64 * 1024))
    node = servers.tribune(options.binary, "tribune cache node", folder, None, lambda _: {
        "front": {"listen": [f"127.0.0.1:{servers.free_port()}"], "limits": {"max_connections_per_address": 20000}},
        "event": {"keys": servers.KEYS},
        "cache_node": {"id": "node", "public_url": "http://127.0.0.1:1", "balancers": ["http://127.0.0.1:1"], "store_dir": str(folder / "store3"), "max_bytes": "1GiB"}})
    node.url = "http://" + json.loads((folder / "tribune_cache_node.json").read_text())["front"]["listen"][0]
    try:
        asyncio.run(keep_idle(lambda: 0, f"{node.url}/ping", 200))
        before = memory_of(node.pid)
        used, _ = asyncio.run(keep_idle(lambda: memory_of(node.pid), f"{node.url}/ping", options.idle))
        print(f"idle: {options.idle} kept connections: {(used - before) / options.idle:.0f} bytes of process memory each")
    finally:
        node.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["live_edge", "idle"], help="live_edge, idle")
    parser.add_argument("--binary", default=os.environ.get("TRIBUNE_BINARY", str(ROOT / "build" / "tribune")))
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--idle", type=int, default=15000)
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    (ROOT / "build").mkdir(exist_ok=True)
    print(f"load average {os.getloadavg()[0]:.1f}")
    for what in options.what:
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
        folder.chmod(0o755)
        try:
            {"live_edge": live_edge, "idle": idle}[what](options, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
