"""Tokens of accounts: refreshes at once and again, stolen and forged tokens, and what a restart keeps."""
import base64
import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.accounts_api import (ask, bearer, change_password, devices, end_device, is_open, log_in, log_out, new_account, new_login, post, refresh,
                                  refresh_twice, refused, register, session, wait_next_millisecond)
from harness.event import KEYS
from harness.waiting import wait_until


def test_refreshes_at_once_and_repeated_ones_give_the_same_successor(api):
    first = new_account(api, "ann")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: refresh(api, first["refresh_token"]), range(16)))
    assert [answer.status for answer in answers] == [200] * 16
    successors = {answer.json["refresh_token"] for answer in answers}
    assert len(successors) == 1 and first["refresh_token"] not in successors
    assert [answer.json["refresh_token"] for answer in refresh_twice(api, first["refresh_token"])] == list(successors) * 2
    assert {answer.json["device"]["id"] for answer in answers} == {first["device"]["id"]}
    assert all(is_open(api, answer.json) for answer in answers)
    assert api.metric("tribune_accounts_refreshes_total") == 1
    assert refresh(api, successors.pop()).status == 200


def test_a_refresh_token_that_is_used_again_after_the_grace_ends_the_device(make_api):
    api = make_api({"refresh_grace": "1s"})
    stolen = new_account(api, "ann")
    other = new_login(api, "ann")
    newest = refresh(api, stolen["refresh_token"]).json
    # Within the grace the thief receives the successor that the owner has; afterwards the use of the old token is seen.
    reused = wait_until(lambda: (answer := refresh(api, stolen["refresh_token"])).status != 200 and answer, 10, "the grace is over")
    assert refused(reused, 401, "refresh-token-reused") and reused.header("WWW-Authenticate") == "Bearer"
    assert not is_open(api, newest), "the access tokens of the device are refused at once"
    assert refused(refresh(api, newest["refresh_token"]), 401, "logged-out"), "thief and owner are both logged out"
    assert refused(refresh(api, stolen["refresh_token"]), 401, "logged-out")
    assert api.wait_log("refresh_token_reused", device=stolen["device"]["id"], account=stolen["account"]["id"])
    assert is_open(api, other) and [device["id"] for device in devices(api, other["access_token"]).json["devices"]] == [other["device"]["id"]]


def test_the_token_before_the_last_is_refused_even_within_the_grace(api):
    first = new_account(api, "ann")
    second = refresh(api, first["refresh_token"]).json
    third = refresh(api, second["refresh_token"]).json
    assert refused(refresh(api, first["refresh_token"]), 401, "refresh-token-reused")
    assert refused(refresh(api, third["refresh_token"]), 401, "logged-out")


def encoded(value):
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def with_one_bit_changed(token):
    """Each text that differs from the token in one bit of its content, one for each byte."""
    head, _, text = token.partition(".")
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert encoded(content) == text
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        yield f"{head}.{encoded(bytes(changed))}"


def test_a_token_with_one_bit_changed_is_refused(api):
    this = new_account(api, "ann")
    for forged in with_one_bit_changed(this["access_token"]):
        assert refused(session(api, forged), 401, "token-invalid"), forged
    for forged in with_one_bit_changed(this["refresh_token"]):
        assert refused(refresh(api, forged), 401, "token-invalid"), forged
    for kind in ("access_token", "refresh_token"):
        token = this[kind]
        for forged in (token[:-1], token + "A", token.upper(), token.replace("_a1.", "_a2."), token.replace("_a1.", "_."), token.replace(".", ".."), token + "="):
            answer = session(api, forged) if kind == "access_token" else refresh(api, forged)
            assert answer.status in (400, 401) and not refused(answer, 401, "logged-out"), forged
    assert is_open(api, this) and refresh(api, this["refresh_token"]).status == 200


def test_a_device_token_with_one_bit_changed_is_that_of_an_unknown_device(api):
    this = new_account(api, "ann")
    for forged in list(with_one_bit_changed(this["device_token"]))[::6]:
        assert log_in(api, "ann", device_token=forged).status == 200
    assert is_open(api, this), "no forged device token ended the login of the device"


def test_tokens_of_another_event_are_refused(api, make_api):
    other = make_api(name="other")
    here, there = new_account(api, "ann"), new_account(other, "ann")
    assert refused(session(api, there["access_token"]), 401, "token-invalid")
    assert refused(refresh(api, there["refresh_token"]), 401, "token-invalid")
    assert log_in(api, "ann", device_token=there["device_token"]).status == 200
    assert is_open(api, here) and is_open(other, there)


