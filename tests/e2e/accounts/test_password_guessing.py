"""Attackers who guess passwords: they are stopped, and no owner is locked out."""
import pytest
from harness.accounts_api import PASSWORD, change_password, is_open, log_in, new_account, new_login, post_from_many, refused

# Failures count for a day, so that none is forgiven while a test runs.
DAY = {"failed_login_window": "24h"}
BEHIND_A_PROXY = {"front": {"trusted_proxies": ["127.0.0.0/8"]}}


def at(address):
    return {"X-Forwarded-For": address}


@pytest.mark.release_only("measures memory")
def test_ten_thousand_wrong_passwords_from_a_thousand_addresses_do_not_lock_the_owner_out(make_api):
    api = make_api(DAY, BEHIND_A_PROXY)
    owner = new_account(api, "ann", device="Phone")
    addresses = [f"203.0.{number // 250}.{number % 250 + 1}" for number in range(1_000)]
    memory = api.memory_bytes()
    statuses = post_from_many(api, "/auth/login", ({"login": "Ann", "password": f"guess number {number}"} for number in range(10_000)), addresses)
    assert len(statuses) == 10_000 and set(statuses) == {401, 429}
    assert statuses.count(401) == 10, "as many as max_failed_logins reached the password"
    grown = api.memory_bytes() - memory
    assert grown < 48 << 20, grown

    for address in ("198.51.100.7", addresses[0]):
        stranger = log_in(api, "ann", headers=at(address))
        assert refused(stranger, 429, "too-many-requests") and int(stranger.header("Retry-After")) >= 1, "also with the right password"
    # The owner's device is known, wherever it is.
    for address in ("198.51.100.7", addresses[1]):
        owner = new_login(api, "ann", device_token=owner["device_token"], headers=at(address))
    assert change_password(api, owner["access_token"], PASSWORD, "staple and another one", headers=at(addresses[2])).status == 204
    assert is_open(api, new_account(api, "bob")), "other accounts are not affected"


def test_a_known_device_has_attempts_of_its_own_which_end_too(make_api):
    api = make_api({**DAY, "max_failed_logins": 3})
    phone = new_account(api, "ann")
    tv = new_login(api, "ann")
    wrong = [log_in(api, "ann", "a wrong password", device_token=phone["device_token"]) for _ in range(4)]
    assert [answer.status for answer in wrong] == [401, 401, 401, 429]
    assert refused(log_in(api, "ann", device_token=phone["device_token"]), 429, "too-many-requests")
    assert log_in(api, "ann").status == 200, "unknown devices share other attempts"
    assert log_in(api, "ann", device_token=tv["device_token"]).status == 200
    assert [log_in(api, "ann", "a wrong password").status for _ in range(4)] == [401, 401, 401, 429]


def test_guesses_of_a_stolen_session_count_for_its_device(make_api):
    api = make_api({**DAY, "max_failed_logins": 3})
    stolen, other = new_account(api, "ann"), new_login(api, "ann")
    guesses = [change_password(api, stolen["access_token"], f"guess {number}", "staple and another one") for number in range(4)]
    assert [answer.status for answer in guesses] == [401, 401, 401, 429]
    assert refused(change_password(api, stolen["access_token"], PASSWORD, "staple and another one"), 429, "too-many-requests")
    assert change_password(api, other["access_token"], PASSWORD, "staple and another one").status == 204


def test_an_address_that_tries_many_logins_is_stopped_and_unknown_logins_count_too(make_api):
    api = make_api({**DAY, "max_failed_logins_per_address": 5}, BEHIND_A_PROXY)
    new_account(api, "ann", headers=at("198.51.100.1"))
    tried = [log_in(api, f"user{number}", headers=at("203.0.113.5")) for number in range(6)]
    assert [answer.status for answer in tried] == [401] * 5 + [429]
    assert refused(log_in(api, "ann", headers=at("203.0.113.5")), 429, "too-many-requests")
    assert log_in(api, "ann", headers=at("203.0.113.6")).status == 200


def test_an_own_account_does_not_give_new_attempts(make_api):
    api = make_api({**DAY, "max_failed_logins": 3, "max_failed_logins_per_address": 4})
    new_account(api, "mallory")
    bob = new_account(api, "bob")
    statuses = []
    for _ in range(5):
        statuses.append(log_in(api, "bob", "a wrong password").status)
        log_in(api, "mallory")
    assert statuses == [401, 401, 401, 429, 429]
    assert log_in(api, "bob", device_token=bob["device_token"]).status == 200
