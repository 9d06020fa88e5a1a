"""A balancer in a process of its own asks the api whether sessions of paid channels may go on."""
import time
from datetime import datetime

import pytest
from harness.accounts_api import ask
from harness.event import merged, process_config
from harness.operator_cli import ctl_of
from harness.paid_channel import PRICE, PRODUCT
from harness.raw_client import fetch
from harness.shop import add_channel, bought
from harness.waiting import wait_until


def refund(apart, login="ann"):
    [purchase] = [line.split()[0] for line in ctl_of(apart.api, "purchases", "list", login).splitlines() if PRODUCT in line]
    ctl_of(apart.api, "purchases", "refund", purchase, "--reason", "rain")


@pytest.mark.every_build
def test_a_refund_ends_a_session_at_a_balancer_of_its_own(apart):
    apart.start()
    player = apart.watch(apart.owner("ann"))
    apart.play_newest(player)
    assert apart.known()["sessions"] == 1 and apart.known()["url"] == apart.event.url("api")
    refund(apart)
    apart.wait_playlist_end(player)
    assert apart.wait_refused(player)["reason"] == "withdrawn"


def test_sessions_go_on_while_the_api_is_away_and_what_ended_meanwhile_ends_them_afterwards(apart):
    apart.start()
    players = [apart.watch(apart.owner(login)) for login in ("ann", "bob")]
    refund(apart)
    apart.api.kill()
    apart.event.balancer.wait_log("entitlements_unknown", within=10)
    for player in players[1:]:
        apart.play_newest(player)
    apart.api.start()
    apart.event.balancer.wait_log("entitlements_known", within=10)
    assert apart.wait_refused(players[0])["reason"] == "withdrawn"
    apart.play_newest(players[1])


@pytest.mark.release_only   # the pass lasts some seconds, in which slower programs would not get as far
def test_a_pass_that_was_renewed_goes_on_although_the_api_is_away_at_the_end_of_the_first_one(apart):
    apart.start(times={"check_period": "1min", "await_renewal": "30s", "ending_time": "2s"})
    add_channel(apart.api, "hour", "cup", valid_for="8s")
    owners = [apart.owner(login, "hour") for login in ("ann", "bob")]
    players = [apart.watch(owner) for owner in owners]
    ends = time.time() + 8
    for _ in range(20):
        bought(apart.api, owners[0], "hour", PRICE)
        if watched_until(apart, owners[0]) > ends + 20:
            break
    apart.api.kill()
    wait_until(lambda: time.time() > ends + 1 and all(player.refresh() for player in players), 20, "the end of the first pass")
    apart.event.balancer.wait_log("entitlements_unknown", within=10)
    apart.api.start()
    assert apart.wait_refused(players[1], 20)["reason"] == "expired"
    assert "#EXT-X-ENDLIST" not in fetch(players[0].media_url).text
    apart.play_newest(players[0])


def watched_until(apart, tokens):
    """The end of what the account has, in seconds since 1970."""
    entries = ask(apart.api, "GET", "/entitlements", tokens["access_token"]).json["entitlements"]
    return max(datetime.fromisoformat(entry["until"].replace("Z", "+00:00")).timestamp() for entry in entries)


def test_a_refund_while_the_balancer_is_away_ends_the_session_after_its_start(apart):
    apart.start()
    player = apart.watch(apart.owner("ann"))
    wait_until(lambda: apart.event.balancer.admin("/queues").json["access"]["unsaved_sessions"] == 0, 5, "the session on disk")
    apart.event.balancer.kill()
    refund(apart)
    apart.event.balancer.start()
    apart.event.wait_registered("stadium")
    assert apart.wait_refused(player)["reason"] == "withdrawn"


def test_an_api_that_the_account_keys_do_not_name_ends_no_session(apart):
    other = apart.event.programs(merged(process_config(), {
        "event": {"keys": apart.event.event_section()["keys"], "channels": []},
        "api": {"accounts": {"state_dir": str(apart.event.folder / "other_accounts")}}}), "other_api")
    apart.start(keys=other.admin("/status").json["api"]["accounts"]["keys"])
    player = apart.watch(apart.owner("ann"))
    assert "not signed" in apart.event.balancer.wait_log("entitlements_unknown", within=10)[0]["error"]
    refund(apart)
    apart.play_newest(player)
    assert "age_ms" not in apart.known()
