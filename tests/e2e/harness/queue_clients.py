"""A crowd that wants in: every client asks for access as an app does, waits with its ticket, watches for a while, leaves."""
import asyncio
import collections
import json
import time

from .waiting import pace, stretched
from .raw_client import split_url


async def call(address, method, target, body=b"", patience=30.0):
    """(status, json) over one connection; None when the other side is away."""
    host, port = address.rsplit(":", 1)
    writer = None
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), stretched(patience))
        head = f"{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        data = await asyncio.wait_for(reader.read(-1), stretched(patience))
        first, _, rest = data.partition(b"\r\n\r\n")
        status = int(first.split(b" ", 2)[1])
        return status, json.loads(rest) if rest[:1] == b"{" else rest.decode("utf-8", "replace")
    except (OSError, asyncio.TimeoutError, ValueError, IndexError):
        return None
    finally:
        if writer:
            writer.close()


class Client:
    def __init__(self, index):
        self.index = index
        self.ticket = None
        self.number = None
        self.granted_at = None
        self.refusals = []
        self.lost_place = False


class QueueClients:
    """`clients` join at once. Each keeps asking until it is granted, watches `watch_seconds`, and stops its session."""

    def __init__(self, balancer_url, clients, watch_seconds, poll_seconds=0.5):
        self.address, _ = split_url(balancer_url + "/")
        self.clients = [Client(i) for i in range(clients)]
        self.watch_seconds, self.poll_seconds = watch_seconds, poll_seconds
        self.watching = 0          # clients who were granted and have not asked to stop
        self.most_watching = 0
        self.order = []            # ticket numbers in the order in which their reserved_ports were granted
        self.slots = None
        self.is_over = False
        self.failures = []

    async def ask(self, method, target, body=b""):
        async with self.slots:     # a machine has fewer ports and less patience than a stadium
            return await call(self.address, method, target, body)

    async def one(self, client):
        while not self.is_over:
            body = {"channel": "demo", **({"ticket": client.ticket} if client.ticket else {})}
            answer = await self.ask("POST", "/api/v1/access", json.dumps(body).encode())
            if answer is None or answer[0] >= 500:
                await pace(0.2)
                continue
            status, said = answer
            if status != 200:
                client.refusals.append((status, said))
                return
            if said["status"] == "granted":
                return await self.watch(client, said)
            if said["status"] == "queued":
                if client.number is not None and said["number"] != client.number:
                    client.lost_place = True
                client.ticket, client.number = said["ticket"], said["number"]
            await pace(self.poll_seconds)

    async def watch(self, client, said):
        client.granted_at = time.monotonic()
        self.watching += 1
        self.most_watching = max(self.most_watching, self.watching)
        if client.number is not None:
            self.order.append(client.number)
        until = time.monotonic() + self.watch_seconds
        target = "/live/demo/~" + said["session"] + "/v1/index.m3u8"
        while time.monotonic() < until and not self.is_over:
            answer = await self.ask("GET", target)
            if answer is not None and answer[0] != 200 and answer[0] < 500:
                self.failures.append((client.index, answer))
                break
            await pace(min(1.0, self.watch_seconds / 3))
        self.watching -= 1
        while await self.ask("DELETE", "/api/v1/access/" + said["session"]) is None and not self.is_over:
            await pace(0.2)

    async def run(self, within, also=None):
        """`also`: a coroutine that runs beside; its exception fails the crowd."""
        self.slots = asyncio.Semaphore(200)
        work = [asyncio.ensure_future(self.one(c)) for c in self.clients]
        beside = asyncio.ensure_future(also(self)) if also else None
        try:
            await asyncio.wait_for(asyncio.gather(*work), stretched(within))
        finally:
            self.is_over = True
            if beside:
                await asyncio.wait_for(beside, stretched(30))


class Estimate:
    """What a poll answer told of the time left, and when: halfway between question and answer, by the wall clock."""

    def __init__(self, number, at, eta):
        self.number, self.at, self.eta = number, at, eta


class ControlledQueueClients(QueueClients):
    """A crowd of which everybody watches until sent away: who leaves, and when, is the test's word."""

    def __init__(self, balancer_url, clients, poll_seconds=1.0, look_seconds=3.0):
        super().__init__(balancer_url, clients, 0, poll_seconds)
        self.look_seconds = look_seconds      # between two playlists of who watches
        self.inside = collections.deque()     # who watches, the first to come first
        self.told = []
        self.has_line = asyncio.Event()       # cleared: all who wait are silent
        self.has_line.set()
        for client in self.clients:
            client.leave, client.may_join = asyncio.Event(), asyncio.Event()
            client.may_join.set()

    async def one(self, client):
        await client.may_join.wait()
        await super().one(client)

    async def ask(self, method, target, body=b""):
        is_question = method == "POST"
        if is_question:
            await self.has_line.wait()
        began = time.time()
        answer = await super().ask(method, target, body)
        if is_question and answer and answer[0] == 200 and answer[1].get("eta_seconds") is not None:
            self.told.append(Estimate(answer[1]["number"], (began + time.time()) / 2, answer[1]["eta_seconds"]))
        return answer

    async def watch(self, client, said):
        client.granted_at = time.monotonic()
        self.inside.append(client)
        while not client.leave.is_set():
            answer = await self.ask("GET", "/live/demo/~" + said["session"] + "/v1/index.m3u8")
            if answer is not None and answer[0] != 200:
                self.failures.append((client.index, answer))
                break
            leaves = asyncio.ensure_future(client.leave.wait())
            await asyncio.wait([leaves], timeout=self.look_seconds)
            leaves.cancel()
        while await self.ask("DELETE", "/api/v1/access/" + said["session"]) is None:
            await pace(0.2)

    def send_away(self, count):
        """Those who came first, all at the same time."""
        for _ in range(count):
            self.inside.popleft().leave.set()

    async def churn(self, per_second, is_over):
        """One leaves after the other, by a clock that does not drift."""
        began, gone = time.monotonic(), 0
        while not is_over():
            await pace(max(0.0, began + gone / per_second - time.monotonic()))
            await self.until(lambda: self.inside, "somebody watches")
            self.send_away(1)
            gone += 1

    @staticmethod
    async def until(predicate, what, within=30.0):
        deadline = time.monotonic() + stretched(within)
        while not predicate():
            assert time.monotonic() < deadline, what
            await pace(0.05)

    async def hold(self, operate, within):
        """Until `operate`, a coroutine function of the crowd, is over; then all go."""
        self.slots = asyncio.Semaphore(200)
        work = [asyncio.ensure_future(self.one(c)) for c in self.clients]
        try:
            await asyncio.wait_for(operate(self), stretched(within))
        finally:
            self.is_over = True
            self.has_line.set()
            for client in self.clients:
                client.leave.set()
                client.may_join.set()
            await asyncio.gather(*work)
