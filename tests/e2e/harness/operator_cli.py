"""The command line with which operators control a running balancer."""
import os
import subprocess

from .tribune_process import BINARY


def run_ctl(event, *arguments):
    """`tribune ctl` on the event's balancer; the completed process."""
    return subprocess.run([BINARY, "ctl", "--admin", event.balancer.admin_url, *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "TRIBUNE_ADMIN_TOKEN": ""})


def ctl(event, *arguments):
    """The output of a command that succeeds."""
    done = run_ctl(event, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout
