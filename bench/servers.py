"""The servers under test, each a process pinned to one core, and the origin behind them."""
import base64
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

SEGMENT_BYTES = 2 * 1024 * 1024
TARGET_SECONDS = 2
LISTED = 6


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=10) as answer:
        return answer.status, answer.url, answer.read()


def signed_fields(method, path, body):
    """The fields of a request of a process of the event, as contracts/signed_body.h defines them."""
    key, now = KEYS[0], int(time.time() * 1000)
    own = hmac.new(key["secret"].encode(), b"tribune:heartbeat", hashlib.sha256).digest()
    mac = hmac.new(own, f"{method} {path}\n{now}\n".encode() + body, hashlib.sha256).digest()[:16]
    return {"Content-Type": "application/json", "X-Tribune-Signature": f"{key['id']}.{now}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"}


# Of the section event, for paid channels: nobody answers there, so sessions stay as they were opened.
SILENT_ACCOUNTS = {"accounts_url": "http://127.0.0.1:1", "account_keys": [{"id": "a1", "public_key": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}


def paid_session(balancer_url, channel):
    """The session of an account that owns the channel, as the api opens it at the balancer."""
    path = "/internal/v1/access"
    body = json.dumps({"action": "open", "channel": channel, "client": "127.0.0.1", "account": "0000000000000001", "device": "phone",
                       "entitled": {"account": "0000000000000001", "device": "0000000000000002", "until": 0}}).encode()
    request = urllib.request.Request(balancer_url + path, data=body, headers=signed_fields("POST", path, body))
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())["session"]


def end_at_signals(*numbers):
    """These signals end the bench as an exception does, so that it stops its servers and removes its files."""
    def ended(number, _):
        raise SystemExit(f"bench: ended by {signal.Signals(number).name}")

    for number in numbers:
        signal.signal(number, ended)


def wait_until(predicate, seconds, what):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if predicate():
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Server:
    """A process on one core. `pid` is the one whose CPU time counts, with its children; `pids` are all of a server of several."""

    def __init__(self, name, command, folder, core=None, probe=None):
        self.name = name
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        self.log = folder / f"{name.replace(' ', '_')}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*pinned, *map(str, command)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        self.pids = [self.pid]
        if probe:
            try:
                wait_until(lambda: self.process.poll() is not None or get(probe)[0] == 200, 20, f"{name} answers {probe}")
            except Exception as error:
                self.close()
                raise RuntimeError(f"{name} does not answer:\n{self.log.read_text()[-2000:]}") from error
        if self.process.poll() is not None:
            raise RuntimeError(f"{name} ended:\n{self.log.read_text()[-2000:]}")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


NGINX = """{user}daemon off; master_process on; worker_processes 1;
pid {folder}/{name}.pid; error_log stderr warn;
events {{ worker_connections 20000; }}
http {{
  access_log off; sendfile {sendfile}; tcp_nopush on; tcp_nodelay on; keepalive_requests 10000; keepalive_timeout 75s;
  client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp; uwsgi_temp_path {folder}/tmp;
  scgi_temp_path {folder}/tmp;
  types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  {http}
  server {{ listen 127.0.0.1:{port} backlog=1024; root {www}; {server} }}
}}
"""


def nginx(name, folder, www, core=None, http="", server="", sendfile="on", probe="/seg.ts"):
    port = free_port()
    (folder / "tmp").mkdir(exist_ok=True)
    config = folder / f"{name.replace(' ', '_')}.conf"
    user = "user root; " if os.getuid() == 0 else ""
    config.write_text(NGINX.format(user=user, folder=folder, name=name.replace(" ", "_"), http=http, port=port, www=www, server=server,
                                   sendfile=sendfile))
    made = Server(name, ["/usr/sbin/nginx", "-p", folder, "-e", "stderr", "-c", config], folder, core, f"http://127.0.0.1:{port}{probe}")
    made.url = f"http://127.0.0.1:{port}"
    return made


def nginx_cache(folder, origin, core, name="nginx proxy_cache", sendfile="on"):
    zone = folder / name.replace(" ", "_")
    return nginx(name, folder, folder, core, sendfile=sendfile,
                 http=f"proxy_cache_path {zone} levels=1:2 keys_zone=bench:8m max_size=1g inactive=1h; proxy_http_version 1.1; "
                      'proxy_set_header Connection "";',
                 server=f"location / {{ proxy_pass {origin.url}; proxy_cache bench; proxy_cache_valid 200 1h; proxy_ignore_headers Cache-Control; }}")


def varnish(folder, origin, core, cached_bytes=256 << 20):
    port = free_port()
    vcl = folder / "bench.vcl"
    host, backend_port = origin.url.removeprefix("http://").split(":")
    vcl.write_text(f'vcl 4.1;\nbackend origin {{ .host = "{host}"; .port = "{backend_port}"; }}\n'
                   "sub vcl_backend_response { set beresp.ttl = 1h; }\n")
    made = Server("Varnish", ["/usr/sbin/varnishd", "-F", "-f", vcl, "-a", f"127.0.0.1:{port}", "-s", f"malloc,{cached_bytes}", "-n", folder / "varnish",
                              "-p", "timeout_idle=75"], folder, core, f"http://127.0.0.1:{port}/seg.ts")
    made.url = f"http://127.0.0.1:{port}"
    return made


TRAFFIC_SERVER = {
    "proxy.config.http.server_ports": "STRING {port}:ip-in=127.0.0.1",
    "proxy.config.admin.user_id": "STRING trafficserver",
    "proxy.config.crash_log_helper": "STRING NULL",
    "proxy.config.exec_thread.autoconfig": "INT 0",
    "proxy.config.exec_thread.limit": "INT {workers}",
    "proxy.config.cache.ram_cache.size": "INT 268435456",
    "proxy.config.log.logging_enabled": "INT 0",
    "proxy.config.http.keep_alive_no_activity_timeout_in": "INT 75",
    # Who asks while an object comes reads along, as its documentation on thundering herds has it.
    "proxy.config.cache.enable_read_while_writer": "INT 1",
    "proxy.config.http.background_fill_active_timeout": "INT 0",
    "proxy.config.http.background_fill_completed_threshold": "FLOAT 0.0",
    "proxy.config.http.cache.open_read_retry_time": "INT 10",
    "proxy.config.http.cache.max_open_read_retries": "INT 500",
    "proxy.config.http.cache.open_write_fail_action": "INT 5",
}


def traffic_server(folder, origin, core, workers=1):
    """Debian's package, in a folder of its own. As root it becomes its own user, to whom the folder must belong."""
    port, root = free_port(), folder / "traffic_server"
    for name in ("etc", "run", "cache", "log"):
        (root / name).mkdir(parents=True)
    etc = root / "etc"
    for name in ("ip_allow.yaml", "body_factory"):
        (etc / name).symlink_to(Path("/etc/trafficserver") / name)
    (etc / "records.config").write_text("".join(f"CONFIG {name} {value.format(port=port, workers=workers)}\n" for name, value in TRAFFIC_SERVER.items()))
    (etc / "storage.config").write_text(f"{root}/cache 1G\n")
    (etc / "remap.config").write_text(f"map / {origin.url}/\n")
    (etc / "cache.config").write_text("url_regex=.* ttl-in-cache=1h\n")
    (root / "runroot.yaml").write_text(f"prefix: {root}\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/bin\nsysconfdir: {etc}\ndatadir: {root}/cache\n"
                                       f"libexecdir: /usr/lib/trafficserver/modules\nlocalstatedir: {root}/run\nruntimedir: {root}/run\nlogdir: {root}/log\ncachedir: {root}/cache\n")
    if os.getuid() == 0:
        for path in (root, *(root / name for name in ("etc", "run", "cache", "log"))):
            shutil.chown(path, "trafficserver", "trafficserver")
    made = Server("Traffic Server", ["/usr/bin/traffic_server", f"--run-root={root}/runroot.yaml"], folder, core, f"http://127.0.0.1:{port}/seg.ts")
    made.url = f"http://127.0.0.1:{port}"
    return made


KEYS = [{"id": "bench", "secret": "bench-secret-0123456789abcdef"}]


def tribune(binary, name, folder, core, sections, access_log=False, under=()):
    """`under`: a command that runs the program, such as valgrind with its options."""
    port, admin = free_port(), free_port()
    config = folder / f"{name.replace(' ', '_')}.json"
    house = {
        "front": {"listen": [f"127.0.0.1:{port}"]},
        "admin": {"listen": [f"127.0.0.1:{admin}"]},
        "process": {"workers": 1, "stop_deadline": "1s"},
        "log": {"access": access_log},
    }
    config.write_text(json.dumps({**house, **sections(port)}, indent=1))
    made = Server(name, [*under, binary, "serve", config], folder, core, f"http://127.0.0.1:{admin}/healthz")
    made.url, made.admin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}"
    return made


class LivePlaylist(threading.Thread):
    """Keeps the origin's playlist moving, so that the balancer's work of refreshing it is part of what is measured."""

    def __init__(self, www):
        super().__init__(daemon=True)
        self.file = Path(www) / "live.m3u8"
        self.segment = Path(www) / "seg.ts"
        self.over = threading.Event()
        self.next = 0
        for _ in range(LISTED):
            self.advance()

    def advance(self):
        self.next += 1
        name = self.segment.with_name(f"seg-{self.next}.ts")
        if not name.exists():
            os.link(self.segment, name)
        first = max(1, self.next - LISTED + 1)
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{TARGET_SECONDS}", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        for number in range(first, self.next + 1):
            lines += [f"#EXTINF:{TARGET_SECONDS}.000000,", f"seg-{number}.ts"]
        fresh = self.file.with_suffix(".new")
        fresh.write_text("\n".join(lines) + "\n")
        fresh.replace(self.file)

    def run(self):
        while not self.over.wait(TARGET_SECONDS):
            self.advance()
