"""Viewers who have forgotten their passwords: they request a one-time code, and the hook of the operator receives it."""
import json
import subprocess
from datetime import datetime, timedelta, timezone

import pytest
from harness.accounts_api import (bearer, forgot_password, is_open, log_in, new_account, new_login, post_from_many, refused, reset_password)
from harness.event import merged
from harness.fake_clock import needs_faked_clock
from harness.fast_time import FastTime
from harness.operator_cli import ctl_of
from harness.reset_hook import TOKEN, ResetHook
from harness.tribune_process import BINARY
from harness.waiting import Stopwatch, stretched, wait_until

NEW_PASSWORD = "staple and another one"
RUSSIAN = {"Accept-Language": "ru"}


@pytest.fixture
def make_hook(folder):
    made = []

    def make(name="hook"):
        made.append(ResetHook(folder, name))
        return made[-1]

    yield make
    for hook in made:
        hook.close()


@pytest.fixture
def hook(make_hook):
    return make_hook()


@pytest.fixture
def api(make_api, hook):
    return make_api(hook.settings(), hook.trust)


def ended(api, result):
    return api.metric("tribune_accounts_reset_codes_total", result=result)


def wait_ended(api, result, times=1, within=5.0):
    api.wait_metric("tribune_accounts_reset_codes_total", times, within, result=result)
    assert ended(api, result) == times


def status_of(api):
    return api.admin("/status").json["api"]["accounts"].get("reset_hook")


def accepted(answer):
    return answer.status == 202 and answer.body == b"" and answer.header("Cache-Control") == "no-store"


def without_request_fields(answer):
    return answer.status, [(name, value) for name, value in answer.fields if name not in ("Date", "X-Request-Id", "RateLimit")], answer.body


def test_a_viewer_receives_a_code_from_the_hook_and_sets_a_new_password(api, hook):
    devices = [new_account(api, "Ann@example.org"), new_login(api, "ann@example.org")]
    assert accepted(forgot_password(api, "ANN@example.org", headers=RUSSIAN))
    request = hook.wait_for(1)[0]
    assert request.path == "/codes?from=tribune" and request.headers["Content-Type"] == "application/json"
    assert request.headers["Authorization"] == bearer(TOKEN)["Authorization"] and len(request.idempotency_key) >= 16
    assert set(request.body) == {"type", "login", "code", "expires", "language"}
    assert (request.body["type"], request.body["login"], request.body["language"]) == ("password_reset", "Ann@example.org", "ru")
    left = datetime.fromisoformat(request.body["expires"].replace("Z", "+00:00")) - datetime.now(timezone.utc)
    assert timedelta(minutes=55) < left <= timedelta(hours=1)
    wait_ended(api, "delivered")
    assert status_of(api) == {"url": hook.url, "waiting": 0} and api.metric("tribune_accounts_reset_codes_waiting") == 0
    assert reset_password(api, "ann@example.org", request.code, NEW_PASSWORD).status == 204
    assert not any(is_open(api, device) for device in devices)
    assert refused(log_in(api, "ann@example.org"), 401, "credentials-wrong") and is_open(api, new_login(api, "ann@example.org", NEW_PASSWORD))
    assert api.logged("reset_code_delivered", component="api")
    log = api.log_file.read_text().lower()
    assert not any(secret in log for secret in (request.code, TOKEN, "ann@example.org", "from=tribune"))


def test_an_unknown_login_gets_the_same_response_and_the_hook_gets_nothing(api, hook):
    new_account(api, "ann")
    unknown, known = forgot_password(api, "bob"), forgot_password(api, "ann")
    assert accepted(known) and without_request_fields(unknown) == without_request_fields(known)
    wait_ended(api, "ignored")
    wait_ended(api, "delivered")
    assert [request.body["login"] for request in hook.requests] == ["ann"]


