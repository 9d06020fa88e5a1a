"""A Tribune process: its configuration, ports, log, metrics, resource use and exit."""
import json
import os
import resource
import signal
import socket
import subprocess
from pathlib import Path

from .fake_clock import remove_shared_clock
from .parsing import Metrics
from .raw_client import fetch
from .waiting import stretched, wait_until

BINARY = os.environ.get("TRIBUNE_BINARY", str(Path(__file__).parents[3] / "build" / "tribune"))


def reserve_port(host="127.0.0.1"):
    """A free port that stays ours across restarts: a bound socket that never listens keeps others away, and the program,
    which shares ports between its workers, may listen beside it."""
    holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind((host, 0))
    return holder


class TribuneProcess:
    """One `tribune serve`. Started, stopped, killed and started again on the same files."""

    def __init__(self, folder, config, name="tribune", environment=None, nofile=None, wrapper=(), stdout=None):
        self.folder = Path(folder) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name, self.config = name, config
        self.environment, self.nofile, self.wrapper, self.stdout = environment or {}, nofile, list(wrapper), stdout
        self.process = None
        self.runs = 0
        self.expects_death = False
        self.problems = []  # sanitizer reports and wrong ends of earlier runs
        self.config_file = self.folder / "tribune.json"
        self.write_config()

    # -- life --
    def write_config(self, config=None, text=None):
        if config is not None:
            self.config = config
        self.config_file.write_text(text if text is not None else json.dumps(self.config, indent=1))

    def spawn(self):
        assert self.process is None
        self.runs += 1
        self.log_file = self.folder / f"log.{self.runs}"
        reports = self.folder / f"sanitizer.{self.runs}"
        options = {"ASAN_OPTIONS": f"log_path={reports}", "UBSAN_OPTIONS": f"log_path={reports}", "TSAN_OPTIONS": f"log_path={reports}"}
        for key, value in options.items():
            options[key] = ":".join(filter(None, [os.environ.get(key), value]))
        out = self.stdout if self.stdout is not None else open(self.log_file, "wb")
        self.errors_file = self.folder / f"stderr.{self.runs}"

        def limit():
            if self.nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.nofile, self.nofile))

        with open(self.errors_file, "wb") as errors:
            self.process = subprocess.Popen([*self.wrapper, BINARY, "serve", str(self.config_file)], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=errors, env={**os.environ, **options, **self.environment},
                                            preexec_fn=limit, cwd=self.folder)
        if self.stdout is None:
            out.close()
        return self

    def start(self, within=5.0):
        self.spawn()
        wait_until(lambda: self.logged("ready") or self.process.poll() is not None, within, f"{self.name} ready")
        assert self.process.poll() is None, f"{self.name} ended at once ({self.process.returncode}):\n{self.last_output()}"
        return self

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        """To the program itself, not to a tracer around it."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split() if self.wrapper else []
        os.kill(int(children[0]) if children else self.pid, number)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self._finish(expected=None)

    def terminate(self, within=10.0, expected=0):
        self.signal(signal.SIGTERM)
        return self.wait_end(within, expected)

    def wait_end(self, within=10.0, expected=0):
        try:
            self.process.wait(stretched(within))
        except subprocess.TimeoutExpired:
            self.problems.append(f"{self.name} did not end within {stretched(within)} s of SIGTERM")
            self.process.kill()
            self.process.wait()
            expected = None
        return self._finish(expected)

    def _finish(self, expected):
        code = self.process.returncode
        remove_shared_clock(self.process.pid)
        self.process = None
        if expected is not None and code != expected:
            self.problems.append(f"{self.name} ended with {code} instead of {expected}:\n{self.last_output()}")
        for report in self.folder.glob(f"sanitizer.{self.runs}*"):
            self.problems.append(f"{report}:\n{report.read_text(errors='replace')[:6000]}")
        return code

    def stop_and_check(self):
        """Ends it as an operator does, and fails for anything that went wrong in its whole life."""
        if self.process is not None:
            if self.process.poll() is not None:
                self.problems.append(f"{self.name} died: {self.process.returncode}")
                self._finish(0)
            else:
                self.signal(signal.SIGCONT)
                self.terminate()
        assert not self.problems, "\n".join(self.problems)

    def reload(self, config=None, text=None, expect="reloaded"):
        """SIGHUP with a new file; waits for the line that says how it went."""
        self.write_config(config, text)
        before = len(self.logged(expect))
        self.signal(signal.SIGHUP)
        wait_until(lambda: len(self.logged(expect)) > before, 5, f"{expect} in the log")
        return self.logged(expect)[-1]

    # -- what it says --
    def log(self):
        lines = []
        for line in self.log_file.read_bytes().split(b"\n")[:-1]:
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"event": "unreadable", "text": line.decode(errors="replace")})
        return lines

    def logged(self, event, **fields):
        if not self.log_file.exists():
            return []
        mark = f'"event":"{event}"'.encode()
        found = [json.loads(line) for line in self.log_file.read_bytes().split(b"\n")[:-1] if mark in line]
        return [line for line in found if all(line.get(k) == v for k, v in fields.items())]

    def wait_log(self, event, within=5.0, **fields):
        return wait_until(lambda: self.logged(event, **fields), within, f"{event} {fields} in the log of {self.name}")

    def access_log(self, **fields):
        return self.logged("request", **fields)

    def last_output(self):
        words = self.errors_file.read_text(errors="replace")[-3000:]
        if self.log_file.exists():
            words += self.log_file.read_text(errors="replace")[-3000:]
        return words

    def bound(self, listener):
        lines = self.logged("listening", listener=listener)
        assert lines, f"no {listener} listener in the log"
        return lines[0]["address"]

    @property
    def address(self):
        return self.bound("front")

    @property
    def url(self):
        return "http://" + self.address

    @property
    def admin_url(self):
        return "http://" + self.bound("admin")

    def get(self, path, **options):
        return fetch(self.url + path, **options)

    def admin(self, path):
        return fetch(self.admin_url + path)

    def is_ready(self):
        try:
            return self.admin("/readyz").status == 200
        except OSError:
            return False

    def metrics(self):
        return Metrics(self.admin("/metrics").text)

    def metric(self, name, **labels):
        return self.metrics().sum(name, **labels)

    def wait_metric(self, name, at_least=1, within=5.0, **labels):
        return wait_until(lambda: self.metric(name, **labels) >= at_least, within, f"{name}{labels} >= {at_least}")

    # -- what it uses --
    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def sockets(self):
        return sum(target.startswith("socket:") for target in self.open_files())

    def connections_to(self, port):
        """How many of its sockets have that port at their other end (IPv4)."""
        own = {target[len("socket:["):-1] for target in self.open_files() if target.startswith("socket:[")}
        with open(f"/proc/{self.pid}/net/tcp") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        return sum(row[9] in own and int(row[2].rpartition(":")[2], 16) == port for row in rows)

    def open_files(self):
        """Targets of all descriptors."""
        found = []
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                found.append(os.readlink(f"/proc/{self.pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
        return found

    def memory_bytes(self):
        """Private memory: the page cache of mapped files is not the program's."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no RssAnon")

    def peak_memory_bytes(self):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")

    def reset_peak(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
