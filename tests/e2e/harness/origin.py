"""A scripted origin: a script for each path determines the response, byte by byte where it matters.

A script is a callable (request, wire) run on the connection's own thread. Tests hold it up with gates instead of time.
"""
import gzip as gzip_module
import hashlib
import socket
import struct
import threading
import time

from .waiting import stretched, wait_until


class Request:
    def __init__(self, method, target, fields, connection):
        self.method = method
        self.target = target
        self.path = target.split("?")[0]
        self.fields = fields
        self.connection = connection
        self.at = time.monotonic()

    def header(self, name):
        for key, value in self.fields:
            if key.lower() == name.lower():
                return value
        return None

    def __repr__(self):
        return f"<{self.method} {self.target} {self.fields}>"


class Gate:
    """Holds scripts up until the test opens it; closing the origin opens all."""

    def __init__(self):
        self.event = threading.Event()
        self.waiting = 0

    def open(self):
        self.event.set()

    def wait(self):
        self.waiting += 1
        try:
            self.event.wait(stretched(60))
        finally:
            self.waiting -= 1


class Wire:
    """The origin's end of one connection, as scripts see it."""

    def __init__(self, connection):
        self.socket = connection
        self.keep = True

    def send(self, data):
        self.socket.sendall(data)

    def close(self):
        self.keep = False

    def reset(self):
        self.keep = False
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Origin:
    """Listens on a port of its own on `host`. Scripts may be changed at any time."""

    def __init__(self, host="127.0.0.1"):
        self.host = host
        self.scripts = {}
        self.fallback = status(404)
        self.requests = []
        self.lock = threading.Lock()
        self.gates = []
        self.open_sockets = set()
        self.port = 0
        self.listener = None
        self.connections = 0
        self.resume()

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def on(self, path, script):
        self.scripts[path] = script
        return script

    def gate(self):
        self.gates.append(Gate())
        return self.gates[-1]

    # -- what it saw --
    def seen(self, path=None, since=0):
        with self.lock:
            return [r for r in self.requests[since:] if path is None or r.path == path]

    def count(self, path):
        return len(self.seen(path))

    def wait_for(self, path, times=1, within=5.0):
        wait_until(lambda: self.count(path) >= times, within, f"origin asked {times} times for {path}")
        return self.seen(path)

    # -- life --
    def resume(self):
        """Listens again on the same port after refuse()."""
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.host, self.port))
        self.port = self.listener.getsockname()[1]
        self.listener.listen(512)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def refuse(self):
        """Stops listening and cuts every connection: the next connect is refused."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        with self.lock:   # a connection that is being accepted is cut, too
            self.listener.close()
            cut = list(self.open_sockets)
        for connection in cut:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        for gate in self.gates:
            gate.open()
        self.refuse()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                if listener.fileno() < 0:
                    connection.close()
                    return
                self.connections += 1
                number = self.connections
                self.open_sockets.add(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection, number):
        wire = Wire(connection)
        pending = b""
        try:
            while wire.keep:
                while b"\r\n\r\n" not in pending:
                    more = connection.recv(65536)
                    if not more:
                        return
                    pending += more
                head, pending = pending.split(b"\r\n\r\n", 1)
                lines = head.decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ")
                fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
                request = Request(method, target, fields, number)
                length = int(request.header("Content-Length") or 0)
                while len(pending) < length:
                    pending += connection.recv(65536)
                pending = pending[length:]
                with self.lock:
                    self.requests.append(request)
                self.scripts.get(request.path, self.fallback)(request, wire)
        except OSError:
            pass
        finally:
            self.open_sockets.discard(connection)
            connection.close()


# -- scripts --

def reason(code):
    return {200: "OK", 206: "Partial Content", 302: "Found", 304: "Not Modified", 404: "Not Found"}.get(code, "Whatever")


def head(code=200, fields=(), length=None):
    lines = [f"HTTP/1.1 {code} {reason(code)}"] + [f"{name}: {value}" for name, value in dict(fields).items()]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def ok(body, kind="application/octet-stream", fields=(), etag=None, gzip=False, chunked=False, ranges=True):
    """A well-behaved 200: validators, ranges, HEAD, gzip when asked for. `body` may be a callable giving bytes."""

    def script(request, wire):
        data = body() if callable(body) else body
        tag = etag or '"' + hashlib.sha1(data).hexdigest()[:16] + '"'
        out = {"Content-Type": kind, "ETag": tag, **dict(fields)}
        if request.header("If-None-Match") == tag:
            return wire.send(head(304, out))
        wanted = request.header("Range") if ranges else None
        if wanted and request.header("If-Range") in (None, tag):
            first, last = wanted.removeprefix("bytes=").split("-")
            begin = int(first) if first else max(0, len(data) - int(last))
            end = min(int(last) if last and first else len(data) - 1, len(data) - 1)
            out["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
            part = data[begin:end + 1]
            return wire.send(head(206, out, len(part)) + part)
        if gzip and "gzip" in (request.header("Accept-Encoding") or ""):
            data = gzip_module.compress(data)
            out["Content-Encoding"] = "gzip"
        if chunked:
            wire.send(head(200, {**out, "Transfer-Encoding": "chunked"}))
            for at in range(0, len(data), 3001):
                part = data[at:at + 3001]
                wire.send(b"%x\r\n%s\r\n" % (len(part), part))
            return wire.send(b"0\r\n\r\n")
        return wire.send(head(200, out, len(data)) + (b"" if request.method == "HEAD" else data))

    return script


def status(code, body=b"no\n", fields=()):
    return lambda request, wire: wire.send(head(code, {"Content-Type": "text/plain", **dict(fields)}, len(body)) + body)


def redirect(location, code=302):
    return lambda request, wire: wire.send(head(code, {"Location": location}, 0))


def raw(data, then="close"):
    """Sends exactly these bytes, then closes, resets, or keeps the connection open for the next request."""

    def script(request, wire):
        wire.send(data() if callable(data) else data)
        if then == "close":
            wire.close()
        elif then == "reset":
            wire.reset()

    return script


def held(gate, script, first=b""):
    """Sends `first`, waits for the gate, then runs the script."""

    def run(request, wire):
        if first:
            wire.send(first)
        gate.wait()
        script(request, wire)

    return run


def cut(body, after, then="close", kind="application/octet-stream"):
    """Announces the whole body and ends the connection after `after` bytes."""
    return raw(head(200, {"Content-Type": kind}, len(body)) + body[:after], then)


def paced(body, bytes_per_second, kind="video/mp2t"):
    """Sends at the speed of a slow link: over loopback the transfer would end before the test could intervene."""

    def script(request, wire):
        wire.send(head(200, {"Content-Type": kind}, len(body)))
        began = time.monotonic()
        for at in range(0, len(body), 65536):
            wire.send(body[at:at + 65536])
            threading.Event().wait(max(0.0, began + at / bytes_per_second - time.monotonic()))

    return script


def in_turn(*scripts):
    """Runs the first script for the first request, and so on; the last one stays."""
    left = list(scripts)
    lock = threading.Lock()

    def run(request, wire):
        with lock:
            script = left.pop(0) if len(left) > 1 else left[0]
        script(request, wire)

    return run
