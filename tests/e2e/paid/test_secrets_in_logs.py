"""What must stay secret is in no log line, metric, status document and error: tokens, tickets, signatures, passwords."""
import json
import re

from harness.accounts_api import PASSWORD
from harness.event import KEYS
from harness.raw_client import Connection, fetch

OPERATOR = "operator-token-of-the-test"
PLACES = ("/status", "/metrics", "/queues", "/limits")


def secrets_in(text):
    """Tokens, tickets and the signatures of links, by their form."""
    return set(re.findall(r"[?&](?:tl|session|ticket|token)=([^&\"\s\\]{20,})", text)) | set(re.findall(r"\"(?:session|ticket|access_token|refresh_token|receipt)\":\s*\"([^\"]{20,})\"", text))


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
    processes = [event.balancer, *event.nodes.values()]
    assert len(secrets) > 8, "the test has seen secrets of every kind"
    for process in processes:
        texts = {place: process.admin(place).text for place in PLACES}
        texts["log"] = process.log_file.read_text(errors="replace")
        assert len(process.access_log()) > 3
        for place, text in texts.items():
            found = [secret for secret in secrets if payload(secret) in text]
            assert not found, (process.name, place, found, [line for line in text.splitlines() if payload(found[0]) in line][:2])
    for text in errors:
        found = [secret for secret in secrets if payload(secret) in text]
        assert not found, (text, found)
    named = [line for line in event.balancer.access_log() if re.fullmatch(r"/api/v1/sessions/[0-9a-f]{16}/reports", line["path"])]
    assert named, "the session's name stands in for its token"
