"""Tribune as a systemd service: notifications, the watchdog, and the sample configurations in the sandbox of conf/tribune@.service."""
import configparser
import os
import shlex
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from harness.tribune_process import BINARY
from harness.waiting import stretched, wait_until

CONF = Path(__file__).parents[3] / "conf"


class Supervisor:
    """systemd's end of the notification socket."""

    def __init__(self, path):
        self.path, self.messages = path, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        os.chmod(path, 0o777)
        self.socket.setblocking(False)

    def read(self):
        while True:
            try:
                self.messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self.messages

    def wait_for(self, message, times=1, within=5.0):
        wait_until(lambda: sum(m.startswith(message) for m in self.read()) >= times, within, f"{message} {times} times; got {self.messages}")


@pytest.fixture
def supervisor(folder):
    made = Supervisor(folder / "notify")
    yield made
    made.socket.close()


def test_systemd_is_notified_of_start_reload_stop_and_watchdog(event, supervisor):
    program = event.start_balancer([], environment={"NOTIFY_SOCKET": str(supervisor.path), "WATCHDOG_USEC": "200000"})
    supervisor.wait_for("READY=1")
    supervisor.wait_for("WATCHDOG=1", 3)
    program.reload()
    supervisor.wait_for("READY=1", 2)
    program.reload(text="{", expect="reload_refused")
    supervisor.wait_for("READY=1", 3)
    assert program.terminate() == 0
    said = [m.split("\n")[0] for m in supervisor.read() if not m.startswith("WATCHDOG")]
    assert said == ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    assert all(int(m.split("MONOTONIC_USEC=")[1]) > 0 for m in supervisor.messages if m.startswith("RELOADING"))


# The sandbox of the unit, made without systemd as the init process: a read-only root file system except for the state of the service;
# its own user without capabilities; secrets that belong to root, of which it receives those that the unit lists; its own network.
SANDBOX = """
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$BASE"
mkdir "$BASE/upper" "$BASE/work" "$BASE/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$BASE/upper,workdir=$BASE/work" "$BASE/root"
cd "$BASE/root"
install -D -m 755 "$BINARY" usr/bin/tribune
install -D -m 644 "$CONF/$INSTANCE.json" "etc/tribune/$INSTANCE.json"
mkdir -p usr/share/tribune/web "var/lib/$STATE" "run/credentials/$INSTANCE" notify dev proc
echo page > usr/share/tribune/web/index.html
echo 0123456789abcdef0123456789abcdef > etc/tribune/k1.secret
chmod 600 etc/tribune/k1.secret
for credential in $CREDENTIALS; do install -o 61234 -m 400 "./${credential#*:}" "run/credentials/$INSTANCE/${credential%%:*}"; done
chmod 700 "run/credentials/$INSTANCE"
chown 61234 "run/credentials/$INSTANCE" "var/lib/$STATE"
mount --bind "var/lib/$STATE" "var/lib/$STATE"
mount --bind "$NOTIFY" notify
mount --bind /dev dev
mount --bind /proc proc
mount -o remount,ro,bind "$BASE/root"
ip link set lo up
as_service="chroot $BASE/root setpriv --reuid 61234 --regid 61234 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all env -i
  CREDENTIALS_DIRECTORY=/run/credentials/$INSTANCE NOTIFY_SOCKET=/notify/notify"
$as_service $PRE_COMMAND
exec $as_service $COMMAND
"""


def sections(name):
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(CONF / name)
    return parser


def unit(instance):
    """The settings of the unit's [Service] section, with the instance's name filled in."""
    return {key: value.replace("%i", instance).replace("%S", "/var/lib") for key, value in sections("tribune@.service")["Service"].items()}


def test_the_start_waits_for_time_synchronisation_once_after_boot_and_for_a_bounded_time(folder):
    depends = sections("tribune@.service")["Unit"]
    assert "tribune-clock.service" in depends["After"] and "tribune-clock.service" in depends["Wants"]
    service = sections("tribune-clock.service")["Service"]
    assert service["Type"] == "oneshot" and service["RemainAfterExit"] == "yes"
    command = shlex.split(service["ExecStart"].removeprefix("-"))
    assert service["ExecStart"].startswith("-") and command[:2] == ["/usr/bin/timeout", "30"]
    asked = folder / "asked"
    fake = folder / "timedatectl"
    fake.write_text(f'#!/bin/sh\necho "$*" >> {asked}\n[ "$(wc -l < {asked})" -lt 2 ] && echo no || echo yes\n')
    fake.chmod(0o755)
    subprocess.run(command, env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, check=True, timeout=stretched(10))
    assert asked.read_text() == "show -P NTPSynchronized\n" * 2


@pytest.mark.release_only("the sandbox is the same for every build")
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
@pytest.mark.parametrize("sample", ["all-in-one", "balancer", "cache-node"])
def test_the_sample_configurations_work_in_the_sandbox_of_the_unit(sample, folder, supervisor):
    service = unit(sample)
    assert service["ProtectSystem"] == "strict" and service["DynamicUser"] == "yes" and service["Type"] == "notify"
    base, notify = folder / "sandbox", folder / "socket"
    base.mkdir()
    notify.mkdir()
    os.chmod(notify, 0o755)
    supervisor = Supervisor(notify / "notify")
    environment = {**os.environ, "BASE": str(base), "BINARY": BINARY, "CONF": str(CONF), "INSTANCE": sample, "NOTIFY": str(notify),
                   "STATE": service["StateDirectory"], "CREDENTIALS": service["LoadCredential"],
                   "PRE_COMMAND": service["ExecStartPre"], "COMMAND": service["ExecStart"]}
    process = subprocess.Popen(["unshare", "--mount", "--net", "sh", "-c", SANDBOX], env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: process.poll() is not None or "READY=1" in supervisor.read(), 10, "ready in the sandbox")
        if process.poll() is None:
            process.terminate()
        output = process.communicate(timeout=stretched(15))[0].decode()
    finally:
        process.kill()
        supervisor.socket.close()
        shutil.rmtree(base, ignore_errors=True)
    assert "READY=1" in supervisor.messages, output
    assert process.returncode == 0, output
