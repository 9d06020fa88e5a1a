"""Accounts through the public API: who has one more device than allowed, what a restart remembers, who takes over from whom."""
import base64
import json
import time

import pytest
from harness.waiting import wait_until

TOKEN = "operator-token-of-the-test"


@pytest.fixture
def house(event):
    """`house(devices=2, rule="refuse")`: an event whose accounts may watch on so many devices."""
    def stand(devices, rule="refuse", **access):
        event.stand(balancer={"access": {"max_sessions_per_account": devices, "account_rule": rule, "refresh": "1s", "restart_grace": "1s",
                                         "lease_intervals": 20, "reservation": "20s", **access},
                              "balancer": {"session_idle": "30s"}, "api": {"caches": [], "operator_token": TOKEN}})
        return event

    return stand


def backend_asks(event, account, device, **more):
    """What the operator's backend does for one of its customers."""
    body = {"channel": "demo", "account": account, "device": device, "client": "127.0.1.1", **more}
    return event.balancer.get("/api/v1/access", method="POST", body=json.dumps(body).encode(), headers={"Authorization": f"Bearer {TOKEN}"})


def phone_asks(event, **body):
    return event.balancer.get("/api/v1/access", method="POST", body=json.dumps({"channel": "demo", **body}).encode())


def device_of(event, answer):
    """A player on the device that got this answer."""
    assert answer.status == 200 and answer.json["status"] == "granted", (answer, answer.body)
    player = event.player(query="?session=" + answer.json["session"]).open()
    player.refresh()
    return player


def plays(event, player):
    segment = player.refresh().segments[-1]
    player.play(segment.msn, event.live.bytes_of("v1", segment.msn))


def assert_refused(answer, *devices):
    assert answer.status == 403 and answer.json["type"] == "/problems/account-full", (answer, answer.body)
    for device in devices:
        assert device in answer.json["detail"]


def granted_at_last(event, account, device):
    """What the device gets, which may have to wait for the end of a grace."""
    ticket = {}

    def is_in():
        answer = backend_asks(event, account, device, **ticket)
        assert answer.status == 200, (answer, answer.body)
        if answer.json["status"] == "queued":
            ticket["ticket"] = answer.json["ticket"]
            return None
        return answer
    return wait_until(is_in, 20, f"{device} of {account} is let in")


def kill_and_start(event):
    wait_until(lambda: event.balancer.admin("/queues").json["access"]["unsaved_sessions"] == 0, 5, "sessions on disk")
    event.balancer.kill()
    event.balancer.start()
    event.wait_heard("stadium")


def next_second():
    """Tokens tell the second in which their session began."""
    began = time.monotonic()
    wait_until(lambda: time.monotonic() > began + 1.1, 5, "another second")


def test_after_a_kill_an_accounts_devices_count_at_once(house):
    event = house(2, restart_grace="60s")
    answers = [backend_asks(event, "ann@example.org", name) for name in ("Living room TV", "Phone")]
    devices = [device_of(event, answer) for answer in answers]
    assert_refused(backend_asks(event, "ann@example.org", "Tablet"), "Living room TV", "Phone")
    for answer in answers:
        payload = base64.urlsafe_b64decode(answer.json["session"].split(".")[1] + "==")
        assert b"ann" not in payload and b"Phone" not in payload and b"room" not in payload, "a URL that others see names nobody"
    kill_and_start(event)
    assert_refused(backend_asks(event, "ann@example.org", "Tablet"), "Living room TV", "Phone")
    for device in devices:
        wait_until(lambda d=device: d.try_refresh().status == 200, 10, "it goes on")
    assert_refused(backend_asks(event, "ann@example.org", "Laptop"), "Living room TV", "Phone")
    for device in devices:
        plays(event, device)


def test_after_a_kill_a_device_too_many_is_refused_when_the_grace_is_over_and_let_in_when_another_leaves(house):
    event = house(1)
    tv = backend_asks(event, "ann", "TV")
    player = device_of(event, tv)
    kill_and_start(event)
    wait_until(lambda: player.try_refresh().status == 200, 10, "the TV goes on")
    assert_refused(backend_asks(event, "ann", "Phone"), "TV")
    assert device_of(event, granted_at_last(event, "bob", "TV")), "another account has its own place"
    assert_refused(backend_asks(event, "ann", "Phone"), "TV")
    assert event.balancer.get("/api/v1/access/" + tv.json["session"], method="DELETE").json["was_open"]
    device_of(event, backend_asks(event, "ann", "Phone"))


def test_the_newest_device_takes_over_from_the_oldest(house):
    event = house(2, rule="take_over")
    tv, phone = (device_of(event, backend_asks(event, "ann", name)) for name in ("TV", "Phone"))
    plays(event, tv)
    tablet = device_of(event, backend_asks(event, "ann", "Tablet"))
    ended = tv.try_refresh()
    assert ended.status == 403 and ended.json["type"] == "/problems/session-ended", (ended, ended.body)
    assert "another device" in ended.json["detail"]
    plays(event, phone)
    plays(event, tablet)
    laptop = device_of(event, backend_asks(event, "ann", "Laptop"))
    assert phone.try_refresh().status == 403, "the oldest of those that are left"
    for player in (tablet, laptop):
        plays(event, player)
    assert device_of(event, backend_asks(event, "bob", "TV")), "another account ends nobody"
    plays(event, tablet)
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 3, 5, "ann's two and bob's one")


def test_after_a_kill_the_oldest_is_still_the_one_that_began_first(house):
    event = house(2, rule="take_over")
    tv = device_of(event, backend_asks(event, "ann", "TV"))
    next_second()
    phone = device_of(event, backend_asks(event, "ann", "Phone"))
    kill_and_start(event)
    for player in (phone, tv):   # in another order than they began
        wait_until(lambda p=player: p.try_refresh().status == 200, 10, "it goes on")
    tablet = device_of(event, granted_at_last(event, "ann", "Tablet"))
    ended = tv.try_refresh()
    assert ended.status == 403 and ended.json["type"] == "/problems/session-ended", (ended, ended.body)
    plays(event, phone)
    plays(event, tablet)


def test_a_place_in_the_queue_is_its_accounts_whoever_asks_how_far_it_is(house):
    event = house(1, max_sessions=1)
    stranger = phone_asks(event).json
    waiting = backend_asks(event, "ann", "Phone").json
    assert waiting["status"] == "queued"
    assert event.balancer.get("/api/v1/access/" + stranger["session"], method="DELETE").json["was_open"]

    def is_in():
        answer = phone_asks(event, ticket=waiting["ticket"])
        assert answer.status == 200, (answer, answer.body)
        return answer if answer.json["status"] == "granted" else None
    player = device_of(event, wait_until(is_in, 10, "its turn"))
    assert_refused(backend_asks(event, "ann", "TV"), "Phone")
    plays(event, player)