def test_tokens_of_other_kinds_open_nothing(make_api):
    operator = "operator-secret-of-the-test"
    api = make_api(changes={"api": {"operator_token": operator}, "admin": {"token": operator}})
    this = new_account(api, "ann")
    claims = {"sub": this["account"]["id"], "account": this["account"]["id"], "device": this["device"]["id"], "iat": 1, "exp": 4_000_000_000}
    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': 'a1'})}.{encoded(claims)}"
    keys = [KEYS[0]["secret"].encode(), b"", operator.encode()]
    tokens = [f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims)}.", *(f"{signed}.{encoded(hmac.digest(key, signed.encode(), hashlib.sha256))}" for key in keys),
              operator, this["refresh_token"], this["device_token"], this["account"]["id"], "tat_", "tat_a1.", "tat_a1", "x" * 8000]
    for token in tokens:
        answer = session(api, token)
        assert refused(answer, 401, "token-invalid") and answer.header("WWW-Authenticate") == 'Bearer error="invalid_token"', token
        assert refused(devices(api, token), 401, "token-invalid"), token
    for nothing in ({}, bearer(""), {"Authorization": "Bearer"}, {"Authorization": ""}, {"Authorization": "Basic YW5uOng="}, {"Authorization": operator}):
        answer = ask(api, "GET", "/auth/session", headers=nothing)
        assert refused(answer, 401, "token-invalid") and answer.header("WWW-Authenticate") == "Bearer", nothing
    for wrong in (this["access_token"][:71], this["device_token"], operator, tokens[0][:71], "trt_", "trt_a1."):
        assert refused(refresh(api, wrong), 401, "token-invalid"), wrong
    # An access token is not the operator's.
    asked = api.get("/api/v1/access", method="POST", body=b'{"channel":"demo","account":"ann"}', headers=bearer(this["access_token"]))
    assert refused(asked, 403, "forbidden")
    assert is_open(api, this)


def restart(program):
    program.kill()
    program.start()


@pytest.mark.every_build
def test_accounts_devices_and_logouts_are_there_after_a_kill_and_a_restart(api):
    kept, ended, changed = new_account(api, "ann"), new_login(api, "ann"), new_account(api, "bob")
    lost = new_login(api, "bob")
    assert log_out(api, ended["access_token"]).status == 204
    assert not is_open(api, ended)
    assert change_password(api, changed["access_token"], "correct horse battery", "staple and another one").status == 204
    listed = devices(api, kept["access_token"]).json
    for _ in range(2):
        restart(api)
        assert is_open(api, kept) and is_open(api, changed) and not is_open(api, ended) and not is_open(api, lost)
        assert devices(api, kept["access_token"]).json == listed
        assert refused(register(api, "ANN"), 409, "login-taken")
        assert log_in(api, "ann", "a wrong password").status == 401 and log_in(api, "bob").status == 401
        assert refused(refresh(api, ended["refresh_token"]), 401, "logged-out") and refused(refresh(api, lost["refresh_token"]), 401, "logged-out")
    again = new_login(api, "ann", device_token=kept["device_token"])
    assert not is_open(api, kept) and is_open(api, again)
    assert refresh(api, changed["refresh_token"]).status == 200
    new_login(api, "bob", "staple and another one")


def test_every_way_to_end_a_device_refuses_its_access_token_at_once_and_after_a_restart(make_api):
    api = make_api({"max_devices": 3})
    ended = []
    this = new_account(api, "ann")
    wait_next_millisecond()
    victim = new_login(api, "ann")
    assert end_device(api, this["access_token"], victim["device"]["id"]).status == 204
    ended.append(victim)
    victim = new_login(api, "ann")
    new_login(api, "ann", device_token=victim["device_token"])
    ended.append(victim)
    victim = new_login(api, "ann")
    victim = new_login(api, "ann")   # the fourth: the device that was not used for the longest time ends
    ended.append(this)
    assert change_password(api, victim["access_token"], "correct horse battery", "staple and another one").status == 204
    assert log_out(api, victim["access_token"], everywhere=True).status == 204
    ended.append(victim)
    victim = new_account(api, "bob")
    assert post(api, "/account/delete", {"password": "correct horse battery"}, token=victim["access_token"]).status == 204
    ended.append(victim)
    assert [is_open(api, device) for device in ended] == [False] * 5
    restart(api)
    assert [is_open(api, device) for device in ended] == [False] * 5
    api.terminate()
    api.start()
    assert [is_open(api, device) for device in ended] == [False] * 5
    assert all(refused(refresh(api, device["refresh_token"]), 401, "logged-out") for device in ended)
