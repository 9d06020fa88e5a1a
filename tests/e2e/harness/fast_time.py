"""Accelerated time: processes and the test use the clock of fast_clock.c."""
import subprocess
import threading
import time
from pathlib import Path

SOURCE = Path(__file__).with_name("fast_clock.c")


class FastTime:
    """Starts a clock on which a second of the machine is `speed` seconds; all times here are in its seconds."""

    def __init__(self, folder, speed):
        library = Path(folder) / "fast_clock.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
        self.speed = speed
        self.began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
        self.environment = {"LD_PRELOAD": str(library), "TRIBUNE_TEST_CLOCK": f"{speed} {self.began} {wall}"}

    def now(self):
        """Seconds since the beginning."""
        return (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - self.began) / 1e9 * self.speed

    def pass_until(self, moment, over=None):
        """Waits for a point in time. Returns early, with True, when the event `over` is set."""
        left = (moment - self.now()) / self.speed
        return (over or threading.Event()).wait(max(0.0, left))
