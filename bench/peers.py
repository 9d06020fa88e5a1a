"""Tribune's cache node beside nginx, Varnish and Traffic Server in one run and one table: the CPU time of a hit and of a miss, a thousand
clients on a cold object, memory of idle connections.

One worker each. For CPU times the servers have one core to themselves and the client the other; they take turns, round by round, and the
median counts. The table goes between two marks in docs/performance.md. It ends after --limit seconds whatever happens, and leaves nothing running.
"""
import argparse
import asyncio
import http.client
import os
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import crowds
import report
import servers
from bench import ROOT
from measure import cpu_seconds, descendants, load, measure

CACHED = 1 << 30


class System:
    """A cache in front of the origin: `server` is the process that counts, url() says where it has a file of the origin."""

    def __init__(self, name, server, others=(), links=None):
        self.name, self.server, self.others, self.links = name, server, others, links
        self.rows = {}

    def url(self, name):
        return self.links[name] if self.links is not None else f"{self.server.url}/{name}"

    def close(self):
        for server in (self.server, *self.others):
            server.close()


def tribune(options, folder, origin, core):
    node_port = servers.free_port()
    balancer = servers.tribune(options.binary, "tribune balancer", folder, None, lambda _: {
        "event": {"keys": servers.KEYS, "channels": [{"id": "bench", "source": f"{origin.url}/live.m3u8", "links": "direct"}]},
        "balancer": {"state_dir": str(folder / "balancer"), "nodes": [{"id": "node", "url": f"http://127.0.0.1:{node_port}"}]}})
    try:
        node = servers.tribune(options.binary, "tribune cache node", folder, core, lambda _: {
            "front": {"listen": [f"127.0.0.1:{node_port}"], "limits": {"max_connections_per_address": 20000}},
            "event": {"keys": servers.KEYS},
            "cache_node": {"id": "node", "public_url": f"http://127.0.0.1:{node_port}", "balancers": [balancer.url],
                           "store_dir": str(folder / "store"), "max_bytes": CACHED}})
    except Exception:
        balancer.close()
        raise
    system = System("Tribune", node, (balancer,), {})
    try:
        servers.wait_until(lambda: servers.get(f"{node.admin}/readyz")[0] == 200, 20, "the cache node is ready")
        multivariant = f"{balancer.url}/live/bench/index.m3u8"
        servers.wait_until(lambda: b"~" in servers.get(multivariant)[2], 20, "the balancer lists the channel")
        media = crowds.links(servers.get(multivariant)[2], multivariant)[0]
        system.links = {urlsplit(link).path.rsplit("/", 1)[1]: link for link in crowds.links(servers.get(media)[2], media)}
    except Exception:
        system.close()
        raise
    return system


def nginx(_, folder, origin, core):
    return System("nginx", servers.nginx(
        "nginx", folder, folder, core,
        http=f"proxy_cache_path {folder}/nginx_cache levels=1:2 keys_zone=bench:8m max_size=1g inactive=1h; proxy_http_version 1.1; proxy_set_header Connection \"\";",
        server=f"location / {{ proxy_pass {origin.url}; proxy_cache bench; proxy_cache_valid 200 1h; "
               "proxy_cache_lock on; proxy_cache_lock_timeout 60s; proxy_cache_lock_age 60s; }"))


def varnish(_, folder, origin, core):
    return System("Varnish", servers.varnish(folder, origin, core, CACHED))


def traffic_server(_, folder, origin, core):
    return System("Traffic Server", servers.traffic_server(folder, origin, core))


class All:
    """The four, in front of one origin, each in a folder of its own."""

    def __init__(self, options, folder, origin, core=None):
        self.running = []
        try:
            for make in (tribune, nginx, varnish, traffic_server):
                own = folder / make.__name__
                own.mkdir()
                own.chmod(0o755)
                self.running.append(make(options, own, origin, core))
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self.running

    def __exit__(self, *_):
        self.close()

    def close(self):
        for system in reversed(self.running):
            system.close()


def say(system, what):
    print(f"  {system.name}: {what}", flush=True)


# ---- CPU time of hits and misses ----

def whole(url, size):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request("GET", parts.path + ("?" + parts.query if parts.query else ""))
        answer = connection.getresponse()
        got = len(answer.read())
        assert answer.status == 200 and got == size, f"{url}: {answer.status}, {got} bytes"
    finally:
        connection.close()


def costs(options, folder, rows):
    www = folder / "www"
    www.mkdir()
    (www / "seg.ts").write_bytes(os.urandom(servers.SEGMENT_BYTES))
    names = [f"miss-{i}.ts" for i in range(options.rounds * options.misses)]
    for name in names:
        os.link(www / "seg.ts", www / name)
    (www / "live.m3u8").write_text(playlist(["seg.ts", *names]))
    origin = servers.nginx("origin", folder, www)
    try:
        with All(options, folder, origin, options.server_core) as systems:
            print("CPU of a hit and of a miss, 2 MiB")
            for system in systems:
                load(system.url("seg.ts"), 1, 32, options.client_core)
            hits = {s.name: [] for s in systems}
            misses = {s.name: [] for s in systems}
            for turn in range(options.rounds):
                for system in systems:
                    hits[system.name].append(measure(system.server, system.url("seg.ts"), options.seconds, 32, options.client_core).cpu_us)
                    before = cpu_seconds(system.server.pid)
                    for name in names[turn * options.misses:(turn + 1) * options.misses]:
                        whole(system.url(name), servers.SEGMENT_BYTES)
                    misses[system.name].append(1e6 * (cpu_seconds(system.server.pid) - before) / options.misses)
                    say(system, f"hit {hits[system.name][-1]:.0f} us, miss {misses[system.name][-1]:.0f} us")
            for system in systems:
                rows[system.name] = {"hit": statistics.median(hits[system.name]), "miss": statistics.median(misses[system.name])}
    finally:
        origin.close()


