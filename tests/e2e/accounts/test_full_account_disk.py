"""The disk with the accounts is full: changes are refused with 503 and leave nothing behind, what is there is served, and all works again by itself."""
import pytest
from harness.accounts_api import (PASSWORD, change_password, devices, is_open, log_in, log_out, new_account, new_login, refresh, refused, register, session)
from harness.small_disk import small_disk_at
from harness.waiting import wait_until


@pytest.fixture
def small_disk(folder):
    with small_disk_at(folder / "accounts_api") as disk:
        yield disk


def until_full(program, disk):
    """Fills the disk and registers until that fails. Returns the logins that were registered, and the one that was not."""
    disk.fill()
    registered = []

    def is_full():
        login = f"filler{len(registered)}"
        answer = register(program, login)
        if answer.status == 201:
            registered.append(login)
            disk.fill()
            return None
        assert refused(answer, 503, "overloaded") and int(answer.header("Retry-After")) >= 1, answer
        return login

    return registered, wait_until(is_full, 30, "a registration fails")


def test_changes_on_a_full_disk_are_refused_as_a_whole_and_work_again_when_it_has_room(make_api, small_disk):
    api = make_api(wrapper=small_disk.inside)
    this, other = new_account(api, "ann"), new_login(api, "ann")
    registered, failed = until_full(api, small_disk)

    ready = api.admin("/readyz")
    assert ready.status == 503 and str(small_disk.folder) in ready.json["detail"] and "No space left" in ready.json["detail"], ready.body
    for answer in (register(api, failed), log_in(api, "ann"), refresh(api, this["refresh_token"]), log_out(api, other["access_token"]),
                   change_password(api, this["access_token"], PASSWORD, "staple and another one")):
        assert refused(answer, 503, "overloaded") and int(answer.header("Retry-After")) >= 1, (answer, answer.body)
    russian = log_in(api, "ann", headers={"Accept-Language": "ru"})
    assert russian.status == 503 and russian.header("Content-Language") == "ru"
    # What needs no change is served, and what failed changed nothing.
    assert is_open(api, this) and is_open(api, other) and session(api, this["access_token"]).status == 200
    assert len(devices(api, this["access_token"]).json["devices"]) == 2
    assert refused(log_in(api, "ann", "a wrong password"), 401, "credentials-wrong")
    assert refused(register(api, "ANN"), 409, "login-taken")

    small_disk.clear()
    wait_until(lambda: register(api, failed).status == 201, 10, "a registration succeeds")
    wait_until(api.is_ready, 5, "the process is ready")
    for login in (*registered[-5:], failed, "ann"):
        new_login(api, login)
    assert refresh(api, this["refresh_token"]).status == 200
    assert log_out(api, other["access_token"]).status == 204 and not is_open(api, other)
    api.kill()
    api.start()
    assert is_open(api, this) and not is_open(api, other)
    for login in (*registered[-5:], failed, "ann"):
        new_login(api, login)


def test_a_kill_on_a_full_disk_loses_nothing_that_was_answered(make_api, small_disk):
    api = make_api(wrapper=small_disk.inside)
    this = new_account(api, "ann")
    registered, failed = until_full(api, small_disk)
    api.kill()
    small_disk.clear()
    api.start()
    for login in registered[-20:]:
        new_login(api, login)
    assert is_open(api, this) and refresh(api, this["refresh_token"]).status == 200
    assert refused(log_in(api, failed), 401, "credentials-wrong")
    new_account(api, failed)
