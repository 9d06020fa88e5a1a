"""Processes with their own wall clock, which libfaketime provides by LD_PRELOAD."""
from pathlib import Path

import pytest

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")

needs_faked_clock = pytest.mark.release_only("a preloaded clock and a sanitizer's runtime do not go together")


def remove_shared_clock(pid):
    """Removes the shared memory of libfaketime, which a killed process leaves behind."""
    for left in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        Path("/dev/shm", left).unlink(missing_ok=True)
