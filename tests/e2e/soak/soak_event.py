"""An event of many hours: channels whose segments appear by the clock, a balancer, three nodes, and an operator whose actions of days
follow each other within minutes."""
import threading
from pathlib import Path

from harness.event import KEYS, merged
from harness.live_channel import LiveChannel
from harness.tribune_process import TribuneProcess
from harness.waiting import wait_until
from soak_viewers import Viewer

NODES = ("a", "b", "c")
TARGET = 10
WHOLE_ENDS = 58 * 60   # when the EVENT playlist gets its end
NEXT_KEY = {"id": "k2", "secret": "another-scenario-secret-0123456789"}


class SteadyChannel(LiveChannel):
    """A channel whose playlists change atomically, because they are read while segments appear."""

    def __init__(self, origin, name, **options):
        self.id = name
        self.texts = {}
        super().__init__(origin, prefix=f"/live/{name}", target=TARGET, size=4096, **options)

    def advance(self, count=1):
        super().advance(count)
        self.texts = {variant: self.media(variant) for variant in self.variants}
        kept = self.first_msn if self.window > 10_000 else self.next_msn - 3 * self.window
        for variant in self.variants:   # an origin deletes segments that left its window long ago
            self.origin.scripts.pop(self.path_of(variant, kept - 1), None)

    def end(self):
        if not self.is_ended:
            self.is_ended = True
            self.texts = {variant: self.media(variant) for variant in self.variants}

    def _media(self, variant):
        return lambda: self.texts[variant]


class SoakProgram(TribuneProcess):
    """A process with a rotated log file: its addresses are read from the configuration, not from the log."""

    def spawn(self):
        super().spawn()
        self.log_file = Path(self.config["log"]["file"])
        return self

    def start(self, within=10.0):
        self.spawn()
        wait_until(lambda: self.is_ready() or self.process.poll() is not None, within, f"{self.name} ready")
        assert self.process.poll() is None, f"{self.name} ended at once ({self.process.returncode}):\n{self.last_output()}"
        return self

    def bound(self, listener):
        return self.config[listener]["listen"][0]


class SoakEvent:
    """`minutes`: the duration of the event. Only actions of the operator wait in real time."""

    def __init__(self, event, time, minutes):
        self.event, self.time, self.minutes = event, time, minutes
        self.over = threading.Event()
        self.patience = 9 * TARGET
        self.viewers = []
        self.said = []
        self.live = SteadyChannel(event.origin, "live", window=6, listed=6, variants=("v1", "v2", "v3"))
        self.dvr = SteadyChannel(event.origin, "dvr", window=90, listed=90, variants=("v1",))           # a quarter of an hour
        self.whole = SteadyChannel(event.origin, "whole", window=1 << 40, listed=6, variants=("v1",))   # an EVENT playlist
        self.whole.extra_tags = "#EXT-X-PLAYLIST-TYPE:EVENT"
        self.whole.advance(0)
        self.keys = list(KEYS)
        event.channels = [event.channel_config(c.id, c.source, links="auto", link_lifetime="10min") for c in self.channels]

    @property
    def channels(self):
        return [self.live, self.dvr, self.whole]

    # -- configurations: deadlines are those of a machine on which a second is short --
    def balancer_config(self):
        patient = {"connect_timeout": "30s", "first_byte_timeout": "1min", "low_speed_window": "1min", "total_timeout": "2min", "first_answer": "1min"}
        changes = {"event": {"keys": self.keys}, "balancer": {"node_timeout": "15s", "origin": patient}}
        return self.process_config("balancer", merged(self.event.balancer_config(NODES, {}), changes))

    def node_config(self, name):
        patient = {"connect_timeout": "30s", "first_byte_timeout": "1min", "low_speed_window": "1min"}
        changes = {"event": {"keys": self.keys}, "cache_node": {"max_bytes": "64MiB", "open_files": 64, "origin": patient, "disk_patience": "1min"}}
        return self.process_config(name, merged(self.event.node_config(name), changes))

    def process_config(self, name, config):
        admin = f"127.0.0.1:{self.event.port('admin of ' + name)}"
        return merged(config, {"admin": {"listen": [admin]},
                               "front": {"limits": {"head_timeout": "5min", "body_timeout": "5min", "idle_timeout": "1h"}},
                               "log": {"file": str(self.event.folder / name / "lines.log"), "level": "info"}, "process": {"stop_deadline": "1min"}})

    # -- life --
    def start(self):
        for name in NODES:
            self.start_node(name)
        self.event.balancer = self.program("balancer", self.balancer_config()).start()
        self.wait_up(NODES)
        threading.Thread(target=self.keep_time, daemon=True).start()

    def program(self, name, config):
        made = SoakProgram(self.event.folder, config, name, environment=self.time.environment)
        self.event.programs.all.append(made)
        return made

    def start_node(self, name):
        config = self.node_config(name)
        if name not in self.event.nodes:
            self.event.nodes[name] = self.program(name, config)
        self.event.nodes[name].write_config(config)
        self.event.nodes[name].spawn()   # a node is ready when it has received the channels from a balancer

    def wait_up(self, names):
        for name in names:
            wait_until(lambda n=name: self.event.is_up(n), 15, f"node {name} up at the balancer")

    def keep_time(self):
        """Publishes the segments on time, in all renditions at once."""
        moment = 0
        while not self.over.is_set():
            moment += TARGET
            if self.time.pass_until(moment, self.over):
                return
            for channel in self.channels:
                if channel is self.whole and moment >= WHOLE_ENDS:
                    channel.end()
                else:
                    channel.advance(1)
            with self.event.origin.lock:
                self.event.origin.requests.clear()

    def watch(self, name, channel, **options):
        viewer = Viewer(self, name, channel, **options)
        self.viewers.append(viewer)
        viewer.start()
        return viewer

    def until(self, minute):
        self.time.pass_until(minute * 60, self.over)
        assert not self.over.is_set(), self.complaints()

    def complaints(self):
        return "\n".join([v.error for v in self.viewers if v.error])

    # -- what the operator does --
    def reload(self):
        for program, config in [(self.event.balancer, self.balancer_config())] + [(p, self.node_config(n)) for n, p in self.event.nodes.items()]:
            program.reload(config)

    def take_up_key(self):
        """The procedure of docs/operations.md: the new key is known everywhere before it signs."""
        self.keys = [*KEYS, NEXT_KEY]
        self.reload()
        self.keys = [NEXT_KEY, *KEYS]
        self.reload()

    def rotate_logs(self):
        for program in [self.event.balancer, *self.event.nodes.values()]:
            lines = Path(program.config["log"]["file"])
            lines.rename(lines.with_suffix(".old"))
            program.reload(program.config)
            assert lines.stat().st_size > 0

    def replace_node(self, name, how):
        """`how`: "terminate" or "kill"; the node restarts after a minute."""
        program = self.event.nodes[name]
        program.terminate(within=30) if how == "terminate" else program.kill()
        self.time.pass_until(self.time.now() + 60, self.over)
        self.start_node(name)
        self.wait_up([name])
