"""The clock of the soak suite: times and waits run at its speed, and processes agree."""
import os
import subprocess
import sys

from harness.fast_time import FastTime

WAITS = """
import select, threading, time
began, wall = time.monotonic(), time.time()
threading.Event().wait(20)
poll = select.poll()
poll.poll(20_000)
epoll = select.epoll()
epoll.poll(20)
select.select([], [], [], 20)
print(time.monotonic() - began, time.time() - wall, time.clock_gettime_ns(time.CLOCK_MONOTONIC))
"""


def test_clocks_and_waits_run_at_the_requested_speed(tmp_path):
    fast = FastTime(tmp_path, 100)
    before = fast.now()
    done = subprocess.run([sys.executable, "-c", WAITS], env={**os.environ, **fast.environment}, capture_output=True, check=True, timeout=60)
    steady, wall, at = done.stdout.split()
    passed = fast.now() - before
    assert 80 <= float(steady) <= passed and abs(float(steady) - float(wall)) < 5
    assert before <= (int(at) - fast.began) / 1e9 <= before + passed
