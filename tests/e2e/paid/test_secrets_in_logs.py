"""What must stay secret is in no log line, metric, status document and error: tokens, tickets, signatures, passwords."""
import json
import re

from harness.accounts_api import PASSWORD, ask, log_in, log_out, post_unchecked, refresh
from harness.event import KEYS
from harness.raw_client import Connection, fetch
from harness.shop import make_vouchers, redeem
from harness.signed_requests import ACCESS_PATH, signature
from harness.waiting import wait_until

OPERATOR = "operator-token-of-the-test"
WRONG = "a guess that is wrong"
PLACES = ("/status", "/metrics", "/queues", "/limits")


def secrets_in(text):
    """Tokens, tickets and the signatures of links, by their form."""
    return set(re.findall(r"[?&](?:tl|session|ticket|token)=([^&\"\s\\]{20,})", text)) | set(re.findall(r"\"(?:session|ticket|access_token|refresh_token|receipt)\":\s*\"([^\"]{20,})\"", text))


def places_of(process):
    """{place: text} of everything that the process says to its operator."""
    return {**{place: process.admin(place).text for place in PLACES}, "log": process.log_file.read_text(errors="replace")}


def assert_none_in(secrets, texts, who):
    for place, text in texts.items():
        found = [secret for secret in secrets if payload(secret) in text]
        assert not found, (who, place, found, [line for line in text.splitlines() if payload(found[0]) in line][:2])


def use_account(program, tokens):
    """What an app does with an account beside watching; the secrets that it has seen, and the problems."""
    fresh = refresh(program, tokens["refresh_token"]).json
    _, [code] = make_vouchers(program, 300)
    forged = fresh["access_token"][:-2] + "AA"
    answers = [log_in(program, "anna", WRONG), refresh(program, tokens["refresh_token"]), redeem(program, fresh, code), redeem(program, fresh, code),
               ask(program, "GET", "/balance", forged), post_unchecked(program, "/auth/refresh", json.dumps({"refresh_token": tokens["refresh_token"][:-2] + "AA"}).encode()),
               log_out(program, fresh["access_token"])]
    assert [answer.status for answer in answers] == [401, 200, 200, 409, 401, 401, 204], answers
    seen = {WRONG, forged, code, fresh["access_token"], fresh["refresh_token"]}.union(*(secrets_in(answer.text) for answer in answers))
    return seen, [answer.text for answer in answers if answer.status >= 400]


def payload(secret):
    """The part of a token that is secret; a cut token counts, too."""
    return secret.rsplit(".", 1)[-1][:24]


def test_no_token_or_signature_is_in_a_log_a_metric_a_status_or_an_error(paid):
    event = paid.event
    paid.start({"balancer": {"operator_token": OPERATOR}, "log": {"level": "debug"}, "access": {"max_sessions": 2}})
    secrets = {OPERATOR, PASSWORD, *(key["secret"] for key in KEYS)}
    errors = []

    def ask(path, **options):
        answer = event.balancer.get(path, **options)
        secrets.update(secrets_in(answer.text))
        if answer.status >= 400:
            errors.append(answer.text)
        return answer

    tokens = paid.owner("anna")
    secrets |= {tokens["access_token"], tokens["refresh_token"]}
    player = paid.watch(tokens)
    paid.play_newest(player)
    secrets |= secrets_in(player.playlist.text) | {re.search(r"/~([^/]+)/", player.media_url).group(1)}
    session = paid.session_of(tokens)
    body = json.dumps({"reachable": [{"receipt": fetch(event.url("stadium") + "/ping").json["receipt"]}]}).encode()
    post = {"method": "POST", "headers": {"Content-Type": "application/json"}}
    for token in (session, session + "x"):
        ask(f"/api/v1/sessions/{token}/reports", body=body, **post)
    with Connection(event.balancer.address) as connection:   # no path of the API
        assert connection.request(f"/api/v1/sessions/{session}/unknown").status == 404
    for encoded in (f"/live/cup/index.m3u8%3Fsession%3D{session}", f"/live/cup/index.m3u8;session={session}", f"/live//cup/%7E{session}/v1/video.m3u8"):
        ask(encoded)   # as apps write them that encode too much
    ticket = paid.request_access(tokens).json["ticket"]   # a third session waits
    secrets |= {session, ticket}
    ask(f"/api/v1/access/{ticket}", method="DELETE")
    ask(f"/api/v1/access/{session}/stop", method="POST")
    ask(f"/api/v1/access/{session}", method="DELETE")
    ask(f"/live/cup/~{session}/v1/video.m3u8?session={session}")
    ask("/access_queue_switch", headers={"Authorization": f"Bearer {OPERATOR}"})
    ask("/access_queue_switch?state=off", headers={"Authorization": f"Bearer {OPERATOR}x"})
    segment = player.playlist.segments[-1].uri
    for url in (segment, segment + "x", segment.replace("tl=", "tl=x")):
        answer = fetch(url)
        secrets.update(secrets_in(answer.header("Location") or ""))
        if answer.status >= 400:
            errors.append(answer.text)
    seen, refused = use_account(event.balancer, tokens)
    secrets |= seen
    errors += refused
    heartbeat = signature("POST /internal/v1/nodes/stadium", b"{}")
    secrets.add(heartbeat)
    errors.append(fetch(event.url("balancer") + "/internal/v1/nodes/stadium", "POST", {"X-Tribune-Signature": heartbeat}, b"{}x").text)
    processes = [event.balancer, *event.nodes.values()]
    assert len(secrets) > 8, "the test has seen secrets of every kind"
    for process in processes:
        assert len(process.access_log()) > 3
        assert_none_in(secrets, places_of(process), process.name)
    assert_none_in(secrets, dict(enumerate(errors)), "problem documents")
    named = [line for line in event.balancer.access_log() if re.fullmatch(r"/api/v1/sessions/[0-9a-f]{16}/reports", line["path"])]
    assert named, "the session's name stands in for its token"


def test_an_api_of_its_own_logs_the_name_that_the_balancer_gave_the_session(apart):
    apart.start()
    tokens = apart.owner("anna")
    session = apart.session_of(tokens)
    secrets = {session, tokens["access_token"], tokens["refresh_token"]}
    answers = [apart.api.get(f"/api/v1/access/{session}/stop", method="POST"), apart.api.get(f"/api/v1/access/{session}x/stop", method="POST")]
    assert [answer.status for answer in answers] == [200, 403]
    assert [answer.header("X-Tribune-Session") for answer in answers] == [None, None], "it is for the processes, not for apps"
    assert_none_in(secrets, {number: answer.text for number, answer in enumerate(answers)}, "problem documents")

    def stops():
        return [line for line in apart.api.access_log() if line["path"].endswith("/stop")]

    wait_until(lambda: len(stops()) == 2, 5, "the lines of the requests")
    named, unnamed = stops()
    assert re.fullmatch(r"/api/v1/access/[0-9a-f]{16}/stop", named["path"]) and unnamed["path"] == "/api/v1/access/…/stop"
    [opened, *_] = [line for line in apart.event.balancer.access_log() if line["path"] == ACCESS_PATH and line["session"]]
    assert named["path"].split("/")[-2] == named["session"] == opened["session"], "one name in the logs of both processes"
    for process in (apart.api, apart.event.balancer, *apart.event.nodes.values()):
        assert_none_in(secrets, places_of(process), process.name)
