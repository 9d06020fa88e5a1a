"""The comparison with the description of the API: each kind of difference is seen, and what the description says passes."""
import asyncio
import copy
import json

import pytest
from harness.access_api import request_access
from harness.api_description import DESCRIPTION, DOCUMENT, ApiDescription, ApiViolation, check
from harness.origin import raw
from harness.queue_clients import call
from harness.raw_client import Response, fetch

JSON = {"Content-Type": "application/json"}
SESSION = "k1.YWFhYWFhYWFhYWFhYWFhYQ.q2Vw3hT9bXcR7mZs4kYt0A"
CHANNEL = {"id": "demo", "title": "Demo", "playback_url": "/live/demo/index.m3u8", "state": "free", "is_playable": True}
CHANNELS = {"channels": [CHANNEL]}
LOCALIZED = [("Vary", "Authorization"), ("Vary", "Accept-Language"), ("Content-Language", "en")]
REVALIDATED = [("Content-Type", "application/json"), ("Cache-Control", "no-cache"), *LOCALIZED, ("ETag", '"0123456789abcdef"')]
NOT_STORED = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
PROBLEM = [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store")]
BAD_REQUEST = {"type": "/problems/bad-request", "title": "The request is malformed", "status": 400}
STOPPED = {"status": "stopped", "was_open": True}
GRANTED = {"status": "granted", "channel": "demo", "session": SESSION, "playback_url": f"/live/demo/index.m3u8?session={SESSION}"}


def body(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def channels_response(value=CHANNELS, fields=REVALIDATED, status=200):
    return DESCRIPTION.violations_of_response("GET", "/api/v1/channels", status, fields, body(value))


def access_response(value, fields=NOT_STORED, status=200):
    return DESCRIPTION.violations_of_response("POST", "/api/v1/access", status, fields, body(value))


def access_request(value, headers=JSON):
    return DESCRIPTION.violations_of_request("POST", "/api/v1/access", headers, body(value))


def report_request(value, session=SESSION):
    return DESCRIPTION.violations_of_request("POST", f"/api/v1/sessions/{session}/reports", JSON, body(value))


def stop_request(session=SESSION, content=b"", headers=JSON, method="DELETE", path=""):
    return DESCRIPTION.violations_of_request(method, f"/api/v1/access/{session}{path}", headers, content)


def test_requests_and_responses_as_described_pass():
    assert channels_response() == []
    assert channels_response(b"", REVALIDATED, 304) == []
    assert DESCRIPTION.violations_of_response("HEAD", "/api/v1/channels", 200, REVALIDATED, b"") == []
    assert DESCRIPTION.violations_of_request("GET", "/api/v1/channels", {"If-None-Match": '"0123456789abcdef"'}) == []
    assert access_request({"channel": "demo", "ticket": None, "account": "ann", "device": "TV", "client": "2001:db8::1"}) == []
    assert access_response(GRANTED, [*NOT_STORED, ("Retry-After", "3"), ("Date", "today")]) == []
    assert access_response(BAD_REQUEST, PROBLEM, 400) == []
    assert report_request({"gone": "stadium", "reachable": []}) == report_request({"reachable": [{"receipt": "k1.a", "rtt_ms": 0.5}]}) == []
    assert stop_request() == stop_request(method="POST", path="/stop", content=b"bye", headers={"Content-Type": "text/plain; charset=utf-8"}) == []


REQUESTS = {
    "an unknown path": (lambda: DESCRIPTION.violations_of_request("GET", "/api/v1/chanels"), "undocumented path"),
    "a path that is too long": (lambda: stop_request(path="/stop/now", method="POST"), "undocumented path"),
    "a method that the path lacks": (lambda: DESCRIPTION.violations_of_request("PUT", "/api/v1/access"), "undocumented method PUT"),
    "an unknown query parameter": (lambda: DESCRIPTION.violations_of_request("GET", "/api/v1/channels?page=2"), "undocumented query parameter page"),
    "a path parameter with other characters": (lambda: stop_request("a%20b"), "path parameter session"),
    "a path parameter that is too long": (lambda: stop_request("a" * 257), "path parameter session"),
    "an invalid header parameter": (lambda: DESCRIPTION.violations_of_request("GET", "/api/v1/channels", {"If-None-Match": ""}), "header parameter"),
    "no body": (lambda: access_request(b""), "request body is missing"),
    "a body where none is described": (lambda: stop_request(content=b"{}"), "undocumented request body"),
    "another content type": (lambda: access_request({"channel": "demo"}, {"Content-Type": "text/plain"}), "content type text/plain"),
    "no content type": (lambda: access_request({"channel": "demo"}, {}), "content type none"),
    "a body that is not JSON": (lambda: access_request(b"{"), "not JSON"),
    "a body that repeats a name": (lambda: access_request(b'{"channel":"demo","channel":"demo"}'), "repeats a name"),
    "a body with a lone surrogate": (lambda: access_request(b'{"channel":"\\ud800"}'), "no text"),
    "a body that is a list": (lambda: access_request([]), "is not of type 'object'"),
    "an undocumented member": (lambda: access_request({"channel": "demo", "place": 1}), "'place' was unexpected"),
    "a missing member": (lambda: access_request({}), "'channel' is a required property"),
    "a member of another type": (lambda: access_request({"channel": 1}), "is not of type 'string'"),
    "a member that is too long": (lambda: access_request({"channel": "x" * 129}), "is too long"),
    "a member without the one that it requires": (lambda: access_request({"channel": "demo", "device": "TV"}), "'account' is a dependency"),
    "an address that is none": (lambda: access_request({"channel": "demo", "account": "ann", "client": "near"}), "not valid under any"),
    "an undocumented member within a list": (lambda: report_request({"reachable": [{"receipt": "a", "node": "x"}]}), "'node' was unexpected"),
    "an empty report": (lambda: report_request({}), "not valid under any"),
    "a member beyond its bounds": (lambda: report_request({"reachable": [{"receipt": "a", "rtt_ms": 60000}]}), "maximum of 60000"),
}
RESPONSES = {
    "an undocumented status": (lambda: channels_response(status=201), "undocumented status 201"),
    "another content type": (lambda: channels_response(fields=[("Content-Type", "text/html"), *REVALIDATED[1:]]), "content type text/html"),
    "no content type": (lambda: channels_response(fields=REVALIDATED[1:]), "content type none"),
    "a problem with the content type of JSON": (lambda: access_response(BAD_REQUEST, NOT_STORED, 400), "content type application/json"),
    "a missing header": (lambda: channels_response(fields=REVALIDATED[:-1]), "the header ETag is missing"),
    "an invalid header": (lambda: channels_response(fields=[*REVALIDATED[:-1], ("ETag", "x")]), "header ETag"),
    "a field of a list that is missing": (lambda: channels_response(fields=[field for field in REVALIDATED if field[1] != "Authorization"]), "header Vary"),
    "a header of another type": (lambda: access_response(GRANTED, [*NOT_STORED, ("Retry-After", "soon")]), "header Retry-After"),
    "an undocumented header": (lambda: channels_response(fields=[*REVALIDATED, ("Retry-After", "1")]), "undocumented header Retry-After"),
    "a cookie": (lambda: channels_response(fields=[*REVALIDATED, ("Set-Cookie", "a=b")]), "undocumented header Set-Cookie"),
    "a body where none is described": (lambda: channels_response(status=304), "undocumented response body"),
    "a body that is not JSON": (lambda: channels_response(b"<html>"), "not JSON"),
    "an undocumented member": (lambda: channels_response({**CHANNELS, "more": 1}), "'more' was unexpected"),
    "an undocumented member within a list": (lambda: channels_response({"channels": [{**CHANNEL, "source": "x"}]}), "'source' was unexpected"),
    "a missing member": (lambda: channels_response({"channels": [{"id": "demo", "title": "Demo", "state": "free", "is_playable": True}]}), "'playback_url' is a required property"),
    "an undocumented member of a variant": (lambda: access_response({**GRANTED, "node": "x"}), "not valid under any"),
    "a variant that is not described": (lambda: access_response({"status": "later", "channel": "demo"}), "not valid under any"),
    "a problem of another operation": (lambda: access_response({**BAD_REQUEST, "type": "/problems/link-expired"}, PROBLEM, 400), "/problems/bad-request"),
    "a problem with another status": (lambda: access_response({**BAD_REQUEST, "status": 403}, PROBLEM, 400), "400 was expected"),
    "an undocumented member of a problem": (lambda: access_response({**BAD_REQUEST, "hint": "x"}, PROBLEM, 400), "'hint' was unexpected"),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_that_differs_is_seen(kind):
    found, text = REQUESTS[kind]
    assert any(text in line for line in found()), found()


@pytest.mark.parametrize("kind", RESPONSES)
def test_a_response_that_differs_is_seen(kind):
    found, text = RESPONSES[kind]
    assert any(text in line for line in found()), found()


def test_a_request_that_is_meant_to_be_invalid_is_not_compared_but_its_response_is():
    wrong = body({"channel": 1})
    refused = Response(400, "", PROBLEM, body(BAD_REQUEST))
    with pytest.raises(ApiViolation, match="is not of type 'string'"):
        check("POST", "/api/v1/access", JSON, wrong, refused)
    check("POST", "/api/v1/access", JSON, wrong, refused, breaks_api=True)
    with pytest.raises(ApiViolation, match="'hint' was unexpected"):
        check("POST", "/api/v1/access", JSON, wrong, Response(400, "", PROBLEM, body({**BAD_REQUEST, "hint": 1})), breaks_api=True)
    with pytest.raises(ApiViolation, match="undocumented status 418"):
        check("POST", "/api/v1/access", JSON, wrong, Response(418, "", PROBLEM, body(BAD_REQUEST)), breaks_api=True)
    with pytest.raises(ApiViolation, match="the request is valid"):
        check("POST", "/api/v1/access", JSON, body({"channel": "demo"}), refused, breaks_api=True)


def test_the_response_to_a_path_that_is_not_described_is_a_problem():
    missing = {"type": "/problems/not-found", "title": "The resource does not exist", "status": 404}
    check("GET", "/api/v1/none", {}, b"", Response(404, "", PROBLEM, body(missing)), breaks_api=True)
    with pytest.raises(ApiViolation, match="content type text/html"):
        check("GET", "/api/v1/none", {}, b"", Response(404, "", [("Content-Type", "text/html")], b"none"), breaks_api=True)
    with pytest.raises(ApiViolation, match="undocumented path"):
        check("GET", "/api/v1/none", {}, b"", Response(404, "", PROBLEM, body(missing)))


def test_a_description_without_what_the_program_returns_is_seen():
    for part in (("paths", "/api/v1/channels"), ("paths", "/api/v1/channels", "get", "responses", "200"), ("components", "schemas", "Channel", "properties", "title")):
        document = copy.deepcopy(DOCUMENT)
        owner = document
        for name in part[:-1]:
            owner = owner[name]
        del owner[part[-1]]
        with pytest.raises(ApiViolation):
            check("GET", "/api/v1/channels", {}, b"", Response(200, "", REVALIDATED, body(CHANNELS)), description=ApiDescription(document))


def response_bytes(value, fields):
    text = body(value)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(text)}\r\n\r\n".encode() + text


def test_every_client_of_the_harness_compares(origin):
    origin.on("/api/v1/channels", raw(response_bytes({**CHANNELS, "more": 1}, REVALIDATED)))
    origin.on("/api/v1/access", raw(response_bytes({**GRANTED, "more": 1}, NOT_STORED)))
    with pytest.raises(ApiViolation, match="'more' was unexpected"):
        fetch(origin.url + "/api/v1/channels")
    with pytest.raises(ApiViolation):
        asyncio.run(call(f"127.0.0.1:{origin.port}", "POST", "/api/v1/access", b'{"channel":"demo"}'))
    origin.on("/api/v1/channels", raw(response_bytes(CHANNELS, REVALIDATED)))
    origin.on("/api/v1/access", raw(response_bytes(GRANTED, NOT_STORED)))
    assert fetch(origin.url + "/api/v1/channels").json == CHANNELS
    assert asyncio.run(call(f"127.0.0.1:{origin.port}", "POST", "/api/v1/access", b'{"channel":"demo"}')) == (200, GRANTED)


def objects_in(value):
    if isinstance(value, dict):
        if value.get("type") == "object":
            yield value
        value = value.values()
    for inner in value if not isinstance(value, (str, int, float, bool, type(None))) else ():
        yield from objects_in(inner)


def test_every_object_of_the_description_is_closed():
    """Only the parts of an OpenAPI document are left open; the description of them is OpenAPI's."""
    schemas = DOCUMENT["components"]["schemas"]
    for name, schema in schemas.items():
        for found in objects_in(schema):
            is_open = name == "Description" and found is not schema
            assert found.get("additionalProperties") is is_open, (name, found)
            assert is_open or name in ("Report", "LogoutRequest") or found.get("required"), f"{name} requires no member"
    assert len([name for name, schema in schemas.items() if schema.get("type") == "object"]) >= 12


def test_every_error_of_the_description_is_a_problem():
    for methods in (methods for _, _, methods in DESCRIPTION.paths):
        for operation in methods.values():
            for status, response in operation.responses.items():
                if status >= 400:
                    assert list(response["content"]) == ["application/problem+json"], (operation.path, status)


def test_the_documents_of_a_running_process_are_as_described(event):
    event.start(balancer={"api": {"caches": [{"id": "stadium", "url": "http://127.0.0.1:1"}]}})
    for path in ("/api/v1/channels", "/api/v1/caches", "/api/v1/openapi.json"):
        first = event.balancer.get(path)
        assert first.status == 200 and event.balancer.get(path, method="HEAD").status == 200
        assert event.balancer.get(path, headers={"If-None-Match": first.header("ETag")}).status == 304
        assert event.balancer.get(path, method="PUT", body=b"{}", breaks_api=True).status == 405
    assert event.balancer.get("/api/v1/openapi.json").json == DOCUMENT
    assert request_access(event).json["status"] == "granted"
    assert event.balancer.get("/api/v1/none", breaks_api=True).status == 404
