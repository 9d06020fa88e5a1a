"""Requests of the account API as messages: bodies that cannot be accepted, languages, entity-tags, pages of other sites, and limits on requests."""
import json

import pytest
from harness.accounts_api import (PASSWORD, account, ask, change_password, devices, is_open, log_in, log_out, new_account, new_login, post,
                                  post_unchecked, refresh, refused, register, session)
from harness.raw_client import Connection

GOOD = {"login": "ann", "password": PASSWORD}
INVALID = {
    "no body": b"",
    "not JSON": b"login=ann&password=correct",
    "an unfinished object": json.dumps(GOOD).encode()[:-1],
    "text after the object": json.dumps(GOOD).encode() + b"{}",
    "a list": json.dumps([GOOD]).encode(),
    "null": b"null",
    "an unknown member": json.dumps({**GOOD, "is_admin": True}).encode(),
    "a member twice": b'{"login":"ann","login":"bob","password":"correct horse battery"}',
    "a member twice, once escaped": b'{"login":"ann","log\\u0069n":"bob","password":"correct horse battery"}',
    "a missing member": b'{"login":"ann"}',
    "a member that is null": json.dumps({**GOOD, "password": None}).encode(),
    "a member of another type": json.dumps({**GOOD, "password": 12345678}).encode(),
    "an object as a member": json.dumps({**GOOD, "login": {"ann": 1}}).encode(),
    "a number beyond 64 bits": b'{"login":"ann","password":123456789012345678901234567890}',
    "a number without end": b'{"login":"ann","password":1e999}',
    "too many levels": b'{"login":"ann","password":' + b"[" * 100 + b"]" * 100 + b"}",
    "levels without end": b"[" * 8000,
    "a lone surrogate": b'{"login":"ann","password":"correct \\ud800 horse"}',
    "a lone low surrogate": b'{"login":"ann","password":"correct \\udc00 horse"}',
    "bytes that are not UTF-8": b'{"login":"ann","password":"correct \xff horse"}',
    "an overlong form": b'{"login":"ann","password":"correct \xc0\xaf horse"}',
    "a raw control character": b'{"login":"ann","password":"correct \n horse"}',
    "a comment": b'/* x */{"login":"ann","password":"correct horse battery"}',
    "a byte order mark": b'\xef\xbb\xbf{"login":"ann","password":"correct horse battery"}',
    "an empty login": json.dumps({**GOOD, "login": ""}).encode(),
    "an empty password": json.dumps({**GOOD, "password": ""}).encode(),
    "a login that is too long": json.dumps({**GOOD, "login": "a" * 129}).encode(),
    "a password that is too long": json.dumps({**GOOD, "password": "x" * 1025}).encode(),
}


@pytest.mark.parametrize("path", ["/auth/register", "/auth/login"])
def test_a_body_that_is_wrong_is_refused_and_changes_nothing(api, path):
    for kind, body in INVALID.items():
        # The comparison with the description cannot be asked for what JSON parsers disagree on, so only responses are compared.
        assert refused(post_unchecked(api, path, body), 400, "bad-request"), kind
    large = json.dumps(GOOD).encode() + b" " * 8192
    assert refused(post_unchecked(api, path, large), 413, "body-too-large")
    assert refused(post_unchecked(api, path, json.dumps({**GOOD, "password": "п" * 513}).encode()), 400, "bad-request"), "lengths count bytes"
    assert api.metric("tribune_accounts_registrations_total") == 0 and api.metric("tribune_accounts_logins_total") == 0
    new_account(api, "ann")


def test_a_body_beyond_the_limit_of_the_server_is_refused(make_api):
    api = make_api(changes={"front": {"limits": {"max_body_bytes": "4KiB"}}})
    assert refused(post_unchecked(api, "/auth/register", json.dumps(GOOD).encode() + b" " * 4096), 413, "body-too-large")
    new_account(api, "ann")


def test_logins_and_passwords_that_are_not_allowed_are_refused(api):
    for login in ("an", "ann smith", "аnn", "ann\u0000", "ann/", "ann\u200b", "😀😀😀"):
        assert refused(register(api, login, breaks_api=True), 400, "login-invalid"), login
        assert refused(log_in(api, login), 401, "credentials-wrong"), login
    for password in ("1234567", "пар"):
        assert refused(register(api, "ann", password), 400, "password-invalid")
    assert register(api, "ann", "12345678").status == 201
    assert register(api, "a" * 128, "x" * 1024).status == 201


