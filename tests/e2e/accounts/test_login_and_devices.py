"""What owners do with their accounts: registration, login, devices, logout, change of the password, export and deletion."""
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.accounts_api import (PASSWORD, account, change_password, delete_account, devices, end_device, export, is_open, log_in, log_out, new_account,
                                  new_login, refresh, refused, register, session,
                                  wait_next_millisecond)
from harness.event import merged


@pytest.mark.every_build
def test_an_account_registers_logs_in_refreshes_and_logs_out(api):
    registered = register(api, "Ann@example.org")
    assert registered.status == 201 and registered.json["login"] == "Ann@example.org" and registered.json["state"] == "active"
    first = new_login(api, "ann@EXAMPLE.org", device="Pixel 9")
    assert first["account"] == registered.json and first["device"]["name"] == "Pixel 9" and first["expires_in"] == 600
    said = session(api, first["access_token"]).json
    assert said["account"]["id"] == registered.json["id"] and said["device"]["id"] == first["device"]["id"]
    assert said["expires_at"] == first["expires_at"]

    second = refresh(api, first["refresh_token"]).json
    assert second["device"]["id"] == first["device"]["id"] and second["refresh_token"] != first["refresh_token"]
    assert second["device_token"] == first["device_token"]
    assert is_open(api, first) and is_open(api, second)
    assert account(api, second["access_token"]).json == registered.json

    assert log_out(api, second["access_token"]).status == 204
    assert not is_open(api, first) and not is_open(api, second)
    assert refused(refresh(api, second["refresh_token"]), 401, "logged-out")
    assert refused(log_out(api, second["access_token"]), 401, "logged-out")


def test_logins_that_differ_in_the_case_of_letters_are_the_same_account(api):
    ann = register(api, "Ann.Smith").json
    for login in ("ann.smith", "ANN.SMITH", "aNN.sMITH"):
        assert refused(register(api, login, "another password"), 409, "login-taken")
        assert new_login(api, login)["account"] == ann
    assert refused(log_in(api, "ann.smith", "another password"), 401, "credentials-wrong"), "the refused registrations changed nothing"
    assert register(api, "ann.smiths").status == 201


def test_of_many_registrations_of_one_login_at_once_one_succeeds(api):
    logins = ["ann", "Ann", "ANN", "aNN"] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda numbered: register(api, numbered[1], f"password number {numbered[0]}"), enumerate(logins)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 15
    winner = [answer.status for answer in answers].index(201)
    assert new_login(api, "ann", f"password number {winner}")["account"] == answers[winner].json
    assert api.metric("tribune_accounts_registrations_total") == 1


def test_passwords_may_be_any_text(api):
    for number, password in enumerate(("пароль из слов", "  spaces  ", "null\u0000byte", "😀" * 16, "x" * 1024)):
        new_account(api, f"user{number}", password)
        assert refused(log_in(api, f"user{number}", password[:-1]), 401, "credentials-wrong")


def test_each_device_is_listed_and_can_be_logged_out_from_another_one(api):
    phone = new_account(api, "ann", device="Phone")
    wait_next_millisecond()
    tv = new_login(api, "ann", device="TV\nin the\x7fkitchen")
    wait_next_millisecond()
    unnamed = new_login(api, "ann")
    listed = devices(api, phone["access_token"]).json["devices"]
    assert [(device["name"], device["is_current"]) for device in listed] == [("Phone", True), ("TV in the kitchen", False), ("device", False)]
    assert [device["is_current"] for device in devices(api, tv["access_token"]).json["devices"]] == [False, True, False]

    assert end_device(api, phone["access_token"], tv["device"]["id"]).status == 204
    assert not is_open(api, tv) and is_open(api, phone) and is_open(api, unnamed)
    assert refused(refresh(api, tv["refresh_token"]), 401, "logged-out")
    assert refused(end_device(api, phone["access_token"], tv["device"]["id"]), 404, "not-found")
    assert [device["id"] for device in devices(api, phone["access_token"]).json["devices"]] == [phone["device"]["id"], unnamed["device"]["id"]]

    stranger = new_account(api, "bob")
    assert refused(end_device(api, stranger["access_token"], phone["device"]["id"]), 404, "not-found"), "devices of others do not exist"
    for wrong in ("0" * 16, "x", phone["device"]["id"] + "0", phone["device"]["id"].replace("0", "G")[:15] + "G"):
        assert refused(end_device(api, phone["access_token"], wrong, breaks_api=wrong != "0" * 16), 404, "not-found"), wrong
    assert is_open(api, phone)
    assert end_device(api, phone["access_token"], phone["device"]["id"]).status == 204, "a device may log itself out"
    assert not is_open(api, phone)


def test_devices_are_read_in_pages(api):
    register(api, "pages")
    names = ["one", "two", "three", "four", "five"]
    token = [log_in(api, "pages", device=name).json["access_token"] for name in names][-1]
    whole = devices(api, token).json
    assert sorted(device["name"] for device in whole["devices"]) == sorted(names) and "next" not in whole
    listed, cursor = [], ""
    while cursor is not None:
        page = devices(api, token, f"?limit=2{cursor}").json
        listed += page["devices"]
        cursor = f"&cursor={page['next']}" if "next" in page else None
    assert listed == whole["devices"]
    for query in ("?limit=0", "?limit=101", "?limit=two", "?cursor=", "?page=2"):
        assert refused(devices(api, token, query, breaks_api=True), 400, "bad-request"), query
    for query in ("?cursor=x", "?limit=1&limit=2"):
        assert refused(devices(api, token, query), 400, "bad-request"), query


