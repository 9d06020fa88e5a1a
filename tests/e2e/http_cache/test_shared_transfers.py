"""One transfer from the origin serves many clients of the plain cache, on all of its workers."""
from contextlib import ExitStack

import pytest
from harness.origin import head, held, in_turn, ok, raw, status
from harness.raw_client import Connection, fetch, request_bytes

FRESH = {"Cache-Control": "max-age=60", "ETag": '"one"'}
CLIENTS = 30


@pytest.fixture
def address(plain_cache, origin):
    """The address of a plain cache with four workers."""
    return plain_cache(origin.url, process={"workers": 4}).bound("http_cache")


@pytest.fixture
def clients(address):
    """The connections of thirty clients."""
    with ExitStack() as stack:
        yield [stack.enter_context(Connection(address)) for _ in range(CLIENTS)]


def ask_all(connections, target):
    for connection in connections:
        connection.send(request_bytes(target, host=connection.address))


def wait_bytes(connection, count):
    while len(connection.pending) < count:
        more = connection.receive()
        assert more, "the connection ended"
        connection.pending += more


def read_all(connections):
    answers = [connection.read_response() for connection in connections]
    assert all(answer.complete for answer in answers)
    return answers


def test_waiting_clients_receive_the_body_while_it_arrives_even_where_a_part_is_stored(address, clients, origin):
    origin.on("/a", ok(b"helloworld", fields=FRESH))
    assert fetch(f"http://{address}/a", headers={"Range": "bytes=0-0"}).status == 206
    gate = origin.gate()
    origin.on("/a", held(gate, raw(b"world", then="keep"), first=head(200, FRESH, 10) + b"hello"))
    ask_all(clients, "/a")
    answers = [connection.read_head() for connection in clients]
    for connection in clients:
        wait_bytes(connection, 5)
    gate.open()
    for connection, answer in zip(clients, answers):
        connection.read_body(answer)
        assert answer.complete and answer.body == b"helloworld"
    assert origin.count("/a") == 2
    assert sum("collapsed" in answer.header("Cache-Status") for answer in answers) == CLIENTS - 1


def test_a_stale_response_is_validated_once_for_all_clients(address, clients, origin):
    origin.on("/a", ok(b"hello", fields={"Cache-Control": "max-age=0"}, etag='"one"'))
    fetch(f"http://{address}/a")
    gate = origin.gate()
    origin.on("/a", held(gate, status(304, b"", fields=FRESH)))
    ask_all(clients[:1], "/a")
    assert origin.wait_for("/a", 2)
    ask_all(clients[1:], "/a")
    gate.open()
    assert {answer.body for answer in read_all(clients)} == {b"hello"}
    assert origin.count("/a") == 2 and origin.seen("/a")[-1].header("If-None-Match") == '"one"'


def test_when_a_transfer_fails_one_of_the_waiting_clients_asks_again(address, clients, origin):
    gate = origin.gate()
    origin.on("/a", in_turn(held(gate, raw(b"")), ok(b"hello", fields=FRESH)))
    ask_all(clients[:1], "/a")
    assert origin.wait_for("/a")
    ask_all(clients[1:], "/a")
    gate.open()
    answers = read_all(clients)
    assert answers[0].status in (200, 502)  # 200: the client retried on a fresh connection
    assert {answer.body for answer in answers[1:]} == {b"hello"}
    assert origin.count("/a") <= 3