def test_only_an_active_account_gets_a_code(make_api, hook):
    api = make_api({**hook.settings(), "registration": "moderated"}, hook.trust)
    for login in ("ann", "bob"):
        ctl_of(api, "accounts", "create", login)
    ctl_of(api, "accounts", "block", "ann")
    assert log_in(api, "carol").status == 401
    assert all(accepted(forgot_password(api, login)) for login in ("ann", "bob"))
    wait_ended(api, "ignored")
    wait_ended(api, "delivered")
    assert [request.body["login"] for request in hook.requests] == ["bob"]


def test_a_code_that_the_hook_did_not_take_is_sent_again(api, hook):
    new_account(api, "ann")
    hook.answers.append(500)
    assert accepted(forgot_password(api, "ann"))
    hook.wait_for(1)
    wait_until(lambda: status_of(api) == {"url": hook.url, "waiting": 1, "error": "the hook answered with status 500"}, 5, "the error is in the status")
    first, second = hook.wait_for(2)
    assert first.body == second.body and first.idempotency_key == second.idempotency_key
    wait_ended(api, "delivered")
    assert status_of(api) == {"url": hook.url, "waiting": 0}
    assert reset_password(api, "ann", second.code, NEW_PASSWORD).status == 204


def test_a_redirect_of_the_hook_is_not_followed(api, hook, make_hook):
    other = make_hook("other")
    hook.answers.append(307)
    hook.location = other.url + "/codes"
    new_account(api, "ann")
    assert accepted(forgot_password(api, "ann"))
    wait_ended(api, "failed")
    assert len(hook.requests) == 1 and other.requests == []
    assert api.logged("reset_code_not_delivered", error="the hook answered with status 307", attempts=1)


def test_a_refused_code_is_not_sent_again(api, hook):
    new_account(api, "ann")
    hook.answers.append(401)
    assert accepted(forgot_password(api, "ann"))
    wait_ended(api, "failed")
    assert len(hook.requests) == 1 and status_of(api)["error"] == "the hook answered with status 401"


def test_a_hook_with_an_untrusted_certificate_receives_nothing(make_api, hook):
    api = make_api(hook.settings())
    new_account(api, "ann")
    assert accepted(forgot_password(api, "ann"))
    wait_until(lambda: "certificate" in status_of(api).get("error", ""), 5, "the error is in the status")
    assert hook.requests == [] and ended(api, "delivered") == 0


@needs_faked_clock
@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_code_is_sent_four_times_within_half_a_minute_and_given_up(make_api, hook, folder, is_trusted):
    api = make_api(hook.settings(), hook.trust if is_trusted else None, environment=FastTime(folder, 20).environment)
    hook.answers.extend([503] * 4)
    new_account(api, "ann")
    assert accepted(forgot_password(api, "ann"))
    wait_ended(api, "failed", within=10)
    assert len(hook.requests) == (4 if is_trusted else 0) and len({request.idempotency_key for request in hook.requests}) <= 1
    assert api.logged("reset_code_not_delivered", attempts=4) and status_of(api)["waiting"] == 0


def test_a_hook_that_never_answers_does_not_hold_a_stop(make_api, hook):
    api = make_api(hook.settings(timeout="30s"), hook.trust)
    for login in ("ann", "bob"):
        new_account(api, login)
    hook.answers.append(500)
    assert accepted(forgot_password(api, "ann"))
    wait_until(lambda: "error" in status_of(api), 5, "a code waits to be sent again")
    hook.gate()
    assert accepted(forgot_password(api, "bob"))
    hook.wait_for(2)
    watch = Stopwatch()
    assert api.terminate() == 0
    assert watch.seconds() < stretched(3), "the stop did not wait for the hook"


def test_a_hook_that_does_not_answer_in_time_is_asked_again(make_api, hook):
    api = make_api(hook.settings(timeout="200ms"), hook.trust)
    new_account(api, "ann")
    hook.gate()
    assert accepted(forgot_password(api, "ann"))
    hook.wait_for(2)
    wait_ended(api, "delivered")