def test_wrong_bodies_of_a_logged_in_device_change_nothing(api):
    this = new_account(api, "ann")
    token = this["access_token"]
    wrong = {
        "/auth/logout": ({"everywhere": "yes"}, {"everywhere": 1}, {"device": "x"}, []),
        "/account/password": ({"password": PASSWORD}, {"new_password": PASSWORD}, {"password": PASSWORD, "new_password": "x" * 1025},
                              {"password": PASSWORD, "new_password": "a new password", "login": "bob"}, []),
        "/account/delete": ({}, {"password": None}, {"password": PASSWORD, "everywhere": True}, []),
        "/auth/refresh": ({}, {"refresh_token": ""}, {"refresh_token": 1}, {"refresh_token": "x" * 72}, {"refresh_token": this["refresh_token"], "x": 1}, []),
    }
    for path, bodies in wrong.items():
        for body in bodies:
            assert refused(post(api, path, body, token=token, breaks_api=True), 400, "bad-request"), (path, body)
    assert refused(change_password(api, token, PASSWORD, "1234567"), 400, "password-invalid")
    assert is_open(api, this) and new_login(api, "ann") and refresh(api, this["refresh_token"]).status == 200


def test_details_are_in_the_language_that_the_client_prefers(make_api):
    api = make_api({"max_failed_logins": 100})
    new_account(api, "ann")

    def language(preferred):
        answer = log_in(api, "ann", "a wrong password", headers={"Accept-Language": preferred} if preferred else {})
        assert refused(answer, 401, "credentials-wrong") and answer.headers("Vary") == ["Accept-Language"]
        assert answer.json["detail"] == {"en": "the login or the password is wrong", "ru": "неверный логин или пароль"}[answer.header("Content-Language")]
        return answer.header("Content-Language")

    assert [language(p) for p in ("ru", "ru-RU,ru;q=0.9,en;q=0.8", "en;q=0.5, RU", "de, ru;q=0.3")] == ["ru"] * 4
    assert [language(p) for p in (None, "en", "de", "*", "en, ru;q=0.9", "ru;q=0", "rus", ";;,=")] == ["en"] * 8
    russian = {"Accept-Language": "ru"}
    for answer in (register(api, "x", headers=russian, breaks_api=True), register(api, "ann", headers=russian), register(api, "bob", "1", headers=russian),
                   session(api, "tat_x", headers=russian), post(api, "/auth/login", {}, headers=russian, breaks_api=True)):
        assert answer.header("Content-Language") == "ru" and any("а" <= letter <= "я" for letter in answer.json["detail"]), answer.body


def without_request_fields(answer):
    return answer.status, [(name, value) for name, value in answer.fields if name not in ("Date", "X-Request-Id", "RateLimit")], answer.body


def test_an_unknown_login_and_a_wrong_password_have_the_same_response(api):
    known = new_account(api, "ann")
    wrong, unknown = log_in(api, "ann", "a wrong password"), log_in(api, "bob", "a wrong password")
    assert refused(wrong, 401, "credentials-wrong") and wrong.header("WWW-Authenticate") == "Bearer"
    assert without_request_fields(wrong) == without_request_fields(unknown)
    with_token = log_in(api, "bob", "a wrong password", device_token=known["device_token"])
    assert without_request_fields(wrong) == without_request_fields(with_token)


def test_lists_of_an_account_are_revalidated_with_their_entity_tag(api):
    this = new_account(api, "ann", device="Phone")
    token = this["access_token"]
    for read in (devices, account):
        first = read(api, token)
        assert first.status == 200 and first.header("Cache-Control") == "private, no-cache" and first.header("Vary") == "Authorization"
        for field in (first.header("ETag"), "W/" + first.header("ETag"), '"x", ' + first.header("ETag"), "*"):
            assert read(api, token, headers={"If-None-Match": field}).status == 304, field
        assert read(api, token, headers={"If-None-Match": '"0000000000000000"'}).status == 200
    before = devices(api, token).header("ETag")
    new_login(api, "ann", device="TV")
    changed = devices(api, token, headers={"If-None-Match": before})
    assert changed.status == 200 and changed.header("ETag") != before and len(changed.json["devices"]) == 2


def test_pages_of_other_sites_read_every_response(api):
    this = new_account(api, "ann")
    token = this["access_token"]
    origin = {"Origin": "https://app.example"}
    etag = devices(api, token).header("ETag")
    for answer in (log_in(api, "ann", headers=origin), log_in(api, "ann", "a wrong password", headers=origin),
                   devices(api, token, headers={**origin, "If-None-Match": etag}), session(api, "tat_x", headers=origin),
                   post(api, "/auth/login", {}, headers=origin, breaks_api=True), log_out(api, token, headers=origin),
                   session(api, token, headers=origin)):
        assert answer.header("Access-Control-Allow-Origin") == "*", answer
        exposed = answer.header("Access-Control-Expose-Headers").lower().split(", ")
        assert {"etag", "retry-after", "ratelimit", "ratelimit-policy", "www-authenticate"} <= set(exposed), answer
        assert answer.header("Access-Control-Allow-Credentials") is None and answer.header("Set-Cookie") is None


