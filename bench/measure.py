"""CPU time of a server per request, under load from another core."""
import os
import re
import subprocess
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def descendants(pid):
    """The process and all that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


def cpu_seconds(*pids):
    """User and system time of the processes and their living children, all threads."""
    total = 0
    for each in [found for pid in pids for found in descendants(pid)]:
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


class Round:
    def __init__(self, requests, cpu_us, per_second, mib_per_second):
        self.requests, self.cpu_us, self.per_second, self.mib_per_second = requests, cpu_us, per_second, mib_per_second


UNITS = {"B": 1 / 1048576, "KB": 1 / 1024, "MB": 1, "GB": 1024}


def load(url, seconds, connections, core, script=None):
    """Runs wrk on a core of its own; what it counted. Fails for any answer but 2xx and 3xx, and for any socket error."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s"]
    if script:
        command += ["-s", str(script)]
    out = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    for bad in ("Non-2xx", "Socket errors"):
        if bad in out:
            raise RuntimeError(f"{url}: {[line for line in out.splitlines() if bad in line]}")
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    per_second = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    amount, unit = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?B)", out).groups()
    return requests, per_second, float(amount) * UNITS[unit]


def measure(server, url, seconds, connections, core, script=None):
    before = cpu_seconds(*server.pids)
    requests, per_second, rate = load(url, seconds, connections, core, script)
    cpu = cpu_seconds(*server.pids) - before
    return Round(requests, cpu / requests * 1e6, per_second, rate)