def test_a_newer_request_replaces_one_that_waits_to_be_sent_again(api, hook):
    new_account(api, "ann")
    hook.answers.append(500)
    assert accepted(forgot_password(api, "ann"))
    wait_until(lambda: "error" in status_of(api), 5, "the first code waits")
    assert accepted(forgot_password(api, "ANN", headers=RUSSIAN))
    wait_ended(api, "delivered")
    wait_ended(api, "replaced")
    void, code = hook.wait_for(2)
    assert void.code != code.code and void.idempotency_key != code.idempotency_key and code.body["language"] == "ru"
    assert refused(reset_password(api, "ann", void.code, NEW_PASSWORD), 401, "credentials-wrong")
    assert reset_password(api, "ann", code.code, NEW_PASSWORD).status == 204
    assert len(hook.requests) == 2 and status_of(api)["waiting"] == 0


def test_of_requests_that_arrive_while_a_code_is_sent_the_newest_follows(api, hook):
    new_account(api, "ann")
    gate = hook.gate()
    for times in range(3):
        assert accepted(forgot_password(api, "ann", headers=RUSSIAN if times == 2 else {}))
        hook.wait_for(1)
    wait_until(lambda: ended(api, "replaced") == 1, 5, "the second request is replaced")
    gate.open()
    wait_ended(api, "delivered")
    assert ended(api, "replaced") == 2, "the code that the hook did not take is not sent again"
    assert [request.body["language"] for request in hook.requests] == ["en", "ru"]
    assert reset_password(api, "ann", hook.requests[1].code, NEW_PASSWORD).status == 204


def test_a_login_has_a_limit_of_requests_whether_it_exists_or_not(make_api, hook):
    api = make_api(hook.settings(), merged(hook.trust, {"api": {"limits": {"max_reset_requests_per_login": 2}}}))
    new_account(api, "ann")
    over = []
    for login in ("ann", "bob"):
        assert all(accepted(forgot_password(api, name)) for name in (login, login.upper()))
        over.append(forgot_password(api, login))
        assert refused(over[-1], 429, "too-many-requests") and 1 <= int(over[-1].header("Retry-After")) <= 1800
        assert over[-1].header("RateLimit-Policy") == '"reset-login";q=2;w=3600' and over[-1].header("RateLimit").startswith('"reset-login";r=0;')
    assert over[0].body == over[1].body
    wait_until(lambda: status_of(api)["waiting"] == 0, 5, "all requests have ended")
    assert reset_password(api, "ann", hook.requests[-1].code, NEW_PASSWORD).status == 204, "a refused request leaves the newest code valid"


def test_an_address_has_a_limit_of_requests_and_what_it_refuses_is_not_counted_for_the_login(make_api, hook):
    api = make_api(hook.settings(), merged(hook.trust, {"front": {"trusted_proxies": ["127.0.0.0/8"]},
                                                        "api": {"limits": {"max_reset_requests_per_address": 1, "max_reset_requests_per_login": 1}}}))
    near, far = {"X-Forwarded-For": "198.51.100.7"}, {"X-Forwarded-For": "198.51.100.8"}
    assert accepted(forgot_password(api, "ann", headers=near))
    over = forgot_password(api, "bob", headers=near)
    assert refused(over, 429, "too-many-requests") and over.header("RateLimit-Policy") == '"reset-address";q=1;w=3600'
    assert log_in(api, "ann", headers=near).status == 401, "other requests of the address have a limit of their own"
    assert accepted(forgot_password(api, "bob", headers=far))


