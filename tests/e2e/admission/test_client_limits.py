"""Limits of one client: sessions per address, networks per session, and sessions whose signing key expires."""
import datetime

from harness.access_api import end_access, request_access, session_of, wait_sessions_saved
from harness.event import KEYS, merged
from harness.raw_client import fetch

ADDRESS, OTHER = "127.0.5.1", "127.0.5.2"


def opened(event, address):
    return event.balancer.get("/live/demo/index.m3u8", source=address)


def test_the_session_limit_of_one_address_survives_a_kill(event):
    event.start(balancer={"access": {"max_sessions_per_address": 2, "restart_grace": "1s"}, "balancer": {"session_idle": "30s"}, "api": {"caches": []}})
    assert [opened(event, ADDRESS).status for _ in range(3)] == [200, 200, 429]
    full = request_access(event, ADDRESS)
    assert full.status == 429 and full.json["type"] == "/problems/too-many-requests" and int(full.header("Retry-After")) > 0
    mine = request_access(event, OTHER).json
    assert mine["status"] == "granted"
    event.balancer.wait_log("address_full", client=ADDRESS)
    wait_sessions_saved(event)
    event.balancer.kill()
    event.balancer.start()
    assert opened(event, ADDRESS).status == 429
    assert [opened(event, OTHER).status for _ in range(2)] == [200, 429]
    assert end_access(event, mine["session"]).json["was_open"]
    assert opened(event, OTHER).status == 200


def test_shared_networks_are_not_limited(event):
    event.start(balancer={"access": {"max_sessions_per_address": 1}, "balancer": {"shared_networks": ["127.0.5.0/31"]}})
    assert [opened(event, ADDRESS).status for _ in range(5)] == [200] * 5
    assert [opened(event, OTHER).status for _ in range(2)] == [200, 429]


def test_a_token_in_too_many_networks_is_rejected_in_the_newest_one(event):
    event.start(balancer={"access": {"max_networks_per_session": 2, "sharing_rule": "refuse"}})
    player = event.player().open()
    home, phone, stranger = "127.10.0.1", "127.20.0.1", "127.30.0.1"
    # The player is in one network, the phone in a second one.
    assert fetch(player.media_url, source="127.0.0.9").status == 200
    assert fetch(player.media_url, source=phone).status == 200
    refused = fetch(player.media_url, source=stranger)
    assert refused.status == 403 and "networks" in refused.json["detail"]
    assert fetch(player.media_url, source=home).status == 403
    assert fetch(player.media_url, source="127.20.0.200").status == 200
    assert player.try_refresh().status == 200
    event.balancer.wait_log("session_shared", outcome="refused")
    assert len(event.balancer.logged("session_shared")) == 1
    event.balancer.reload(merged(event.balancer.config, {"access": {"max_networks_per_session": 2, "sharing_rule": "end"}}))
    assert fetch(player.media_url, source=stranger).status == 403
    assert player.try_refresh().status == 403


def test_a_session_outlives_the_key_that_signed_its_token(event):
    event.start(balancer={"balancer": {"session_idle": "30s"}, "api": {"caches": []}})
    player, other = event.player().open(), event.player().open()
    token = session_of(other)
    assert token.startswith("k1.")
    player.refresh()
    past = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    new = {"id": "k2", "secret": "another-scenario-secret-0123456789"}
    rotated = {"event": {"keys": [new, {**KEYS[0], "not_after": past}]}}
    event.nodes["stadium"].reload(merged(event.nodes["stadium"].config, rotated))
    event.balancer.reload(merged(event.balancer.config, rotated))
    assert player.try_refresh().status == 200
    assert end_access(event, token).status == 200
    assert other.try_refresh().status == 403
    forged = player.media_url.replace("~k1.", "~k3.")
    assert fetch(forged).status == 403
    assert "~k2." in event.player().open().media_url
    wait_sessions_saved(event)
    event.balancer.kill()
    event.balancer.start()
    assert fetch(player.media_url).status == 200, "its session is on disk"
