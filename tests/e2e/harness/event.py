"""An event as processes: an origin with live channels, a balancer and cache nodes, connected over ports that stay reserved
across restarts."""
from . import telemetry_names
from .live_channel import LiveChannel
from .player import Player
from .tribune_process import reserve_port
from .waiting import wait_until

KEYS = [{"id": "k1", "secret": "scenario-secret-0123456789abcdef"}]
HEARTBEAT_PATH = "/internal/v1/nodes/"


def merged(base, changes):
    """`base` with `changes` merged into it, section by section."""
    out = dict(base)
    for key, value in (changes or {}).items():
        out[key] = merged(out.get(key, {}), value) if isinstance(value, dict) and isinstance(out.get(key, {}), dict) else value
    return out


def process_config(port=0, changes=None):
    """The sections that every process has."""
    return merged({
        "front": {"listen": [f"127.0.0.1:{port}"]},
        "admin": {"listen": ["127.0.0.1:0"]},
        "log": {"format": "json", "level": "debug"},
        "process": {"workers": 2, "stop_deadline": "3s"},
    }, changes)


class Event:
    def __init__(self, folder, programs, origins):
        self.folder, self.programs, self.origins = folder, programs, origins
        self.origin = origins()
        self.live = LiveChannel(self.origin)
        self.channels = [self.channel_config("demo", self.live.source)]
        self.reserved_ports = {}
        self.balancer = None
        self.nodes = {}

    @staticmethod
    def channel_config(channel, source, links="direct", **more):
        return {"id": channel, "title": channel.title(), "source": source, "links": links, **more}

    def event_section(self):
        return {"keys": KEYS, "channels": self.channels}

    def port(self, name):
        if name not in self.reserved_ports:
            self.reserved_ports[name] = reserve_port()
        return self.reserved_ports[name].getsockname()[1]

    def url(self, name):
        return f"http://127.0.0.1:{self.port(name)}"

    def balancer_config(self, nodes, changes=None):
        return merged(process_config(self.port("balancer")), merged({
            "event": self.event_section(),
            "balancer": {"nodes": [{"id": n, "url": self.url(n)} for n in nodes], "state_dir": str(self.folder / "balancer_state"),
                         "operator_networks": ["127.0.0.0/8"]},
        }, changes))

    def node_config(self, name, changes=None):
        return merged(process_config(self.port(name)), merged({
            "event": {"keys": KEYS},
            "cache_node": {"id": name, "public_url": self.url(name), "balancers": [self.url("balancer")],
                           "store_dir": str(self.folder / f"store_{name}"), "max_bytes": "256MiB"},
        }, changes))

    def start_balancer(self, nodes=("stadium",), changes=None, **options):
        self.balancer = self.programs(self.balancer_config(nodes, changes), "balancer", **options)
        return self.balancer

    def start_node(self, name="stadium", changes=None, **options):
        self.nodes[name] = self.programs(self.node_config(name, changes), name, **options)
        return self.nodes[name]

    def start(self, nodes=("stadium",), balancer=None, node=None):
        """Starts all processes; returns when every node is up at the balancer and has the channel map.

        The balancer comes first: a node that finds none asks again after a second, which each scenario would wait for.
        """
        self.start_balancer(nodes, balancer)
        for name in nodes:
            self.start_node(name, node)
        for name in nodes:
            self.wait_registered(name)
        return self

    def node_state(self, name):
        """The node's entry in the balancer's /status."""
        for entry in self.balancer.admin("/status").json["balancer"]["nodes"]:
            if entry["id"] == name:
                return entry
        raise AssertionError(f"/status has no node {name}")

    def is_up(self, name):
        return self.node_state(name)["state"] == "up"

    def wait_registered(self, name, within=6.0):
        wait_until(lambda: self.is_up(name), within, f"node {name} up at the balancer")
        wait_until(lambda: self.nodes[name].is_ready(), within, f"node {name} has the channel map")

    def wait_peers(self, names):
        """Returns when each of these nodes of one group knows all of them."""
        for name in names:
            wait_until(lambda n=name: self.nodes[n].admin("/status").json["cache_node"]["peers"] == len(names), 6, f"{name} knows its peers")

    def wait_stored(self, name, objects):
        """Returns when so many objects are in the node's files and their records in its index."""
        node = self.nodes[name]
        wait_until(lambda: node.admin("/status").json["cache_node"]["objects"] >= objects, 5, f"{objects} objects stored")
        wait_until(lambda: node.metric(telemetry_names.INDEX_PENDING) == 0, 5, "their records written")

    def player(self, **options):
        return Player(self.balancer.url, **options)

    def link(self, msn=None, variant=0, **options):
        """A new link to a segment: (MSN, absolute URL, expected bytes)."""
        player = self.player(variant=variant, **options).open()
        player.refresh()
        segment = player.playlist.segments[-1] if msn is None else player.playlist.segment(msn)
        return segment.msn, segment.uri, self.live.bytes_of(self.live.variants[variant], segment.msn)
