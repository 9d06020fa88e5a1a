"""Requests to the account API, as apps send them. `program` is the process that serves it; each function returns the response, which is compared with the
description of the API."""
import asyncio
import json
import time

from . import api_description
from .queue_clients import whole_response
from .raw_client import Connection, request_bytes, split_url
from .waiting import stretched, wait_until

# Hashes that cost next to nothing, and limits on requests that no test reaches by accident.
QUICK_ACCOUNTS = {"hash_memory": "8KiB", "hash_passes": 1}
WIDE_LIMITS = {"max_requests_per_address": 10_000_000, "max_requests_per_account": 1_000_000, "max_registrations_per_address": 1_000_000,
               "max_reset_requests_per_address": 1_000_000}
PASSWORD = "correct horse battery"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def ask(program, method, path, token=None, headers=(), **options):
    """`token`: an access token."""
    return program.get("/api/v1" + path, method=method, headers={**(bearer(token) if token else {}), **dict(headers)}, **options)


def post(program, path, members, **options):
    return ask(program, "POST", path, body=json.dumps(members).encode(), **options)


def register(program, login, password=PASSWORD, **options):
    return post(program, "/auth/register", {"login": login, "password": password}, **options)


def log_in(program, login, password=PASSWORD, device=None, device_token=None, **options):
    optional = {"device": device, "device_token": device_token}
    return post(program, "/auth/login", {"login": login, "password": password, **{k: v for k, v in optional.items() if v is not None}}, **options)


def refresh(program, refresh_token, **options):
    return post(program, "/auth/refresh", {"refresh_token": refresh_token}, **options)


def session(program, access_token, **options):
    return ask(program, "GET", "/auth/session", access_token, **options)


def log_out(program, access_token, everywhere=None, **options):
    if everywhere is None:
        return ask(program, "POST", "/auth/logout", access_token, **options)
    return post(program, "/auth/logout", {"everywhere": everywhere}, token=access_token, **options)


def devices(program, access_token, query="", **options):
    return ask(program, "GET", "/devices" + query, access_token, **options)


def end_device(program, access_token, device, **options):
    return ask(program, "DELETE", f"/devices/{device}", access_token, **options)


def account(program, access_token, **options):
    return ask(program, "GET", "/account", access_token, **options)


def export(program, access_token, **options):
    return ask(program, "GET", "/account/export", access_token, **options)


def change_password(program, access_token, password, new_password, **options):
    return post(program, "/account/password", {"password": password, "new_password": new_password}, token=access_token, **options)


def forgot_password(program, login, **options):
    return post(program, "/auth/password/forgot", {"login": login}, **options)


def reset_password(program, login, code, new_password, **options):
    return post(program, "/auth/password/reset", {"login": login, "code": code, "new_password": new_password}, **options)


def delete_account(program, access_token, password=PASSWORD, **options):
    return post(program, "/account/delete", {"password": password}, token=access_token, **options)


def new_account(program, login, password=PASSWORD, **options):
    """The members of the first login of a new account."""
    registered = register(program, login, password)
    assert registered.status == 201, (registered, registered.body)
    return new_login(program, login, password, **options)


def new_login(program, login, password=PASSWORD, **options):
    """The members of a login."""
    answer = log_in(program, login, password, **options)
    assert answer.status == 200, (answer, answer.body)
    return answer.json


def wait_next_millisecond():
    """The times of devices are stored in ms: what is asked after this call has a later one than what was answered before."""
    began = time.time_ns() // 1_000_000
    wait_until(lambda: time.time_ns() // 1_000_000 > began, 5, "the next millisecond")


def refused(response, status, slug):
    """Whether the response is this problem."""
    return response.status == status and response.json["type"] == f"/problems/{slug}"


def is_open(program, tokens):
    """Whether the access token of a login is accepted."""
    answer = session(program, tokens["access_token"])
    assert answer.status == 200 or refused(answer, 401, "logged-out"), (answer, answer.body)
    return answer.status == 200


def refresh_twice(program, refresh_token):
    """Two requests with the same token, both sent before a response is read."""
    body = json.dumps({"refresh_token": refresh_token}).encode()
    target, headers = "/api/v1/auth/refresh", {"Connection": "close", "Content-Type": "application/json"}
    with Connection(program.address) as one, Connection(program.address) as other:
        for connection in (one, other):
            connection.send(request_bytes(target, "POST", headers, body, program.address))
        responses = [connection.read_response("POST") for connection in (one, other)]
    for response in responses:
        if response.complete:
            api_description.check("POST", target, headers, body, response)
    return responses


def post_unchecked(program, path, body, headers=()):
    """The response to a request whose body the description cannot tell from a valid one; only the response is compared."""
    target = "/api/v1" + path
    with Connection(program.address) as connection:
        response = connection.request(target, "POST", {"Connection": "close", "Content-Type": "application/json", **dict(headers)}, body)
    wrong = api_description.DESCRIPTION.violations_of_response("POST", target, response.status, response.fields, response.body)
    assert not wrong, wrong
    return response


def post_from_many(program, path, bodies, clients, connections=32):
    """Posts all bodies over some connections at once, each request in the name of the next client address (X-Forwarded-For). Returns the statuses. One
    response in a hundred is compared with the description."""
    address, target = split_url(program.url + "/api/v1" + path)
    numbered = iter(enumerate(bodies))
    statuses = []

    async def one():
        host, port = address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        for number, members in numbered:
            body = json.dumps(members).encode()
            headers = {"Content-Type": "application/json", "X-Forwarded-For": clients[number % len(clients)]}
            writer.write(request_bytes(target, "POST", headers, body, address))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            response = whole_response(head + await reader.readexactly(length))
            if number % 100 == 0:
                api_description.check("POST", target, headers, body, response)
            statuses.append(response.status)
        writer.close()

    async def all_of_them():
        await asyncio.wait_for(asyncio.gather(*(one() for _ in range(connections))), stretched(120))

    asyncio.run(all_of_them())
    return statuses