def playlist(names):
    return ("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n" + "".join(f"#EXTINF:2,\n{name}\n" for name in names))


# ---- crowds ----

def herd(options, systems, origin, rows):
    print(f"herd: {options.clients} clients on a cold object")
    seen = {s.name: [] for s in systems}
    for turn in range(options.rounds):
        for system in systems:
            origin.asked, origin.first, origin.last = 0, None, None
            began, visits = crowds.crowd(options, system.url(f"cold-{turn + 1}.ts"))
            assert all(size == 16 * len(origin.piece) for _, _, size in visits)
            waits = sorted(first - origin.first for first, _, _ in visits)
            seen[system.name].append((origin.asked, max(v[1] for v in visits) - began, statistics.median(waits), waits[int(len(waits) * 0.99)]))
            asked, slowest, median, p99 = seen[system.name][-1]
            say(system, f"{asked} at the origin, slowest last byte {slowest:.2f} s, first byte after the fill's: median {1000 * median:.1f} ms, p99 {1000 * p99:.1f} ms")
    for system in systems:
        asked, slowest, median, p99 = (statistics.median(column) for column in zip(*seen[system.name], strict=True))
        rows.setdefault(system.name, {}).update(asked=asked, slowest=slowest, median=median, p99=p99)


def memory(server):
    return sum(crowds.memory_of(pid) for pid in descendants(server.pid))


def idle(options, systems, rows):
    print(f"memory of {options.idle} idle connections")
    for system in systems:
        try:
            before, _ = asyncio.run(crowds.keep_idle(lambda: memory(system.server), system.url("seg.ts"), 200))
            used, held = asyncio.run(crowds.keep_idle(lambda: memory(system.server), system.url("seg.ts"), options.idle))
        except (OSError, EOFError) as error:   # it does not keep so many
            say(system, f"refused: {error}")
            continue
        rows.setdefault(system.name, {})["idle"] = (used - before) / held
        say(system, f"{(used - before) / held:.0f} bytes each")


def crowded(options, folder, rows):
    origin = crowds.ColdOrigin(options.rounds)
    with All(options, folder, origin) as systems:
        herd(options, systems, origin, rows)
        idle(options, systems, rows)


# ---- the table ----

COLUMNS = (
    ("CPU µs per hit of 2 MiB", "hit", "{:,.0f}"), ("CPU µs per miss of 2 MiB", "miss", "{:,.0f}"), ("herd: requests at the origin", "asked", "{:.0f}"),
    ("herd: last byte of the slowest, s", "slowest", "{:.2f}"), ("herd: first byte after the fill's, median ms", "median", "{:.1f}"),
    ("p99 ms", "p99", "{:.1f}"), ("bytes per idle connection", "idle", "{:,.0f}"))


def render(rows, options):
    def cell(row, key, form):
        if key not in row:
            return "–"
        return form.format(1000 * row[key] if key in ("median", "p99") else row[key])

    version = " ".join(report.first_line("/usr/bin/traffic_server", "--version").split()[:3])
    lines = [f"Measured on {time.strftime('%Y-%m-%d')} by `scripts/bench peers`: medians of {options.rounds} rounds.", "",
             f"- Machine: {report.machine()}. Load average when it began: {options.load_before:.1f}.",
             f"- Versions: {report.versions(options.binary)}; {version}.", "",
             "| | " + " | ".join(title for title, _, _ in COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    lines += [f"| {name} | " + " | ".join(cell(row, key, form) for _, key, form in COLUMNS) + " |" for name, row in rows.items()]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["costs", "crowds"], help="costs, crowds")
    parser.add_argument("--binary", default=os.environ.get("TRIBUNE_BINARY", str(ROOT / "build" / "tribune")))
    parser.add_argument("--client", default=str(ROOT / "build" / "bench" / "bench_crowd_client"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="length of a round of hits (default %(default)s)")
    parser.add_argument("--misses", type=int, default=30, help="in a round (default %(default)s)")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--idle", type=int, default=15000)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    parser.add_argument("--limit", type=int, default=450, help="seconds (default %(default)s)")
    parser.add_argument("--keep", action="store_true", help="do not write docs/performance.md")
    options = parser.parse_args()
    options.load_before = os.getloadavg()[0]
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    servers.end_at_signals(signal.SIGTERM, signal.SIGALRM, signal.SIGHUP)
    signal.alarm(options.limit)
    (ROOT / "build").mkdir(exist_ok=True)
    rows = {}
    for what in options.what:
        # Not under /tmp, which may be memory: all servers that keep files get the same disk.
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
        folder.chmod(0o755)
        try:
            {"costs": costs, "crowds": crowded}[what](options, folder, rows)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    text = render(rows, options)
    print(text)
    if not options.keep and set(options.what) == {"costs", "crowds"}:
        report.write(ROOT / "docs" / "performance.md", report.PEERS, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
