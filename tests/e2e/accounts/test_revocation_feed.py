"""The feed by which other processes of the event learn which devices of accounts have ended."""
import base64
import secrets
import threading
import time

import pytest
from harness.accounts_api import log_out, new_account, new_login
from harness.raw_client import fetch
from harness.signed_requests import signature

PATH = "/internal/v1/accounts/revocations"


def poll(api, run="", after=0, nonce=None, signed=None, query=None):
    target = f"{PATH}?" + (query or f"run={run}&after={after}&nonce={nonce or secrets.token_hex(8)}")
    fields = {"X-Tribune-Signature": signature(f"GET {target}", b"") if signed is None else signed}
    return fetch(api.url + target, headers=fields)


def ids(page):
    return [device for device, _ in page["devices"]]


@pytest.mark.every_build
def test_a_held_poll_is_answered_when_a_device_ends(api):
    phone, tv = new_account(api, "ann"), new_login(api, "ann")
    first = poll(api)
    assert first.status == 200 and first.header("Cache-Control") == "no-store" and first.json["is_last"] and first.json["devices"] == []
    key, _, mark = first.header("X-Tribune-Account-Signature").partition(".")
    assert key and len(base64.urlsafe_b64decode(mark + "==")) == 64

    answers = []
    waiting = threading.Thread(target=lambda: answers.append(poll(api, first.json["run"], first.json["number"])))
    waiting.start()
    api.wait_metric("tribune_api_revocation_polls_total", 2, result="answered")
    before = time.time()
    assert log_out(api, phone["access_token"]).status == 204
    waiting.join(10)
    page = answers[0].json
    assert ids(page) == [phone["device"]["id"]] and page["number"] == 1 and page["run"] == first.json["run"]
    assert before - 1 <= page["devices"][0][1] / 1000 <= time.time() + 1

    assert log_out(api, tv["access_token"]).status == 204
    assert ids(poll(api, page["run"], page["number"]).json) == [tv["device"]["id"]]
    assert ids(poll(api).json) == [phone["device"]["id"], tv["device"]["id"]]


def test_a_poll_without_news_is_answered_after_the_hold(api):
    first = poll(api).json
    began = time.monotonic()
    answer = poll(api, first["run"], first["number"])
    assert answer.json == {**first, "devices": []} and time.monotonic() - began >= 1.9


def test_after_a_restart_the_feed_begins_again_with_all_that_counts(api):
    phone = new_account(api, "ann")
    assert log_out(api, phone["access_token"]).status == 204
    before = poll(api).json
    api.kill()
    api.start()
    after = poll(api, before["run"], before["number"]).json
    assert after["run"] != before["run"] and after["devices"] == before["devices"]


def test_a_poll_without_a_signature_of_the_event_is_refused(api):
    target = f"{PATH}?run=&after=0&nonce=00112233445566aa"
    good = signature(f"GET {target}", b"")
    assert poll(api, nonce="00112233445566aa", signed=good).status == 200
    old = signature(f"GET {target}", b"", now=time.time() - 3600)
    for wrong in ("", "k1.1.x", old, good[:-1] + ("A" if good[-1] != "A" else "E"), signature(f"GET {PATH}", b"")):
        answer = poll(api, nonce="00112233445566aa", signed=wrong)
        assert answer.status == 403 and answer.json["type"] == "/problems/forbidden", wrong
    for query in ("run=&after=0", "run=x&after=0&nonce=00112233445566aa", "run=&after=-1&nonce=00112233445566aa"):
        assert poll(api, query=query).status == 400, query


def test_a_process_that_stops_releases_held_polls(make_api):
    api = make_api(changes={"process": {"stop_deadline": "500ms"}})  # shorter than the hold
    first = poll(api).json
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(poll(api, first["run"], first["number"])))
    waiting.start()
    api.wait_metric("tribune_api_revocation_polls_total", 2, result="answered")
    api.terminate()
    waiting.join(10)
    assert answers[0].status == 200 and answers[0].json["devices"] == []
