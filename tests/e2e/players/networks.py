"""Two networks in namespaces and a client that moves between them: the Wi-Fi of the stadium, the only one that reaches node
`stadium`, and the mobile network. Addresses are of 10.77.0.0/16 and exist only in the namespaces.

A namespace exists as long as a process that waits for the end of its standard input, so none remains after the tests."""
import ctypes
import os
import re
import subprocess
from contextlib import contextmanager

from harness.waiting import wait_until

CLONE_NEWNET = 0x40000000
OWN = "/proc/thread-self/ns/net"
BALANCER, CITY, SUBURB, ORIGIN, STADIUM = "10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.4", "10.77.1.2"
STADIUM_NETWORK = "10.77.1.0/24"
LINKS = {"wifi": 1, "mobile": 2}   # the third byte of their addresses


class CannotMake(Exception):
    """This machine permits no network namespaces."""


def run(*words, within=()):
    return subprocess.run([*within, *words], check=True, capture_output=True, text=True).stdout


class Namespace:
    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.file = f"/proc/{self.holder.pid}/ns/net"
        wait_until(lambda: self.holder.poll() is not None or os.readlink(self.file) != os.readlink(OWN), 5, "a namespace")
        if self.holder.poll() is not None:
            raise CannotMake(self.holder.stderr.read().decode().strip())
        self.enter = ["nsenter", f"--net={self.file}"]

    def run(self, *words):
        return run(*words, within=self.enter)

    @contextmanager
    def entered(self):
        """Sockets and processes that this thread opens meanwhile belong to this namespace."""
        libc = ctypes.CDLL(None, use_errno=True)

        def go(file):
            if libc.setns(file, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

        before, there = os.open(OWN, os.O_RDONLY), os.open(self.file, os.O_RDONLY)
        try:
            go(there)
            try:
                yield
            finally:
                go(before)
        finally:
            os.close(before)
            os.close(there)

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(20)
        self.holder.stderr.close()


class Networks:
    """`servers` has all servers, `client` the players. The client starts in the mobile network."""

    def __init__(self):
        if os.geteuid() != 0:
            raise CannotMake("only root makes links between namespaces")
        self.servers = Namespace()
        try:
            self.client = Namespace()
        except CannotMake:
            self.servers.close()
            raise
        try:
            self._connect()
        except (OSError, subprocess.CalledProcessError) as error:
            self.close()
            raise CannotMake(f"{error}: {getattr(error, 'stderr', '')}") from error
        self.place = None
        self.move("mobile")

    def _connect(self):
        servers, client = self.servers, self.client
        for namespace in (servers, client):
            namespace.run("ip", "link", "set", "lo", "up")
        for address in (BALANCER, CITY, SUBURB, ORIGIN, STADIUM):
            servers.run("ip", "address", "add", f"{address}/32", "dev", "lo")
        for link, number in LINKS.items():
            servers.run("ip", "link", "add", link, "type", "veth", "peer", "name", link, "netns", str(client.holder.pid))
            servers.run("ip", "address", "add", f"10.77.{number}.1/24", "dev", link)
            for namespace in (servers, client):
                namespace.run("ip", "link", "set", link, "up")
        # Packets from outside do not reach the stadium's own network. By default the kernel looks up its local addresses first.
        servers.run("ip", "rule", "add", "pref", "10", "iif", "mobile", "to", STADIUM_NETWORK, "blackhole")
        servers.run("ip", "rule", "add", "pref", "100", "lookup", "local")
        servers.run("ip", "rule", "delete", "pref", "0")

    def address(self, link):
        return f"10.77.{LINKS[link]}.100"

    def move(self, link):
        """The client joins the other network, and then leaves the former one: idle connections are closed first, those that wait for a response last."""
        client, number, before = self.client, LINKS[link], self.place
        client.run("ip", "address", "add", f"{self.address(link)}/24", "dev", link)
        client.run("ip", "route", "add", "default", "via", f"10.77.{number}.1", "dev", link, "table", str(number))
        client.run("ip", "rule", "add", "pref", str(number), "from", self.address(link), "lookup", str(number))
        client.run("ip", "route", "replace", "default", "via", f"10.77.{number}.1", "dev", link)
        self.place = link
        if before:
            self._leave(before)

    def _leave(self, link):
        client, number = self.client, str(LINKS[link])
        wait_until(lambda: self._is_quiet(link), 10, f"all responses over {link} have arrived")
        client.run("ss", "--no-header", "--kill", "src", self.address(link))
        client.run("ip", "rule", "delete", "pref", number)
        client.run("ip", "route", "flush", "table", number)
        client.run("ip", "address", "delete", f"{self.address(link)}/24", "dev", link)

    def _is_quiet(self, link):
        """Whether every connection has received its response: it received later than it sent."""
        said = self.client.run("ss", "--no-header", "--numeric", "--tcp", "--info", "state", "established", "src", self.address(link))
        sent = [int(ms) for ms in re.findall(r"lastsnd:(\d+)", said)]
        received = [int(ms) for ms in re.findall(r"lastrcv:(\d+)", said)]
        return all(r <= s and r >= 20 for s, r in zip(sent, received))

    def close(self):
        self.client.close()
        self.servers.close()
