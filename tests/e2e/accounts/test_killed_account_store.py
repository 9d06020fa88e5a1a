"""kill -9 while accounts are changed: what was answered is there, and nothing is half done."""
import pytest
from harness.accounts_api import PASSWORD, change_password, is_open, log_in, new_account, new_login, refresh, refresh_twice, refused, register
from harness.kills import answered, until_killed
from harness.waiting import in_gate

ROUNDS = in_gate(10, 100)
WORKERS = 4
# No limit on devices or attempts plays a part.
MANY = {"max_failed_logins": 1_000, "max_failed_logins_per_address": 10_000, "max_devices": 100, "failed_login_window": "1min"}


@pytest.fixture
def killed_api(make_api):
    return make_api(MANY)


def test_every_registration_that_was_answered_can_log_in_after_a_kill(killed_api):
    registered = []
    for number in range(ROUNDS):
        tried, known = [], []

        def one(worker, step, number=number, tried=tried, known=known):
            login = f"user.{number}.{worker}.{step}"
            tried.append(login)
            assert answered(register(killed_api, login)).status == 201
            known.append(login)

        until_killed(killed_api, WORKERS, one, 5 + number % 17)
        for login in known:
            new_login(killed_api, login)
        # What was not answered is there as a whole, or not at all.
        for login in set(tried) - set(known):
            again = register(killed_api, login)
            assert again.status == 201 or refused(again, 409, "login-taken"), again
            new_login(killed_api, login)
        registered += tried
    for login in registered[::max(1, len(registered) // 100)]:
        new_login(killed_api, login)


def test_every_device_continues_with_its_newest_refresh_token_after_a_kill_and_is_never_forked(killed_api):
    newest = [new_account(killed_api, f"user{worker}") for worker in range(WORKERS)]
    devices = [tokens["device"]["id"] for tokens in newest]
    successors = {}

    def answered_with(token, answer):
        assert answer.status == 200, (answer, answer.body)
        successor = answer.json["refresh_token"]
        assert successors.setdefault(token, successor) == successor, "one token has two successors"
        return answer.json

    def one(worker, _):
        token = newest[worker]["refresh_token"]
        for answer in refresh_twice(killed_api, token):
            newest[worker] = answered_with(token, answered(answer))

    for number in range(ROUNDS):
        until_killed(killed_api, WORKERS, one, 5 + number % 17)
        for worker in range(WORKERS):
            one(worker, 0)
            assert is_open(killed_api, newest[worker])
    assert [tokens["device"]["id"] for tokens in newest] == devices
    assert len(set(successors.values())) == len(successors)
    assert killed_api.metric("tribune_accounts_refresh_tokens_reused_total") == 0


def test_each_account_has_its_old_or_its_new_password_after_a_kill(killed_api):
    devices = [new_account(killed_api, f"user{worker}") for worker in range(WORKERS)]
    passwords = [PASSWORD] * WORKERS
    tried = [None] * WORKERS
    counts = [0] * WORKERS

    def one(worker, _):
        counts[worker] += 1
        tried[worker] = f"password number {counts[worker]}"
        answer = answered(change_password(killed_api, devices[worker]["access_token"], passwords[worker], tried[worker]))
        assert answer.status == 204, (answer, answer.body)
        passwords[worker] = tried[worker]

    for number in range(ROUNDS):
        until_killed(killed_api, WORKERS, one, 5 + number % 17)
        for worker in range(WORKERS):
            login = f"user{worker}"
            works = [password for password in dict.fromkeys((passwords[worker], tried[worker])) if log_in(killed_api, login, password).status == 200]
            assert len(works) == 1, "the old password, or the new one"
            passwords[worker] = works[0]
            assert is_open(killed_api, devices[worker]), "the device that changes it stays logged in"


def test_a_device_that_was_refreshed_before_a_kill_keeps_its_grace(killed_api):
    first = new_account(killed_api, "ann")
    second = refresh(killed_api, first["refresh_token"]).json
    killed_api.kill()
    killed_api.start()
    assert refresh(killed_api, first["refresh_token"]).json["refresh_token"] == second["refresh_token"]
    assert refresh(killed_api, second["refresh_token"]).status == 200
