"""Limits of devices per account: rejection and take-over, through the public API and the internal one, also after a restart of the balancer."""
import base64
import time

import pytest
from harness.access_api import end_access, request_access, wait_sessions_saved
from harness.raw_client import fetch
from harness.signed_requests import ask_access
from harness.waiting import wait_until

TOKEN, CLIENT = "operator-token-of-the-test", "127.0.1.1"


@pytest.fixture
def account_event(event):
    """Starts an event whose accounts may watch on `devices` devices at a time."""
    def start_event(devices, rule="refuse", **access):
        event.start(balancer={"access": {"max_sessions_per_account": devices, "account_rule": rule, "refresh": "1s", "restart_grace": "1s",
                                         "lease_intervals": 20, "reservation": "20s", **access},
                              "balancer": {"session_idle": "30s"}, "api": {"caches": [], "operator_token": TOKEN}})
        return event

    return start_event


def device_of(event, answer):
    """A player on the device that received this response."""
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
    """The response that grants the session. The device may have to wait until the restart grace is over."""
    ticket = {}

    def is_in():
        answer = request_access(event, token=TOKEN, account=account, device=device, client=CLIENT, **ticket)
        assert answer.status == 200, (answer, answer.body)
        if answer.json["status"] == "queued":
            ticket["ticket"] = answer.json["ticket"]
            return None
        return answer
    return wait_until(is_in, 20, f"{device} of {account} is let in")


def kill_and_start(event):
    wait_sessions_saved(event)
    event.balancer.kill()
    event.balancer.start()
    event.wait_registered("stadium")


def next_second():
    """Returns in another second: tokens contain the second in which their session began."""
    began = time.monotonic()
    wait_until(lambda: time.monotonic() > began + 1.1, 5, "another second")


def test_after_a_kill_an_accounts_devices_count_at_once(account_event):
    event = account_event(2, restart_grace="60s")
    answers = [request_access(event, token=TOKEN, account="ann@example.org", device=name, client=CLIENT) for name in ("Kitchen TV", "Phone")]
    devices = [device_of(event, answer) for answer in answers]
    assert_refused(request_access(event, token=TOKEN, account="ann@example.org", device="Tablet", client=CLIENT), "Kitchen TV", "Phone")
    for answer in answers:
        payload = base64.urlsafe_b64decode(answer.json["session"].split(".")[1] + "==")
        assert b"ann" not in payload and b"Phone" not in payload and b"Kitchen" not in payload, "a URL that others see contains no name"
    kill_and_start(event)
    assert_refused(request_access(event, token=TOKEN, account="ann@example.org", device="Tablet", client=CLIENT), "Kitchen TV", "Phone")
    for device in devices:
        wait_until(lambda d=device: d.try_refresh().status == 200, 10, "it goes on")
    assert_refused(request_access(event, token=TOKEN, account="ann@example.org", device="Laptop", client=CLIENT), "Kitchen TV", "Phone")
    for device in devices:
        plays(event, device)


def test_after_a_kill_a_device_beyond_the_limit_is_rejected_until_another_leaves(account_event):
    event = account_event(1)
    tv = request_access(event, token=TOKEN, account="ann", device="TV", client=CLIENT)
    player = device_of(event, tv)
    kill_and_start(event)
    wait_until(lambda: player.try_refresh().status == 200, 10, "the TV goes on")
    assert_refused(request_access(event, token=TOKEN, account="ann", device="Phone", client=CLIENT), "TV")
    assert device_of(event, granted_at_last(event, "bob", "TV")), "another account has its own place"
    assert_refused(request_access(event, token=TOKEN, account="ann", device="Phone", client=CLIENT), "TV")
    assert end_access(event, tv.json["session"]).json["was_open"]
    device_of(event, request_access(event, token=TOKEN, account="ann", device="Phone", client=CLIENT))


def test_each_new_device_takes_over_from_the_oldest(account_event):
    event = account_event(2, rule="take_over")
    tv, phone = (device_of(event, request_access(event, token=TOKEN, account="ann", device=name, client=CLIENT)) for name in ("TV", "Phone"))
    plays(event, tv)
    tablet = device_of(event, request_access(event, token=TOKEN, account="ann", device="Tablet", client=CLIENT))
    ended = tv.try_refresh()
    assert ended.status == 403 and ended.json["type"] == "/problems/session-ended", (ended, ended.body)
    assert "another device" in ended.json["detail"]
    plays(event, phone)
    plays(event, tablet)
    laptop = device_of(event, request_access(event, token=TOKEN, account="ann", device="Laptop", client=CLIENT))
    assert phone.try_refresh().status == 403, "the oldest of those that are left"
    for player in (tablet, laptop):
        plays(event, player)
    assert device_of(event, request_access(event, token=TOKEN, account="bob", device="TV", client=CLIENT)), "another account ends no session of this one"
    plays(event, tablet)
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 3, 5, "ann's two and bob's one")


