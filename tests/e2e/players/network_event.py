"""An event whose nodes listen in the networks of networks.py, and whose players run in the namespace of the client."""
import json
import re
from pathlib import Path

import networks
from harness.accounts_api import QUICK_ACCOUNTS, post, refresh
from harness.event import merged
from harness.origin import Origin, ok, status
from harness.shop import WIDE_SHOP_LIMITS, add_product, bought, viewer
from packaged_event import PackagedEvent

HOSTS = {"balancer": networks.BALANCER, "stadium": networks.STADIUM, "city": networks.CITY, "suburb": networks.SUBURB}
NODES = ("stadium", "city", "suburb")
PORT = 8080
ZONES = {"zones": [{"name": "stands", "group": "stadium", "prefixes": [networks.STADIUM_NETWORK], "fallback": ["city", "suburb"], "deep": True}]}
SERVED = re.compile(r"/media/([^/]+)/[^/]+/.*?seg-(\d+)\.")


def files_of(folder):
    """A script that serves the packager's files from the scripted origin, which can listen in any namespace."""

    def script(request, wire):
        file = Path(folder) / request.path.lstrip("/")
        try:
            body = file.read_bytes()
        except OSError:
            return status(404)(request, wire)
        return ok(body, "application/vnd.apple.mpegurl" if file.suffix == ".m3u8" else "video/mp4")(request, wire)

    return script


class NetworkEvent(PackagedEvent):
    """A channel for each player, with the smallest rendition, so that the nodes' logs tell which player was served."""

    def __init__(self, folder, programs, packaged, players, held=(), paid=()):
        """`players`: name -> channel of the packager. Players in `held` use blocking playlist reload; those in `paid` watch a channel that is bought."""
        self.source = Origin(networks.ORIGIN)
        self.source.fallback = files_of(packaged.folder / "www")
        super().__init__(folder, programs, packaged)
        self.cuts = []   # when a network was left or a node killed, as time.time()
        self.channels = [self.channel_config(p, f"{self.source.url}/{c}/180p/index.m3u8", links="auto", blocking_reload=p in held,
                                             access="paid" if p in paid else "free") for p, c in players.items()]
        self.owner = None     # the tokens of the account that owns the paid channels
        self.sessions = {}    # paid channel -> its session

    def url(self, name):
        return f"http://{HOSTS[name]}:{PORT}"

    @staticmethod
    def at(config, name):
        """Listens on the address of this host in the namespaces, not on loopback."""
        return merged(config, {"front": {"listen": [f"{HOSTS[name]}:{PORT}"]}})

    def balancer_config(self, nodes, changes=None):
        zones = self.folder / "zones.json"
        zones.write_text(json.dumps(ZONES))
        own = {"balancer": {"routing": {"zones_file": str(zones), "default_groups": ["city", "suburb"]}},
               "api": {"accounts": {"state_dir": str(self.folder / "accounts"), **QUICK_ACCOUNTS}, "limits": WIDE_SHOP_LIMITS}}
        return self.at(super().balancer_config(nodes, merged(own, changes)), "balancer")

    def buy_channels(self):
        """An account buys what opens the paid channels, and opens a session of each."""
        add_product(self.balancer, "all", kind="pass", channels="all", valid_for="1d")
        self.owner = viewer(self.balancer, "ann", balance=500)
        self.owner["access_token"] = bought(self.balancer, self.owner, "all", 500)["access_token"]
        for channel in (c["id"] for c in self.channels if c["access"] == "paid"):
            answer = post(self.balancer, "/access", {"channel": channel}, token=self.owner["access_token"])
            assert answer.status == 200 and answer.json["status"] == "granted", (answer, answer.body)
            self.sessions[channel] = answer.json["session"]

    def refresh_tokens(self):
        """As an app does when its access token is about to expire: the sessions do not change."""
        answer = refresh(self.balancer, self.owner["refresh_token"])
        assert answer.status == 200, (answer, answer.body)
        self.owner = answer.json

    def session_query(self, channel):
        return f"?session={self.sessions[channel]}" if channel in self.sessions else ""

    def playlist_url(self, channel, cache=None):
        return super().playlist_url(channel, cache) + self.session_query(channel)

    def node_config(self, name, changes=None):
        return self.at(super().node_config(name, changes), name)

    def port(self, name):
        return 0

    def served(self, node, player):
        """Numbers of the segments that this node sent to this player, in their order."""
        found = (SERVED.match(path) for path in self.segments_served(node))
        return [int(m.group(2)) for m in found if m and m.group(1) == player]

    def sent_to(self, node, player):
        """Numbers of the segments for which the balancer redirected this player to the node."""
        found = (re.match(rf"/live/{player}/.*seg-(\d+)\.", line["path"]) for line in self.balancer.access_log(status=307, node=node))
        return [int(m.group(1)) for m in found if m]

    def close(self):
        self.source.close()
