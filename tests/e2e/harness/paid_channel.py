"""An event with the free channel `demo` and the paid channel `cup`, whose process has the accounts and the shop. Entitlements are checked every second."""
import json
from urllib.parse import urljoin

from .accounts_api import QUICK_ACCOUNTS, bearer, new_account
from .event import merged, process_config
from .operator_cli import ctl_of
from .raw_client import fetch
from .shop import WIDE_SHOP_LIMITS, add_channel, bought
from .waiting import wait_until

PRODUCT, PRICE = "cup-ticket", 500
TIMES = {"check_period": "1s", "await_renewal": "1s", "ending_time": "2s"}


def shop_of_event(event):
    """The section api of a process that has the accounts and the shop of the event."""
    return {"accounts": {"state_dir": str(event.folder / "accounts"), **QUICK_ACCOUNTS}, "limits": WIDE_SHOP_LIMITS, "caches": []}


class PaidEvent:
    """`event` is that of harness/event.py."""

    def __init__(self, event):
        self.event, self.live = event, getattr(event, "live", None)
        self.api = None  # the process with the accounts

    def start(self, changes=None, times=TIMES, nodes=("stadium",), access="paid", channel=None, offers=True):
        """One process is balancer and api."""
        event = self.event
        event.channels = [event.channel_config("demo", event.live.source, "auto"),
                          event.channel_config("cup", event.live.source, **{"links": "auto", "access": access, **(channel or {})})]
        event.start(nodes, merged({
            "balancer": {"paid_channels": times},
            "api": shop_of_event(event)}, changes))
        return self.sell(event.balancer, "cup" if offers else None)

    def sell(self, api, channel="cup"):
        """`api` is the process with the accounts; the product opens the channel."""
        self.api = api
        if channel:
            add_channel(api, PRODUCT, channel)
        return self

    def owner(self, login, product=PRODUCT):
        """The first login of a new account that has bought the product; its access token is the newest one."""
        tokens = self.visitor(login, balance=10 * PRICE)
        tokens["access_token"] = bought(self.api, tokens, product, PRICE)["access_token"]
        return tokens

    def visitor(self, login, balance=0):
        tokens = new_account(self.api, login, device=f"{login}'s phone")
        if balance:
            ctl_of(self.api, "balance", "add", login, str(balance), "EUR", "--reason", "paid at the desk")
        return tokens

    def request_access(self, tokens=None, channel="cup", **members):
        """The response to POST /api/v1/access."""
        return self.api.get("/api/v1/access", method="POST", body=json.dumps({"channel": channel, **members}).encode(),
                            headers=bearer(tokens["access_token"]) if tokens else {})

    def session_of(self, tokens, channel="cup"):
        """The token of a session that was opened with the account."""
        answer = self.request_access(tokens, channel)
        assert answer.status == 200 and answer.json["status"] == "granted", (answer, answer.body)
        return answer.json["session"]

    def watch(self, tokens, **options):
        """A player of the paid channel that has loaded its first playlist."""
        player = self.player(self.session_of(tokens), **options).open()
        player.refresh()
        return player

    def player(self, session, **options):
        return self.event.player(channel="cup", query=f"?session={session}", **options)

    def play_newest(self, player):
        self.live.advance()
        msn = player.wait_for_msn(self.live.next_msn - 1).msn
        player.play(msn, self.live.bytes_of(self.live.variants[player.variant], msn))

    def wait_playlist_end(self, player, within=10):
        """The last playlist of the session, with its end."""
        return wait_until(lambda: (answer := player.try_refresh()).status == 200 and "#EXT-X-ENDLIST" in answer.text and player.playlist,
                          within, "the playlist's end")

    def wait_refused(self, player, within=10):
        """The problem with which the session's playlist is refused at last."""
        return wait_until(lambda: (answer := player.try_refresh()).status == 403 and answer.json, within, "the refusal of the session")


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


def urls_of(player):
    """Every kind of URL that the player's session has shown: {kind: URL}."""
    segment = player.playlist.segments[-1].uri
    urls = {"bare": player.url, "multivariant": urljoin(player.media_url, "../index.m3u8"), "media": player.media_url,
            "reload": f"{player.media_url}?_HLS_msn={player.playlist.last_msn + 1}", "segment": segment}
    return urls


def problem_at(url):
    """The type of the problem at the URL; None for another answer than 403."""
    answer = fetch(url)
    return answer.json["type"] if answer.status == 403 else None