def test_a_page_of_another_site_may_send_an_access_token(api):
    for path, method in (("/devices", "GET"), ("/devices/9b1f0c3d5e7a2468", "DELETE"), ("/auth/login", "POST")):
        with Connection(api.address) as connection:
            answer = connection.request("/api/v1" + path, "OPTIONS", {"Origin": "https://app.example", "Access-Control-Request-Method": method,
                                                                      "Access-Control-Request-Headers": "authorization, content-type"})
        assert answer.status == 204 and answer.header("Access-Control-Allow-Origin") == "*"
        assert method in answer.header("Access-Control-Allow-Methods").split(", ")
        assert {"authorization", "content-type"} <= set(answer.header("Access-Control-Allow-Headers").lower().split(", ")), "* does not include Authorization"


def rate_limit(answer):
    """(name, left)"""
    name, left, _ = answer.header("RateLimit").split(";")
    return name.strip('"'), int(left.removeprefix("r="))


def test_an_address_has_a_limit_of_requests(make_api):
    api = make_api(changes={"front": {"trusted_proxies": ["127.0.0.0/8"]}, "api": {"limits": {"max_requests_per_address": 2}}})
    near, far = {"X-Forwarded-For": "198.51.100.7"}, {"X-Forwarded-For": "2001:db8::7"}
    first, second, third = (log_in(api, "ann", headers=near) for _ in range(3))
    assert [answer.status for answer in (first, second, third)] == [401, 401, 429]
    assert first.header("RateLimit-Policy") == '"address";q=2;w=60' and [rate_limit(answer) for answer in (first, second)] == [("address", 1), ("address", 0)]
    assert refused(third, 429, "too-many-requests") and 1 <= int(third.header("Retry-After")) <= 30 and rate_limit(third) == ("address", 0)
    for refused_too in (register(api, "bob", headers=near), refresh(api, "trt_x", headers=near), session(api, "tat_x", headers=near),
                        ask(api, "GET", "/devices", headers=near), log_in(api, "ann", headers={**near, "Accept-Language": "ru"})):
        assert refused(refused_too, 429, "too-many-requests")
    assert register(api, "bob", headers=far).status == 201
    assert log_in(api, "bob", headers={"X-Forwarded-For": "2001:db8::8"}).status == 200
    assert log_in(api, "bob", headers={"X-Forwarded-For": "2001:db8::9"}).status == 429, "one /64 is one address"


def test_an_address_has_a_limit_of_registrations(make_api):
    api = make_api(changes={"front": {"trusted_proxies": ["127.0.0.0/8"]}, "api": {"limits": {"max_registrations_per_address": 2}}})
    near, far = {"X-Forwarded-For": "198.51.100.7"}, {"X-Forwarded-For": "198.51.100.8"}
    assert [register(api, login, headers=near).status for login in ("ann", "bob")] == [201, 201]
    over = register(api, "carol", headers=near)
    assert refused(over, 429, "too-many-requests") and 1 <= int(over.header("Retry-After")) <= 1800
    assert over.header("RateLimit-Policy") == '"registration";q=2;w=3600' and rate_limit(over) == ("registration", 0)
    assert log_in(api, "ann", headers=near).status == 200, "other requests of the address have a limit of their own"
    assert register(api, "carol", headers=far).status == 201


def test_an_account_has_a_limit_of_requests_on_all_its_devices(make_api):
    api = make_api(changes={"api": {"limits": {"max_requests_per_account": 2}}})
    one, other = new_account(api, "ann"), new_login(api, "ann")
    answers = [session(api, one["access_token"]), devices(api, other["access_token"]), session(api, one["access_token"])]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].header("RateLimit-Policy") == '"account";q=2;w=60' and rate_limit(answers[1]) == ("account", 0)
    assert refused(answers[2], 429, "too-many-requests") and 1 <= int(answers[2].header("Retry-After")) <= 30
    assert refused(log_out(api, other["access_token"]), 429, "too-many-requests")
    assert refresh(api, one["refresh_token"]).status == 200, "logins and refreshes count for the address"
    assert session(api, new_account(api, "bob")["access_token"]).status == 200


def test_the_scheme_of_the_authorization_is_written_in_any_case(api):
    token = new_account(api, "ann")["access_token"]
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert ask(api, "GET", "/auth/session", headers={"Authorization": f"{scheme} {token}"}).status == 200, scheme
    for wrong in (f"Basic {token}", f"Bearer: {token}", token, f"Bearer  {token}", f"Bearer {token} {token}", f"Bearer {token},"):
        assert refused(ask(api, "GET", "/auth/session", headers={"Authorization": wrong}), 401, "token-invalid"), wrong
