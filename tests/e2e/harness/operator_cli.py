"""The command line with which operators control a running balancer."""
import os
import subprocess

from .tribune_process import BINARY


def run_ctl_of(program, *arguments):
    """`tribune ctl` on a process; the completed process."""
    return subprocess.run([BINARY, "ctl", "--admin", program.admin_url, *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "TRIBUNE_ADMIN_TOKEN": ""})


def ctl_of(program, *arguments):
    """The output of a command on a process that succeeds."""
    done = run_ctl_of(program, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_ctl(event, *arguments):
    """`tribune ctl` on the event's balancer; the completed process."""
    return run_ctl_of(event.balancer, *arguments)


def ctl(event, *arguments):
    """The output of a command that succeeds."""
    return ctl_of(event.balancer, *arguments)