def test_the_order_of_devices_survives_a_killed_balancer(account_event):
    event = account_event(2, rule="take_over")
    tv = device_of(event, request_access(event, token=TOKEN, account="ann", device="TV", client=CLIENT))
    next_second()
    phone = device_of(event, request_access(event, token=TOKEN, account="ann", device="Phone", client=CLIENT))
    kill_and_start(event)
    for player in (phone, tv):   # not in the order in which they began
        wait_until(lambda p=player: p.try_refresh().status == 200, 10, "it goes on")
    tablet = device_of(event, granted_at_last(event, "ann", "Tablet"))
    ended = tv.try_refresh()
    assert ended.status == 403 and ended.json["type"] == "/problems/session-ended", (ended, ended.body)
    plays(event, phone)
    plays(event, tablet)


def test_a_ticket_belongs_to_its_account_whichever_client_polls_it(account_event):
    event = account_event(1, max_sessions=1)
    stranger = request_access(event).json
    waiting = request_access(event, token=TOKEN, account="ann", device="Phone", client=CLIENT).json
    assert waiting["status"] == "queued"
    assert end_access(event, stranger["session"]).json["was_open"]

    def is_in():
        answer = request_access(event, ticket=waiting["ticket"])
        assert answer.status == 200, (answer, answer.body)
        return answer if answer.json["status"] == "granted" else None
    player = device_of(event, wait_until(is_in, 10, "its turn"))
    assert_refused(request_access(event, token=TOKEN, account="ann", device="TV", client=CLIENT), "Phone")
    plays(event, player)


def test_a_device_beyond_the_limit_is_rejected_with_the_names_of_those_that_watch(limited_event):
    event = limited_event(10, access={"max_sessions_per_account": 2})
    tv = ask_access(event.balancer, account="ann", device="Kitchen TV").json
    assert tv["status"] == "granted"
    assert ask_access(event.balancer, account="ann", device="Phone").json["status"] == "granted"
    third = ask_access(event.balancer, account="ann", device="Tablet")
    assert third.status == 403 and third.json["type"] == "/problems/account-full"
    assert "Kitchen TV" in third.json["detail"] and "Phone" in third.json["detail"]
    assert ask_access(event.balancer, account="bob", device="TV").json["status"] == "granted"
    end_access(event, tv["session"])
    assert ask_access(event.balancer, account="ann", device="Tablet").json["status"] == "granted"


def test_only_the_backend_of_the_operator_may_name_an_account(event):
    event.start_node("stadium")
    event.start_balancer(("stadium",), {"access": {"max_sessions_per_account": 1}, "api": {"caches": [], "operator_token": TOKEN}})
    event.wait_registered("stadium")

    def asks(device, token):
        return request_access(event, token=token, account="ann", device=device, client=CLIENT)
    for stranger in (None, "wrong"):
        answer = asks("TV", stranger)
        assert answer.status == 403 and answer.json["type"] == "/problems/forbidden", (answer, answer.body)
    tv = asks("Kitchen TV", TOKEN)
    assert tv.status == 200 and tv.json["status"] == "granted", (tv, tv.body)
    phone = asks("Phone", TOKEN)
    assert phone.status == 403 and phone.json["type"] == "/problems/account-full" and "Kitchen TV" in phone.json["detail"]
    assert end_access(event, tv.json["session"]).json["was_open"]
    assert asks("Phone", TOKEN).json["status"] == "granted"


def test_with_take_over_the_newest_device_ends_the_session_of_the_oldest(limited_event):
    event = limited_event(10, access={"max_sessions_per_account": 1, "account_rule": "take_over"})
    tv = ask_access(event.balancer, account="ann", device="TV").json
    watching = event.balancer.url + tv["playback_url"].replace("index.m3u8?session=", "~") + "/v1/index.m3u8"
    assert fetch(watching).status == 200
    phone = ask_access(event.balancer, account="ann", device="Phone").json
    assert phone["status"] == "granted"
    ended = fetch(watching)
    assert ended.status == 403 and ended.json["type"] == "/problems/session-ended"
    assert fetch(event.balancer.url + phone["playback_url"]).status == 200
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 1, 5)
    assert event.node_state("stadium")["viewers"] == 1, "routing forgot the device that was ended"
