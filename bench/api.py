"""The API for apps beside a Flask program behind uWSGI and nginx, in one run: session check, channel list, login and purchase.

The Flask program (bench/flask_api/app.py) has the same endpoints on SQLite and the same cost of a password hash. All processes of a server share
one core and wrk has the other. The servers take turns, round by round, and the median counts. The table goes between two marks in
docs/performance.md.
"""
import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import report
import servers
from bench import ROOT
from measure import load, measure

CHANNELS = [{"id": f"camera-{n}", "title": f"Camera {n}"} for n in range(1, 9)]
PASSWORD = "correct horse battery"
# The accounts of session checks are many, so that Tribune's limit of requests of one account is not reached. Logins have an account of their own,
# because a login ends the oldest device of its account.
VIEWERS, GUEST = [f"viewer-{n}@example.org" for n in range(16)], "guest@example.org"
# The least ratio of the requests per second and core. Argon2id takes most of a login, so that one has no target.
TARGETS = {"session check": 20, "channel list": 20, "purchase": 20}
LEAST_PURCHASES = 5_000  # durable ones a second on the server's core
PIE = {"id": "pie", "kind": "goods", "title": "Meat pie", "price": {"amount": 1, "currency": "EUR"}}
BALANCE = 10**12


class Flask:
    """uWSGI with the Flask program, and nginx in front of it. The CPU time of both counts."""

    def __init__(self, folder, core):
        folder.mkdir()
        folder.chmod(0o755)
        (folder / "channels.json").write_text(json.dumps(CHANNELS))
        (folder / "secret").write_bytes(os.urandom(32))
        socket = folder / "uwsgi.sock"
        self.uwsgi = servers.Server("uWSGI", [
            "env", f"BENCH_API_FOLDER={folder}", "/usr/bin/uwsgi_python3", "--socket", socket, "--chmod-socket=600", "--listen", "1024",
            "--processes", "1", "--single-interpreter", "--need-app", "--die-on-term", "--disable-logging",
            "--pythonpath", ROOT / "bench" / "flask_api", "--module", "app:app"], folder, core)
        try:
            self.nginx = servers.nginx("nginx", folder, folder, core, probe="/api/v1/channels", server=(
                f"location / {{ include /etc/nginx/uwsgi_params; uwsgi_pass unix:{socket}; }}"))
        except BaseException:
            self.uwsgi.close()
            raise
        self.pids = [self.nginx.pid, self.uwsgi.pid]
        self.url = self.nginx.url

    def close(self):
        self.nginx.close()
        self.uwsgi.close()


def tribune(binary, folder, core):
    """The role `api` alone, with limits on requests that wrk does not reach. The channels need no origin for their list."""
    folder.mkdir()
    channels = [{**channel, "source": "http://127.0.0.1:9/live.m3u8"} for channel in CHANNELS]
    return servers.tribune(binary, "Tribune", folder, core, lambda _: {
        "event": {"keys": servers.KEYS, "channels": channels},
        "api": {"accounts": {"state_dir": str(folder / "accounts"), "access_lifetime": "1h"},
                "limits": {"max_requests_per_address": 10_000_000, "max_requests_per_account": 1_000_000}}})


def post(url, document, method="POST", **fields):
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json", **fields}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def open_shop(server):
    """One kind of goods, and a balance for each viewer. The Flask program has both from the start."""
    post(f"{server.admin}/catalogue", {"products": [PIE]}, "PUT")
    for login in VIEWERS:
        post(f"{server.admin}/accounts/{urllib.parse.quote(login)}/balance", {"money": {"amount": BALANCE, "currency": "EUR"}, "reason": "bench"},
             **{"Idempotency-Key": login})


