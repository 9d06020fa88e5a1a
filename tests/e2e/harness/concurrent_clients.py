"""Many clients at once, on one asyncio loop in this thread."""
import asyncio
import time

from .raw_client import request_bytes, split_url
from .waiting import stretched


class ClientResult:
    """The response that one client received. Times are seconds since all clients started."""

    def __init__(self, index):
        self.index = index
        self.status = None
        self.body = b""
        self.first_byte_at = None
        self.ended_at = None
        self.error = None


async def _read(reader, visit, began, whole):
    head = await reader.readuntil(b"\r\n\r\n")
    visit.status = int(head.split(b" ", 2)[1])
    length = next((int(l.split(b":")[1]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length:")), None)
    chunked = b"transfer-encoding: chunked" in head.lower()
    parts, size = [], 0
    if chunked:
        while True:
            n = int((await reader.readuntil(b"\r\n")).strip(), 16)
            data = await reader.readexactly(n + 2)
            if n and visit.first_byte_at is None:
                visit.first_byte_at = time.monotonic() - began
            size += n
            if whole:
                parts.append(data[:-2])
            if n == 0:
                break
    else:
        while length is None or size < length:
            data = await reader.read(1 << 18)
            if not data:
                break
            if visit.first_byte_at is None:
                visit.first_byte_at = time.monotonic() - began
            size += len(data)
            if whole:
                parts.append(data)
        if length is not None and size < length:
            visit.error = "cut"
    visit.body = b"".join(parts) if whole else size
    visit.ended_at = time.monotonic() - began


async def _visit(visit, url, headers, began, whole, source, method="GET", sent=b""):
    address, target = split_url(url)
    host, port = address.rsplit(":", 1)
    writer = None
    try:
        reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0) if source else None, limit=1 << 20)
        writer.write(request_bytes(target, method, {"Connection": "close", **headers}, sent, address))
        await _read(reader, visit, began, whole)
    except (OSError, asyncio.IncompleteReadError) as error:
        visit.error = repr(error)
        visit.ended_at = time.monotonic() - began
    finally:
        if writer:
            writer.close()


async def _all(urls, headers, within, whole, sources):
    began = time.monotonic()
    results = [ClientResult(i) for i in range(len(urls))]
    work = [_visit(v, u, headers, began, whole, sources[v.index % len(sources)]) for v, u in zip(results, urls)]
    await asyncio.wait_for(asyncio.gather(*work), stretched(within))
    return results


def fetch_all(urls, headers=(), within=30.0, whole=True, sources=(None,)):
    """Fetches each URL with its own client, all at the same time."""
    return asyncio.run(_all(list(urls), dict(headers), within, whole, sources))


async def _post_all(url, requests, within, sources):
    began = time.monotonic()
    results = [ClientResult(i) for i in range(len(requests))]
    work = [_visit(v, url, {"Content-Type": "application/json", **headers}, began, True, sources[v.index % len(sources)], "POST", body)
            for v, (headers, body) in zip(results, requests)]
    await asyncio.wait_for(asyncio.gather(*work), stretched(within))
    return results


def post_all(url, requests, within=30.0, sources=(None,)):
    """Posts each (headers, body) with its own client, all at the same time."""
    return asyncio.run(_post_all(url, list(requests), within, sources))


class SlowSenders:
    """Clients that send one byte at a time until the server closes their connections."""

    def __init__(self, address, count, data, period=1.0, sources=("127.0.0.1",), prefix=b""):
        self.address, self.count, self.data, self.period, self.sources, self.prefix = address, count, data, period, sources, prefix
        self.answers = []
        self.closed = 0

    async def _one(self, index, until):
        host, port = self.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port), local_addr=(self.sources[index % len(self.sources)], 0))
        answer = asyncio.ensure_future(reader.read())
        try:
            writer.write(self.prefix)
            for i in range(len(self.data)):
                writer.write(self.data[i:i + 1])
                done, _ = await asyncio.wait([answer], timeout=self.period)
                if done or time.monotonic() > until:
                    break
            if answer.done():
                self.closed += 1
                self.answers.append(answer.result())
        except OSError:
            self.closed += 1
        finally:
            if not answer.done():
                answer.cancel()
            writer.close()

    async def run(self, seconds):
        until = time.monotonic() + stretched(seconds)
        await asyncio.gather(*(self._one(i, until) for i in range(self.count)), return_exceptions=True)
