"""From its start until a cache node with a million objects in its store answers, for the whole process: the clock's time and the CPU's.

The store is made by index_bench, which also says how much of it the index takes by itself.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import servers
from bench import ROOT
from measure import cpu_seconds


def start(options, folder, turn):
    port, admin = servers.free_port(), servers.free_port()
    config = folder / f"node{turn}.json"
    config.write_text(json.dumps({
        "front": {"listen": [f"127.0.0.1:{port}"]}, "admin": {"listen": [f"127.0.0.1:{admin}"]}, "process": {"stop_deadline": "1s"},
        "log": {"access": False}, "event": {"keys": servers.KEYS},
        "cache_node": {"id": "node", "public_url": f"http://127.0.0.1:{port}", "balancers": ["http://127.0.0.1:1"],
                       "store_dir": str(folder), "max_bytes": 1 << 50, "min_free_bytes": 1 << 20}}))
    with open(folder / "log", "wb") as log:
        began = time.monotonic()
        process = subprocess.Popen([options.binary, "serve", config], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        while True:
            try:
                if servers.get(f"http://127.0.0.1:{port}/ping")[0] == 200:
                    break
            except OSError:
                time.sleep(0.002)
            if process.poll() is not None or time.monotonic() > began + 60:
                raise RuntimeError(f"the node does not answer:\n{(folder / 'log').read_text()[-2000:]}")
        took, cpu = time.monotonic() - began, cpu_seconds(process.pid)
        held = json.loads(servers.get(f"http://127.0.0.1:{admin}/status")[2])["cache_node"]["objects"]
        assert held == options.objects, f"it knows {held} objects"
        return took, cpu
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=os.environ.get("TRIBUNE_BINARY", str(ROOT / "build" / "tribune")))
    parser.add_argument("--index-bench", default=str(ROOT / "build" / "bench" / "index_bench"))
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    servers.end_at_signals(signal.SIGTERM, signal.SIGHUP)
    (ROOT / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    try:
        print(f"load average {os.getloadavg()[0]:.1f}; the index by itself:", flush=True)
        subprocess.run([options.index_bench, folder, str(options.objects)], check=True)
        rounds = []
        for turn in range(options.rounds):
            rounds.append(start(options, folder, turn))
            print(f"  start to answer: {rounds[-1][0]:.2f} s, {rounds[-1][1]:.2f} s of CPU", flush=True)
        took, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{options.objects} objects, start to answer, median of {options.rounds}: {took:.2f} s, {cpu:.2f} s of CPU (aim: 2 s)")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