class System:
    """A server with the accounts, and what wrk asks of it: `cases` has a URL and a script for each name."""

    def __init__(self, name, server, folder):
        self.name, self.server = name, server
        for login in (*VIEWERS, GUEST):
            post(f"{server.url}/api/v1/auth/register", {"login": login, "password": PASSWORD})
        if hasattr(server, "admin"):
            open_shop(server)
        tokens = [post(f"{server.url}/api/v1/auth/login", {"login": login, "password": PASSWORD, "device": "bench"})["access_token"]
                  for login in VIEWERS]
        self.cases = {
            "session check": (f"{server.url}/api/v1/auth/session", session_script(folder / f"session_{name}.lua", tokens)),
            "channel list": (f"{server.url}/api/v1/channels", None),
            "login": (f"{server.url}/api/v1/auth/login", login_script(folder)),
            "purchase": (f"{server.url}/api/v1/purchases", purchase_script(folder / f"purchase_{name}.lua", tokens)),
        }
        self.rounds = {case: [] for case in self.cases}
        self.check(tokens[0])

    def check(self, token):
        """Sessions have the same members on both servers, and the channel lists the same channels."""
        session = json.loads(servers.get(f"{self.server.url}/api/v1/auth/session", {"Authorization": f"Bearer {token}"})[2])
        assert sorted(session) == ["account", "channels", "device", "expires_at", "has_more_channels", "issued_at"], session
        listed = json.loads(servers.get(f"{self.server.url}/api/v1/channels")[2])["channels"]
        assert [(c["id"], c["title"], c["playback_url"], c["state"], c["is_playable"]) for c in listed] == [
            (c["id"], c["title"], f"/live/{c['id']}/index.m3u8", "free", True) for c in CHANNELS], listed
        for number in range(2):  # the second is a repeat
            bought = post(f"{self.server.url}/api/v1/purchases", {"product": "pie", "price": PIE["price"]},
                          **{"Authorization": f"Bearer {token}", "Idempotency-Key": "check"})
            assert bought["purchase"]["state"] == "paid", (number, bought)
            assert bought["access_token"], bought

    def cpu_us(self, case):
        return statistics.median(r.cpu_us for r in self.rounds[case])

    def per_second(self, case):
        return statistics.median(r.per_second for r in self.rounds[case])


def session_script(script, tokens):
    """Requests with each of the tokens in turn, written once, so that wrk has little to do for each."""
    script.write_text("local tokens = {" + ", ".join(f"'{token}'" for token in tokens) + """}
local requests, number = {}, 0
init = function(args)
  for i, token in ipairs(tokens) do
    requests[i] = wrk.format('GET', nil, {Host = wrk.headers['Host'], Authorization = 'Bearer ' .. token})
  end
end
request = function()
  number = number % #requests + 1
  return requests[number]
end
""")
    return script


def login_script(folder):
    body = json.dumps({"login": GUEST, "password": PASSWORD, "device": "bench"})
    script = folder / "login.lua"
    script.write_text(f"wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = '{body}'\n")
    return script


def purchase_script(script, tokens):
    """One piece for each request, with a new key, by each of the tokens in turn."""
    script.write_text("local tokens = {" + ", ".join(f"'{token}'" for token in tokens) + """}
local number, run = 0, tostring(os.time()) .. tostring({}):sub(8)
local body = '""" + json.dumps({"product": "pie", "quantity": 1, "price": PIE["price"]}) + """'
request = function()
  number = number + 1
  return wrk.format('POST', nil, {Host = wrk.headers['Host'], Authorization = 'Bearer ' .. tokens[number % #tokens + 1],
                                  ['Content-Type'] = 'application/json', ['Idempotency-Key'] = run .. number}, body)
end
""")
    return script


def run_case(case, systems, options):
    # A login takes long: few connections, so that little work is left behind when a round ends.
    connections = {"login": options.login_connections, "purchase": options.purchase_connections}.get(case, options.connections)
    for system in systems:
        url, script = system.cases[case]
        load(url, 1, connections, options.client_core, script)
    for number in range(options.rounds):
        for system in systems:
            time.sleep(0.3)  # WHY: the server ends the logins of the round before
            url, script = system.cases[case]
            made = measure(system.server, url, options.seconds, connections, options.client_core, script)
            system.rounds[case].append(made)
            print(f"  {case}, round {number + 1}: {system.name}: {made.cpu_us:.1f} us, {made.per_second:,.0f} requests/s", flush=True)


