"""What operators do with accounts, as viewers see it: approval, refusal, blocking, and one-time codes for forgotten passwords."""
import re
from concurrent.futures import ThreadPoolExecutor

from harness.accounts_api import PASSWORD, change_password, is_open, log_in, new_account, new_login, refresh, refused, register, reset_password
from harness.operator_cli import ctl_of, run_ctl_of

NEW_PASSWORD = "staple and another one"


def issue_code(program, login):
    return re.search(r"one-time code (\S+), valid", ctl_of(program, "accounts", "reset-password", login)).group(1)


def wrong_code(code):
    """A code that differs from this one in its last character."""
    return code[:-1] + ("a" if code[-1] != "a" else "b")


def test_a_moderated_registration_is_accepted_or_declined_by_an_operator(make_api):
    api = make_api({"registration": "moderated"})
    for login in ("ann", "bob"):
        assert register(api, login).status == 202 and refused(log_in(api, login), 403, "account-pending")
    ctl_of(api, "accounts", "accept", "Ann")
    ctl_of(api, "accounts", "decline", "bob", "--reason", "not a member")
    assert is_open(api, new_login(api, "ann"))
    declined = log_in(api, "bob")
    assert refused(declined, 403, "account-declined") and "not a member" in declined.json["detail"]
    assert refused(log_in(api, "bob", "a wrong password"), 401, "credentials-wrong"), "only the owner learns the reason"
    assert refused(register(api, "bob"), 409, "login-taken")
    assert run_ctl_of(api, "accounts", "decline", "ann").returncode != 0, "ann is active"
    api.kill()
    api.start()
    assert refused(log_in(api, "bob"), 403, "account-declined")
    ctl_of(api, "accounts", "accept", "bob")
    assert is_open(api, new_login(api, "bob"))


def test_a_blocked_account_ends_on_all_devices_at_once_and_stays_blocked_after_a_kill(api):
    devices = [new_account(api, "ann"), new_login(api, "ann")]
    bystander = new_account(api, "bob")
    ctl_of(api, "accounts", "block", "ANN", "--reason", "shared with others")
    assert not any(is_open(api, device) for device in devices) and is_open(api, bystander)
    for _ in range(2):
        blocked = log_in(api, "ann", device_token=devices[0]["device_token"])
        assert refused(blocked, 403, "account-blocked") and "shared with others" in blocked.json["detail"]
        assert refused(log_in(api, "ann", "a wrong password"), 401, "credentials-wrong")
        assert all(refused(refresh(api, device["refresh_token"]), 401, "logged-out") for device in devices)
        api.kill()
        api.start()
        assert not any(is_open(api, device) for device in devices)
    ctl_of(api, "accounts", "unblock", "ann")
    assert is_open(api, new_login(api, "ann")) and not is_open(api, devices[0])


def test_a_one_time_code_sets_a_new_password_once_and_ends_all_devices(api):
    devices = [new_account(api, "ann"), new_login(api, "ann")]
    code = issue_code(api, "ann")
    assert refused(reset_password(api, "ann", code, "short"), 400, "password-invalid")
    assert refused(reset_password(api, "ann", wrong_code(code), NEW_PASSWORD), 401, "credentials-wrong")
    assert refused(reset_password(api, "bob", code, NEW_PASSWORD), 401, "credentials-wrong")
    assert all(is_open(api, device) for device in devices)
    typed = code.upper().replace("-", " ")
    assert reset_password(api, "Ann", typed, NEW_PASSWORD).status == 204
    assert not any(is_open(api, device) for device in devices)
    assert refused(log_in(api, "ann"), 401, "credentials-wrong") and is_open(api, new_login(api, "ann", NEW_PASSWORD))
    assert refused(reset_password(api, "ann", code, PASSWORD), 401, "credentials-wrong"), "a code works once"
    assert is_open(api, new_login(api, "ann", NEW_PASSWORD))


def test_of_many_uses_of_one_code_at_once_one_succeeds(api):
    new_account(api, "ann")
    code = issue_code(api, "ann")
    passwords = [f"password number {number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda password: reset_password(api, "ann", code, password).status, passwords))
    assert sorted(statuses) == [204] + [401] * 7
    assert log_in(api, "ann", passwords[statuses.index(204)]).status == 200


def test_nobody_can_use_up_a_code_and_a_newer_code_replaces_it(api):
    this = new_account(api, "ann")
    replaced, code = issue_code(api, "ann"), issue_code(api, "ann")
    guesses = [replaced, *[wrong_code(code)] * 20]
    assert all(refused(reset_password(api, "ann", guess, NEW_PASSWORD), 401, "credentials-wrong") for guess in guesses)
    assert is_open(api, this) and log_in(api, "ann").status == 200, "a guesser changes nothing for the owner"
    api.kill()
    api.start()
    assert reset_password(api, "ann", code, NEW_PASSWORD).status == 204, "a code outlives wrong ones and a kill"
    assert log_in(api, "ann", NEW_PASSWORD).status == 200


def test_a_change_of_the_password_ends_the_code(api):
    this = new_account(api, "ann")
    code = issue_code(api, "ann")
    assert change_password(api, this["access_token"], PASSWORD, NEW_PASSWORD).status == 204
    assert refused(reset_password(api, "ann", code, "a third password"), 401, "credentials-wrong")
    assert is_open(api, this) and log_in(api, "ann", NEW_PASSWORD).status == 200


def test_a_new_password_does_not_unblock_an_account(api):
    new_account(api, "ann")
    code = issue_code(api, "ann")
    ctl_of(api, "accounts", "block", "ann")
    is_reset = reset_password(api, "ann", code, NEW_PASSWORD).status == 204
    assert refused(log_in(api, "ann", NEW_PASSWORD if is_reset else PASSWORD), 403, "account-blocked")
    assert refused(log_in(api, "ann", PASSWORD if is_reset else NEW_PASSWORD), 401, "credentials-wrong")


def test_operators_create_accounts_while_registration_is_closed(make_api):
    api = make_api({"registration": "closed"})
    created = ctl_of(api, "accounts", "create", "ann")
    password = re.search(r"password (\S+)", created).group(1)
    assert is_open(api, new_login(api, "ANN", password))
    assert run_ctl_of(api, "accounts", "create", "Ann").returncode != 0
    assert "ann" in ctl_of(api, "accounts", "list") and "active" in ctl_of(api, "accounts", "show", "ann")
    assert refused(register(api, "bob"), 403, "registration-closed")


def test_the_operators_list_refuses_a_wrong_limit_and_keeps_to_a_right_one(api):
    logins = ["ann", "bob", "eve"]
    for login in logins:
        new_account(api, login)
    for limit in ("0", "1001", "-1", "", "2x", "x", "%32", "99999999999999999999"):
        answer = api.admin(f"/accounts?limit={limit}")
        assert refused(answer, 400, "bad-request") and "from 1 to 1000" in answer.json["detail"], (limit, answer.body)
    assert all(len(api.admin("/accounts" + query).json["accounts"]) == 3 for query in ("", "?limit=1000", "?limit=3"))
    page = api.admin("/accounts?limit=2").json
    rest = api.admin(f"/accounts?limit=2&from={page['next']}").json
    assert len(page["accounts"]) == 2 and "next" not in rest
    assert sorted(account["login"] for account in page["accounts"] + rest["accounts"]) == logins
