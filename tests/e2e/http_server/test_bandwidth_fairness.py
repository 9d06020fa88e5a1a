"""Fairness between connections of one worker: slow readers do not delay the others, and fast readers share equally."""
import selectors
import socket

import pytest
from harness.origin import held, ok
from harness.raw_client import request_bytes, split_url
from harness.waiting import Stopwatch, stretched

SIZE = 4 << 20
FAST = SLOW = 20
WINDOW = 64 * 1024  # the receive buffer of a client's kernel: the node must serve each of them often
BITE = 16 * 1024
FACTOR = 10


class Reader:
    """A client that reads BITE bytes at a time."""

    def __init__(self, url):
        self.data, self.is_done = bytearray(), False
        address, target = split_url(url)
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        self.socket.connect((host, int(port)))
        self.socket.sendall(request_bytes(target, host=address))
        self.socket.setblocking(False)

    def read(self):
        taken = self.socket.recv(BITE)
        assert taken, f"cut after {len(self.data)} bytes"
        self.data += taken
        if not self.is_done and len(self.data) > SIZE:
            self.is_done = len(self.data) == self.data.index(b"\r\n\r\n") + 4 + SIZE

    def try_read(self):
        try:
            self.read()
        except BlockingIOError:
            pass   # no data yet

    @property
    def body(self):
        return bytes(self.data[-SIZE:])


def read_until(is_over, readers, trickle=()):
    """Each reader reads when data is available; those in `trickle` read once for 32 times of the others."""
    watch = Stopwatch()
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            if not reader.is_done:
                selector.register(reader.socket, selectors.EVENT_READ, reader)
        while not is_over():
            assert watch.seconds() < stretched(60), [len(reader.data) for reader in readers]
            for key, _ in selector.select(0.1):
                key.data.read()
                if key.data.is_done:
                    selector.unregister(key.fileobj)
            for reader in trickle:
                if len(reader.data) * 32 < min(len(other.data) for other in readers):
                    reader.try_read()


@pytest.mark.parametrize("is_cold", (False, True), ids=("hit", "fill"))
def test_fast_clients_share_bandwidth_equally_and_slow_clients_delay_no_other(event, is_cold):
    event.live.size = SIZE
    event.start(node={"process": {"workers": 1}})
    event.live.advance()
    msn = event.live.next_msn - 1
    player = event.player().open()
    player.wait_for_msn(msn)
    body = event.live.bytes_of("v1", msn)
    gate = event.origin.gate()
    event.origin.on(event.live.path_of("v1", msn), held(gate, ok(body, "video/mp2t")))
    if not is_cold:
        gate.open()
        player.play(msn, body)
    uri = player.playlist.segment(msn).uri
    fast = [Reader(uri) for _ in range(FAST)]
    slow = [Reader(uri) for _ in range(SLOW)]
    try:
        if is_cold:
            event.origin.wait_for(event.live.path_of("v1", msn))
            gate.open()
        for reader in slow + fast:
            read_until(lambda r=reader: r.data, [reader])   # although no client reads more than that
        read_until(lambda: any(reader.is_done for reader in fast), fast, trickle=slow)
        least = min(len(reader.data) for reader in fast)
        assert least >= SIZE / FACTOR, "one client received everything while another received less than a tenth"
        read_until(lambda: all(reader.is_done for reader in fast), fast, trickle=slow)
        assert not any(reader.is_done for reader in slow)
        read_until(lambda: all(reader.is_done for reader in slow), slow)
        assert all(reader.data.startswith(b"HTTP/1.1 200 ") and reader.body == body for reader in fast + slow)
        assert event.origin.count(event.live.path_of("v1", msn)) == 1
    finally:
        for reader in fast + slow:
            reader.socket.close()
