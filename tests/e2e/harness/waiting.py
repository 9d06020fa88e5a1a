"""The only place that waits. Tests state a condition and a deadline; no test sleeps.

Deadlines are written for the release build; sanitized programs get TRIBUNE_SLOW times as long for the same behaviour.
"""
import asyncio
import os
import time

SLOW = float(os.environ.get("TRIBUNE_SLOW", "1"))
LONG = os.environ.get("TRIBUNE_LONG", "0") == "1"
IS_RELEASE = os.environ.get("TRIBUNE_BUILD", "release") == "release"
TURN = 0.01


def in_gate(few, every):
    """The cases of a parametrised test: a few in a usual run, every one with --long."""
    return every if LONG else few


def stretched(seconds):
    """A deadline on this build."""
    return seconds * SLOW


def wait_until(predicate, within=5.0, what=""):
    """Returns the predicate's first true value; fails when there is none in time."""
    deadline = time.monotonic() + stretched(within)
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {stretched(within):.1f} s: {what or predicate.__doc__ or predicate}")
        time.sleep(TURN)


def assert_throughout(predicate, during, what=""):
    """Fails when the predicate is ever false in the next `during` seconds (not stretched: it is how long to look)."""
    end = time.monotonic() + during
    while time.monotonic() < end:
        assert predicate(), what or predicate
        time.sleep(TURN)


async def pace(seconds):
    """A simulated client's own rhythm: how long it watches, or looks away between two questions. Nothing is awaited by it."""
    await asyncio.sleep(seconds)


class Stopwatch:
    def __init__(self):
        self.began = time.monotonic()

    def seconds(self):
        return time.monotonic() - self.began
