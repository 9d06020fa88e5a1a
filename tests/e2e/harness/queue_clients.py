"""Clients of the queue: each requests access as an app does, polls with its ticket, watches, and ends its session."""
import asyncio
import collections
import json
import time

from . import api_description
from .raw_client import Response, request_bytes, split_url
from .waiting import pace, stretched


async def call(address, method, target, body=b"", patience=30.0):
    """(status, json) over one connection; None when the server cannot be reached. Fails when a response differs from the description of the API."""
    host, port = address.rsplit(":", 1)
    headers = {"Connection": "close", "Content-Type": "application/json"}
    writer = None
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), stretched(patience))
        writer.write(request_bytes(target, method, headers, body, address))
        response = whole_response(await asyncio.wait_for(reader.read(-1), stretched(patience)))
        api_description.check(method, target, headers, body, response)
        return response.status, json.loads(response.body) if response.body[:1] == b"{" else response.body.decode("utf-8", "replace")
    except (OSError, asyncio.TimeoutError, ValueError, IndexError):
        return None
    finally:
        if writer:
            writer.close()


def whole_response(data):
    """The response in these bytes. Errors: ValueError or IndexError when the connection ended within it."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    response = Response(int(first.split(" ", 2)[1]), "", [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)], body)
    if len(body) < int(response.header("Content-Length", "0")):
        raise ValueError("the response was cut")
    return response


class Client:
    def __init__(self, index):
        self.index = index
        self.ticket = None
        self.number = None
        self.granted_at = None
        self.refusals = []
        self.lost_place = False


class QueueClients:
    """`clients` join at the same time. Each polls until it is admitted, watches for `watch_seconds`, and ends its session."""

    def __init__(self, balancer_url, clients, watch_seconds, poll_seconds=0.5):
        self.address, _ = split_url(balancer_url + "/")
        self.clients = [Client(i) for i in range(clients)]
        self.watch_seconds, self.poll_seconds = watch_seconds, poll_seconds
        self.watching = 0          # clients that were admitted and have not requested to stop
        self.most_watching = 0
        self.order = []            # ticket numbers in the order in which their clients were admitted
        self.slots = None
        self.is_over = False
        self.failures = []

    async def ask(self, method, target, body=b""):
        async with self.slots:     # the number of ports of one machine is limited
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
        """`also`: a coroutine that runs at the same time; its exception fails the run."""
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
    """The waiting time that a poll reported, and when: halfway between request and response, by the wall clock."""

    def __init__(self, number, at, eta):
        self.number, self.at, self.eta = number, at, eta


class ControlledQueueClients(QueueClients):
    """Clients that watch until the test ends their sessions."""

    def __init__(self, balancer_url, clients, poll_seconds=1.0, playlist_seconds=3.0):
        super().__init__(balancer_url, clients, 0, poll_seconds)
        self.playlist_seconds = playlist_seconds      # between two playlist requests of a watching client
        self.watchers = collections.deque()     # clients that watch, in the order of admission
        self.estimates = []
        self.is_connected = asyncio.Event()       # cleared: waiting clients do not poll
        self.is_connected.set()
        for client in self.clients:
            client.leave, client.may_join = asyncio.Event(), asyncio.Event()
            client.may_join.set()

    async def one(self, client):
        await client.may_join.wait()
        await super().one(client)

    async def ask(self, method, target, body=b""):
        is_question = method == "POST"
        if is_question:
            await self.is_connected.wait()
        began = time.time()
        answer = await super().ask(method, target, body)
        if is_question and answer and answer[0] == 200 and answer[1].get("eta_seconds") is not None:
            self.estimates.append(Estimate(answer[1]["number"], (began + time.time()) / 2, answer[1]["eta_seconds"]))
        return answer

    async def watch(self, client, said):
        client.granted_at = time.monotonic()
        self.watchers.append(client)
        while not client.leave.is_set():
            answer = await self.ask("GET", "/live/demo/~" + said["session"] + "/v1/index.m3u8")
            if answer is not None and answer[0] != 200:
                self.failures.append((client.index, answer))
                break
            leaves = asyncio.ensure_future(client.leave.wait())
            await asyncio.wait([leaves], timeout=self.playlist_seconds)
            leaves.cancel()
        while await self.ask("DELETE", "/api/v1/access/" + said["session"]) is None:
            await pace(0.2)

    def end_sessions(self, count):
        """Ends the sessions of the `count` clients that watch for the longest time, all at once."""
        for _ in range(count):
            self.watchers.popleft().leave.set()

    async def churn(self, per_second, is_over):
        """Ends sessions one after the other, at a pace that does not drift."""
        began, gone = time.monotonic(), 0
        while not is_over():
            await pace(max(0.0, began + gone / per_second - time.monotonic()))
            await self.until(lambda: self.watchers, "a client watches")
            self.end_sessions(1)
            gone += 1

    @staticmethod
    async def until(predicate, what, within=30.0):
        deadline = time.monotonic() + stretched(within)
        while not predicate():
            assert time.monotonic() < deadline, what
            await pace(0.05)

    async def hold(self, operate, within):
        """Runs until `operate`, a coroutine function of these clients, returns; then all leave."""
        self.slots = asyncio.Semaphore(200)
        work = [asyncio.ensure_future(self.one(c)) for c in self.clients]
        try:
            await asyncio.wait_for(operate(self), stretched(within))
        finally:
            self.is_over = True
            self.is_connected.set()
            for client in self.clients:
                client.leave.set()
                client.may_join.set()
            await asyncio.gather(*work)
