"""A client on a raw socket: sends any bytes, and parses responses strictly."""
import gzip
import json
import socket
import struct

from . import api_description
from .waiting import stretched


class ConnectionCut(ConnectionError):
    """The server ended the connection within a response."""


class Response:
    def __init__(self, status, reason, fields, body=b"", complete=True):
        self.status = status
        self.reason = reason
        self.fields = fields  # [(name, value)] in their order
        self.body = body
        self.complete = complete

    def header(self, name, default=None):
        for key, value in self.fields:
            if key.lower() == name.lower():
                return value
        return default

    def headers(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    @property
    def text(self):
        body = gzip.decompress(self.body) if self.header("Content-Encoding") == "gzip" else self.body
        return body.decode("utf-8", "surrogateescape")

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"<{self.status} {self.fields} {len(self.body)} bytes{'' if self.complete else ', cut'}>"


class Connection:
    """One TCP connection to `address` ("host:port")."""

    def __init__(self, address, timeout=10.0, source=None, receive_buffer=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(stretched(timeout))
        self.address = address
        self.pending = b""
        try:
            self.socket.connect((host.strip("[]"), int(port)))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_tolerant(self, data):
        """Sends as much as the server accepts; False when it closed the connection before the end."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def request(self, target, method="GET", headers=(), body=b"", host=None):
        self.send(request_bytes(target, method, headers, body, host or self.address))
        return self.read_response(method)

    def receive(self):
        """More bytes, or b"" at the end of the connection, also after a reset."""
        try:
            return self.socket.recv(1 << 18)
        except ConnectionResetError:
            return b""

    def _until(self, mark):
        while mark not in self.pending:
            more = self.receive()
            if not more:
                raise ConnectionCut(f"connection ended after {self.pending[:200]!r}")
            self.pending += more
        part, self.pending = self.pending.split(mark, 1)
        return part

    def read_head(self):
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, *reason = lines[0].split(" ", 2)
        assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
        fields = [tuple(line.split(":", 1)) for line in lines[1:]]
        return Response(int(status), reason[0] if reason else "", [(n, v.strip()) for n, v in fields])

    def read_response(self, method="GET"):
        answer = self.read_head()
        while 100 <= answer.status < 200:
            answer = self.read_head()
        self.read_body(answer, method)
        return answer

    def read_body(self, answer, method="GET"):
        """Fills in the body; `complete` says whether the framing was kept to its end."""
        if method == "HEAD" or answer.status in (204, 304):
            return
        length = answer.header("Content-Length")
        parts = []
        try:
            if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
                self._read_chunks(parts)
            elif length is not None:
                self._read_exactly(int(length), parts)
            else:
                parts.append(self.read_to_end())
        except ConnectionCut:
            answer.complete = False
        answer.body = b"".join(parts)

    def _read_exactly(self, missing, parts):
        while missing > 0:
            if not self.pending:
                self.pending = self.receive()
                if not self.pending:
                    raise ConnectionCut("body cut")
            parts.append(self.pending[:missing])
            self.pending = self.pending[missing:]
            missing -= len(parts[-1])

    def _read_chunks(self, parts):
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            self._read_exactly(size, parts)
            assert self._until(b"\r\n") == b""
            if size == 0:
                return

    def read_to_end(self):
        """All bytes until the server closes the connection."""
        data = self.pending
        self.pending = b""
        while more := self.receive():
            data += more
        return data

    def is_closed(self):
        """Whether the server has ended the connection, without waiting."""
        self.socket.setblocking(False)
        try:
            more = self.socket.recv(1 << 16)
            self.pending += more
            return not more
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.socket.settimeout(stretched(10.0))


def request_bytes(target, method="GET", headers=(), body=b"", host="test"):
    fields = dict(headers)
    lines = [f"{method} {target} HTTP/1.1"]
    if "Host" not in fields:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if body and "Transfer-Encoding" not in fields and "Content-Length" not in fields:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def split_url(url):
    """("host:port", "/path?query") of an http URL."""
    assert url.startswith("http://"), url
    address, slash, target = url[len("http://"):].partition("/")
    return (address if ":" in address.split("]")[-1] else address + ":80"), slash + target or "/"


def fetch(url, method="GET", headers=(), body=b"", timeout=10.0, source=None, breaks_api=False):
    """One request on its own connection; redirects are not followed. Methods that write have the Content-Type of JSON unless the headers have another one.
    Requests to /api/v1 and their responses are compared with the description of the API; `breaks_api` says that the request is meant to be invalid."""
    address, target = split_url(url)
    headers = dict(headers)
    if method not in ("GET", "HEAD", "OPTIONS") and "Content-Type" not in headers:
        headers["Content-Type"] = "application/json"
    with Connection(address, timeout, source) as connection:
        response = connection.request(target, method, {"Connection": "close", **headers}, body)
    if response.complete:
        api_description.check(method, target, headers, body, response, breaks_api)
    return response


def parse_responses(data):
    """The status of each response in a byte string of complete responses with Content-Length."""
    statuses = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        statuses.append(int(lines[0].split(" ")[1]))
        length = next((int(l.split(":")[1]) for l in lines[1:] if l.lower().startswith("content-length:")), 0)
        assert len(rest) >= length, f"answer cut: {data[:300]!r}"
        data = rest[length:]
    return statuses
