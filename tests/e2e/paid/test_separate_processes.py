"""A balancer in a process of its own asks the api whether sessions of paid channels may go on."""
import pytest
from harness.event import merged, process_config
from harness.operator_cli import ctl_of
from harness.paid_channel import PRODUCT, TIMES, PaidEvent, shop_of_event
from harness.waiting import wait_until


class SeparateApi(PaidEvent):
    """The api with the accounts, and a balancer that knows its public keys."""

    def start(self, times=TIMES, keys=None):
        event = self.event
        event.channels = [event.channel_config("demo", event.live.source, "auto"),
                          event.channel_config("cup", event.live.source, "auto", access="paid")]
        self.sell(event.programs(merged(process_config(event.port("api")), {
            "event": event.event_section(), "api": {**shop_of_event(event), "access_url": event.url("balancer")}}), "api"))
        self.start_balancer(times, keys or self.account_keys())
        return self

    def account_keys(self):
        return self.api.admin("/status").json["api"]["accounts"]["keys"]

    def start_balancer(self, times, keys):
        changes = {"event": {"account_keys": keys, "accounts_url": self.event.url("api")}, "balancer": {"paid_channels": times}}
        self.event.start(balancer=changes)

    def known(self):
        return self.event.balancer.admin("/status").json["balancer"]["entitlements"]


@pytest.fixture
def apart(event):
    return SeparateApi(event)


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