def bench(options, folder):
    running = []
    try:
        running.append(tribune(options.binary, folder / "tribune", options.server_core))
        running.append(Flask(folder / "flask", options.server_core))
        systems = [System(name, server, folder) for name, server in zip(("Tribune", "Flask"), running, strict=True)]
        for case in systems[0].cases:
            run_case(case, systems, options)
        return systems
    finally:
        for server in reversed(running):
            server.close()


# ---- the table ----

def ratio(case, systems):
    ours, peer = systems
    return peer.cpu_us(case) / ours.cpu_us(case)


def missed(systems):
    slow = [f"purchase: {systems[0].per_second('purchase'):,.0f} durable purchases/s, the target is {LEAST_PURCHASES:,}"]
    return (slow if systems[0].per_second("purchase") < LEAST_PURCHASES else []) + [
            f"{case}: {ratio(case, systems):.1f} times the requests per second and core, the target is {least}"
            for case, least in TARGETS.items() if ratio(case, systems) < least]


def row(case, system):
    cpu = sorted(r.cpu_us for r in system.rounds[case])
    return (f"| {case}, {system.name} | {system.cpu_us(case):,.1f} | {cpu[0]:,.1f} to {cpu[-1]:,.1f} | {system.per_second(case):,.0f} | "
            f"{1e6 / system.cpu_us(case):,.0f} |")


def package_version(name):
    return re.sub(r"-.*", "", subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], check=True, capture_output=True, text=True).stdout)


def versions(options):
    packages = (("Flask", "python3-flask"), ("uWSGI", "uwsgi-core"), ("nginx", "nginx"), ("PyNaCl", "python3-nacl"), ("libsodium", "libsodium23"),
                ("SQLite", "libsqlite3-0"), ("Python", "python3"))
    return "; ".join([report.first_line(options.binary, "--version"), *(f"{name} {package_version(package)}" for name, package in packages)])


def render(systems, options):
    lines = [
        f"Measured on {time.strftime('%Y-%m-%d')} by `scripts/bench api --rounds {options.rounds} --seconds {options.seconds}`.", "",
        f"- Machine: {report.machine()}. Load average when it began: {options.load_before:.1f}.",
        f"- Versions: {versions(options)}.",
        f"- Median of {options.rounds} rounds of {options.seconds} s; {options.connections} connections, {options.login_connections} for logins, {options.purchase_connections} for purchases; "
        f"servers on core {options.server_core}, wrk on core {options.client_core}.", "",
        "| | CPU µs per request (median) | least to most | requests/s | requests/s and core |", "|---|---:|---:|---:|---:|",
        *(row(case, system) for case in systems[0].cases for system in systems), "",
        "| requests/s and core, Tribune to Flask | target | measured | |", "|---|---:|---:|---|"]
    for case in systems[0].cases:
        found, least = ratio(case, systems), TARGETS.get(case)
        verdict = ("met" if found >= least else "missed") if least else ""
        lines.append(f"| {case} | {f'≥ {least} ×' if least else 'none'} | {found:.2f} × | {verdict} |")
    found = systems[0].per_second("purchase")
    lines.append(f"| durable purchases/s of Tribune on its core | ≥ {LEAST_PURCHASES:,} | {found:,.0f} | {'met' if found >= LEAST_PURCHASES else 'missed'} |")
    return "\n".join(lines) + "\n"


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=os.environ.get("TRIBUNE_BINARY", str(ROOT / "build" / "tribune")))
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each case; the median counts (default %(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="length of a round (default %(default)s)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--login-connections", type=int, default=4)
    parser.add_argument("--purchase-connections", type=int, default=128, help="buyers at once, who share commits (default %(default)s)")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="do not write docs/performance.md")
    return parser.parse_args()


def main():
    options = parse_options()
    options.load_before = os.getloadavg()[0]
    servers.end_at_signals(signal.SIGTERM, signal.SIGHUP)
    # Not under /tmp, which may be memory: both databases get the same disk.
    (ROOT / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    folder.chmod(0o755)
    try:
        systems = bench(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = render(systems, options)
    print(text)
    if not options.keep:
        report.write(ROOT / "docs" / "performance.md", report.API, text)
    for line in missed(systems):
        print(f"bench: target missed: {line}", file=sys.stderr)
    return 1 if missed(systems) else 0


if __name__ == "__main__":
    sys.exit(main())
