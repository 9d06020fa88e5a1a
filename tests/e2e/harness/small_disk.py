"""A disk of a few MiB in a mount namespace of its own, which a test fills and clears."""
import contextlib
import subprocess

import pytest


class SmallDisk:
    """`inside` is the command that enters its namespace."""

    def __init__(self, folder, pid):
        self.folder = folder
        self.inside = ["nsenter", "--mount", "--target", str(pid)]

    def fill(self):
        subprocess.run([*self.inside, "dd", "if=/dev/zero", f"of={self.folder}/filler", "bs=4k"], capture_output=True)

    def clear(self):
        subprocess.run([*self.inside, "rm", f"{self.folder}/filler"], check=True)


@contextlib.contextmanager
def small_disk_at(folder, size="4m"):
    """Mounts a disk at the folder, which is made; it outlives the processes of the test. Skips the test where that is not allowed."""
    folder.mkdir()
    script = f'mount -t tmpfs -o size={size} none "$0" && echo mounted && exec cat'
    holder = subprocess.Popen(["unshare", "-m", "/bin/sh", "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    is_mounted = holder.stdout.readline() == b"mounted\n"
    try:
        if not is_mounted:
            pytest.skip("needs a mount namespace")
        yield SmallDisk(folder, holder.pid)
    finally:
        holder.stdin.close()
        holder.stdout.close()
        holder.wait()