def test_a_logout_everywhere_ends_all_devices_of_the_account_only(api):
    own = [new_account(api, "ann"), new_login(api, "ann"), new_login(api, "ann")]
    other = new_account(api, "bob")
    assert log_out(api, own[1]["access_token"], everywhere=False).status == 204
    assert [is_open(api, device) for device in own] == [True, False, True]
    assert log_out(api, own[0]["access_token"], everywhere=True).status == 204
    assert not any(is_open(api, device) for device in own)
    assert all(refused(refresh(api, device["refresh_token"]), 401, "logged-out") for device in own)
    assert is_open(api, other)
    assert is_open(api, new_login(api, "ann"))


def test_a_change_of_the_password_ends_all_other_devices_and_keeps_this_one(api):
    this, other = new_account(api, "ann"), new_login(api, "ann")
    token = this["access_token"]
    assert refused(change_password(api, token, "a wrong password", "staple and another one"), 401, "credentials-wrong")
    assert refused(change_password(api, token, PASSWORD, "short"), 400, "password-invalid")
    assert is_open(api, this) and is_open(api, other) and log_in(api, "ann").status == 200

    assert change_password(api, token, PASSWORD, "staple and another one").status == 204
    assert is_open(api, this) and not is_open(api, other)
    assert refresh(api, this["refresh_token"]).status == 200
    assert refused(refresh(api, other["refresh_token"]), 401, "logged-out")
    assert refused(log_in(api, "ann"), 401, "credentials-wrong")
    assert log_in(api, "ann", "staple and another one").status == 200


def test_a_login_with_the_device_token_replaces_the_login_of_that_device(api):
    first = new_account(api, "ann", device="Phone")
    other = new_login(api, "ann", device="TV")
    wait_next_millisecond()
    second = new_login(api, "ann", device="Phone", device_token=first["device_token"])
    assert not is_open(api, first) and is_open(api, second) and is_open(api, other)
    assert [device["name"] for device in devices(api, other["access_token"]).json["devices"]] == ["TV", "Phone"]
    # The token of another account, a damaged one and another kind of token are ignored.
    bob = new_account(api, "bob")
    for wrong in (bob["device_token"], "tdt_a1.AAAA", "x", ""):
        assert log_in(api, "ann", device_token=wrong).status == 200
    assert is_open(api, bob) and is_open(api, other)


def test_one_device_more_than_allowed_ends_the_one_that_was_not_used_for_the_longest_time(make_api):
    api = make_api({"max_devices": 2})
    oldest, older = new_account(api, "ann"), new_login(api, "ann")
    wait_next_millisecond()
    oldest = refresh(api, oldest["refresh_token"]).json
    newest = new_login(api, "ann")
    assert [is_open(api, device) for device in (oldest, older, newest)] == [True, False, True]
    assert refused(refresh(api, older["refresh_token"]), 401, "logged-out")
    assert len(devices(api, newest["access_token"]).json["devices"]) == 2


def test_the_export_has_all_but_the_password(api):
    this = new_account(api, "Ann", device="Phone")
    wait_next_millisecond()
    new_login(api, "ann", device="TV")
    exported = export(api, this["access_token"])
    assert exported.json["account"] == this["account"]
    assert [device["name"] for device in exported.json["devices"]] == ["Phone", "TV"]
    assert "argon" not in exported.text and PASSWORD not in exported.text


def test_a_deleted_account_leaves_nothing_and_its_login_is_free(api):
    this, other = new_account(api, "ann"), new_login(api, "ann")
    bystander = new_account(api, "bob")
    assert refused(delete_account(api, this["access_token"], "a wrong password"), 401, "credentials-wrong")
    assert is_open(api, this) and is_open(api, other)
    assert delete_account(api, this["access_token"]).status == 204
    assert not is_open(api, this) and not is_open(api, other) and is_open(api, bystander)
    assert refused(refresh(api, other["refresh_token"]), 401, "logged-out")
    assert refused(log_in(api, "ann"), 401, "credentials-wrong")
    again = new_account(api, "ann", "a different password")
    assert again["account"]["id"] != this["account"]["id"] and not is_open(api, this)
    assert [device["id"] for device in devices(api, again["access_token"]).json["devices"]] == [again["device"]["id"]]


def test_the_registration_mode_decides_who_gets_an_account(make_api):
    api = make_api({"registration": "moderated"})
    waiting = register(api, "ann")
    assert waiting.status == 202 and waiting.json["state"] == "awaiting_approval"
    assert refused(log_in(api, "ann"), 403, "account-pending")
    assert refused(log_in(api, "ann", "a wrong password"), 401, "credentials-wrong"), "only the owner learns the state"
    assert refused(register(api, "ANN"), 409, "login-taken")

    api.reload(merged(api.config, {"api": {"accounts": {"registration": "closed"}}}))
    assert refused(register(api, "bob"), 403, "registration-closed")
    assert refused(register(api, "ann"), 403, "registration-closed"), "whether a login exists is not told"
    assert refused(log_in(api, "bob"), 401, "credentials-wrong")

    api.reload(merged(api.config, {"api": {"accounts": {"registration": "open"}}}))
    new_account(api, "bob")
    assert refused(log_in(api, "ann"), 403, "account-pending"), "what was registered before still waits"


def test_an_event_without_accounts_has_none_of_their_paths(event):
    event.start_balancer((), {"api": {}})
    assert refused(register(event.balancer, "ann"), 404, "not-found")
    assert refused(log_in(event.balancer, "ann"), 404, "not-found")
    assert refused(session(event.balancer, "tat_a1.AAAA"), 404, "not-found")