def test_when_too_many_requests_wait_every_login_gets_the_same_refusal(make_api, hook):
    api = make_api(hook.settings(timeout="30s"), hook.trust)
    known = ["ann", "bob", "carol", "dave"]
    for login in known:
        new_account(api, login)
        hook.gate()
    assert all(accepted(forgot_password(api, login)) for login in known)
    hook.wait_for(4)
    statuses = post_from_many(api, "/auth/password/forgot", [{"login": f"viewer{number}"} for number in range(996)], ["127.0.0.1"])
    assert set(statuses) == {202} and status_of(api)["waiting"] == 1000 and len(hook.requests) == 4
    answers = [forgot_password(api, login) for login in ("ann", "viewer1", "nobody")]
    for answer in answers:
        assert refused(answer, 503, "overloaded") and int(answer.header("Retry-After")) > 0 and answer.body == answers[0].body
    for gate in hook.gates:
        gate.open()
    wait_until(lambda: ended(api, "ignored") == 996, 10, "the others are looked up")
    assert accepted(forgot_password(api, "nobody"))


def test_without_a_hook_only_operators_issue_codes(make_api):
    api = make_api()
    new_account(api, "ann")
    for login in ("ann", "nobody"):
        answer = forgot_password(api, login)
        assert refused(answer, 403, "password-reset-closed") and answer.json["detail"] == "only an operator issues codes for forgotten passwords"
        answer = forgot_password(api, login, headers=RUSSIAN)
        assert refused(answer, 403, "password-reset-closed") and answer.json["detail"] == "коды для забытых паролей выдаёт только оператор"
    assert status_of(api) is None


def test_a_text_that_cannot_be_a_login_is_refused(api, hook):
    for login in ("an", "ann smith", "аnn"):
        assert refused(forgot_password(api, login, breaks_api=True), 400, "login-invalid"), login
    assert status_of(api) == {"url": hook.url, "waiting": 0}


def test_a_reload_changes_the_token_and_one_with_an_unreadable_file_changes_nothing(api, hook):
    new_account(api, "ann")
    hook.token_file.write_text("another-token-of-the-hook")
    api.reload()
    assert accepted(forgot_password(api, "ann"))
    wait_ended(api, "delivered")
    for broken in ("short", "a token with spaces in it", "x" * 5000):
        hook.token_file.write_text(broken)
        assert "api.accounts.reset_hook.token_file" in api.reload(expect="reload_refused")["problem"]
    hook.token_file.unlink()
    assert str(hook.token_file) in api.reload(expect="reload_refused")["problem"]
    assert accepted(forgot_password(api, "ann"))
    wait_ended(api, "delivered", 2)
    assert [request.headers["Authorization"] for request in hook.requests] == ["Bearer another-token-of-the-hook"] * 2
    closed = merged(api.config, {})
    closed["api"]["accounts"]["reset_hook"] = {}
    api.reload(closed)
    assert refused(forgot_password(api, "ann"), 403, "password-reset-closed")


def check(api, reset_hook):
    """`tribune check` on the configuration of a process with another hook: its exit status and its output."""
    config = merged(api.config, {})
    config["api"]["accounts"] = {**config["api"]["accounts"], "reset_hook": reset_hook}
    file = api.folder / "checked.json"
    file.write_text(json.dumps(config))
    done = subprocess.run([BINARY, "check", str(file)], capture_output=True, text=True, timeout=stretched(10))
    return done.returncode, done.stdout + done.stderr


def test_the_check_names_what_is_wrong_with_a_hook_and_who_receives_codes(api, hook):
    good = hook.settings()["reset_hook"]
    code, text = check(api, good)
    assert code == 0 and f"one-time codes for forgotten passwords: operators, and {hook.url}" in text
    for url in ("http://mail.example/codes", "https://user:password@mail.example/", "https://mail.example/#codes", "mail.example"):
        code, text = check(api, {**good, "url": url})
        assert code != 0 and "api.accounts.reset_hook.url" in text and "http only to localhost and to loopback addresses" in text, url
    assert check(api, {**good, "url": "http://localhost:1/codes"})[0] == 0
    code, text = check(api, {"url": good["url"]})
    assert code != 0 and "url needs token_file" in text
    code, text = check(api, {**good, "token_file": str(hook.folder / "missing")})
    assert code != 0 and "api.accounts.reset_hook.token_file: cannot read" in text
