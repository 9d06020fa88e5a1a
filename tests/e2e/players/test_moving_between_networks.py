"""Viewers that enter the stadium's network, leave it, lose a node outside and return: every player continues, no segment is
skipped, and each segment comes from the node that the network reaches. Most of them watch channels that an account has bought."""
import json
import re
import signal
import subprocess
import time

import pytest
from harness.player import Player
from harness.waiting import LONG, stretched, wait_until
from network_event import NODES, NetworkEvent
from networks import CannotMake, Networks
from packaged_event import FRAMES_PER_SECOND, errors_of, stalls_of

# Player -> channel of the packager. Of the two generations of GStreamer's HLS client, playbin has hlsdemux with souphttpsrc, playbin3 has hlsdemux2.
WATCHED = {"hls-js": "demo", "shaka": "demo-ts", "ffmpeg": "demo", "playbin3": "demo-ts", "playbin": "demo-ts"}
GSTREAMER = ("playbin3", "playbin")
PAID = ("shaka", "ffmpeg", "playbin3", "playbin")   # the viewer page has no login
HELD = ("shaka",)   # Shaka 5.2 loses segments where a reload may bring nothing new: docs/routing.md, Shaka needs blocking_reload
HTTP_ERROR = 1002   # Shaka's code for a connection that failed
SEGMENTS = 9 if LONG else 2   # of 2 s, from the node of each network
SEGMENT_NAME = re.compile(r"seg-(\d+)\.")
PATH = ["city", "stadium", "city", "suburb", "stadium"]


@pytest.fixture
def network_event(folder, programs, packaged_origin, viewer_page):
    try:
        networks = Networks()
    except CannotMake as reason:
        pytest.skip(f"no network namespaces here: {reason}")
    try:
        with networks.servers.entered():
            made = NetworkEvent(folder, programs, packaged_origin, WATCHED, held=HELD, paid=PAID)
            made.networks = networks
            made.start(nodes=NODES)
            made.buy_channels()
            yield made
            made.close()
            for program in programs.all:
                if program.is_running():
                    program.terminate()
    finally:
        networks.close()


class PlayerProcess:
    """A player whose output goes to files."""

    def __init__(self, network_event, name, *command):
        self.out, self.said = network_event.folder / f"{name}.out", network_event.folder / f"{name}.stderr"
        with open(self.out, "wb") as out, open(self.said, "wb") as said:
            self.process = subprocess.Popen([*network_event.networks.client.enter, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=said)

    def is_playing(self):
        return self.process.poll() is None

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(stretched(20))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def processes():
    made = []

    def start(network_event, name, *command):
        made.append(PlayerProcess(network_event, name, *command))
        return made[-1]

    yield start
    for process in made:
        process.close()


def start_ffmpeg(processes, network_event):
    return processes(network_event, "ffmpeg", "ffmpeg", "-nostdin", "-v", "repeat+warning", "-i", network_event.playlist_url("ffmpeg"), "-map", "0:v:0", "-fps_mode", "passthrough",
                     "-enc_time_base", f"1/{FRAMES_PER_SECOND}", "-flush_packets", "1", "-f", "framecrc", "-")


def start_gstreamer(processes, network_event, element):
    return processes(network_event, element, "gst-launch-1.0", "-v", element, f"uri={network_event.playlist_url(element)}",
                     "video-sink=fakesink name=picture sync=true silent=false", "audio-sink=fakesink sync=true")


def wait_for_all_players(network_event, node):
    """Waits until each player has loaded SEGMENTS new segments from this node."""
    before = {player: set(network_event.served(node, player)) for player in WATCHED}
    for player in WATCHED:
        wait_until(lambda: len(set(network_event.served(node, player)) - before[player]) >= SEGMENTS, 30 + SEGMENTS * 4, f"{player} is served by {node}")


def move(network_event, link):
    network_event.cuts.append(time.time())
    network_event.networks.move(link)


def move_through_all_networks(network_event):
    wait_for_all_players(network_event, "city")
    move(network_event, "wifi")
    wait_for_all_players(network_event, "stadium")
    network_event.refresh_tokens()
    move(network_event, "mobile")
    wait_for_all_players(network_event, "city")
    fetched = len(network_event.served("city", "ffmpeg"))
    wait_until(lambda: len(network_event.served("city", "ffmpeg")) > fetched, 10, "ffmpeg fetches a segment")
    network_event.cuts.append(time.time())
    network_event.nodes["city"].kill()
    wait_for_all_players(network_event, "suburb")
    move(network_event, "wifi")
    wait_for_all_players(network_event, "stadium")


def path_of(network_event, player):
    """The nodes that served this player, in the order of its segments; fails when a segment was skipped."""
    nodes = {node: set(network_event.served(node, player)) for node in NODES}
    # The last log lines of the killed node are lost: the balancer's log has its redirects to that node.
    nodes["city"] |= set(network_event.sent_to("city", player)) - set().union(*nodes.values())
    numbers = sorted(set().union(*nodes.values()))
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), f"{player} left segments out: {numbers}"
    path = []
    for number in numbers:
        if not path or number not in nodes[path[-1]]:
            path.append(next(node for node in NODES if number in nodes[node]))
    return path


def assert_ffmpeg_saw_every_frame(player):
    lines = [line for line in player.out.read_text().splitlines()[:-1] if line and not line.startswith("#")]
    times = [int(line.split(",")[2]) for line in lines]
    steps = [b - a for a, b in zip(times, times[1:])]
    assert steps == [1] * (len(times) - 1), [i for i in enumerate(steps) if i[1] != 1]


def assert_gstreamer_saw_every_frame(player):
    said = player.out.read_text() + player.said.read_text()
    assert "ERROR" not in said, said[-3000:]
    times = [int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in re.findall(r"\(picture:sink\).* pts: (\d+):(\d\d):([\d.]+)", said)]
    steps = [round((b - a) * FRAMES_PER_SECOND) for a, b in zip(times, times[1:])]
    assert steps == [1] * len(steps), [i for i in enumerate(steps) if i[1] != 1]


def assert_gstreamer_did_not_wait(player):
    """The player buffers before it starts, and never again."""
    after = player.out.read_text().partition("setting pipeline to PLAYING")[2]
    assert after.count("Buffering, setting pipeline to PAUSED") == after.count("Done buffering") <= 1, after[-3000:]


def assert_hls_js_continued(seen):
    after = seen["after"]
    assert [e for e in errors_of(after) if e["fatal"] or "Stalled" in e["details"]] == []
    assert stalls_of(after) == []
    numbers = [f["sn"] for f in after["fragments"] if f["type"] == "main"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "segments were skipped or repeated"


def number_of(uri):
    return int(SEGMENT_NAME.search(uri).group(1))


def assert_shaka_continued(seen, cuts):
    before, after = seen["before"], seen["after"]

    def is_of_a_cut(error):
        """Whether the error is a connection that ended with its network or node: Shaka retries."""
        return error["severity"] == 1 and error["code"] == HTTP_ERROR and any(0 <= error["wall"] - cut < stretched(15) for cut in cuts)

    assert [e for e in after["errors"] if not is_of_a_cut(e)] == []
    assert (after["loads"], after["stallsDetected"], after["gapsJumped"]) == (1, 0, before["gapsJumped"])
    # Presentation time 0 is the first segment of the first playlist. What the parser has read is played without a request, or loaded again.
    first_listed = next(number_of(e["listed"][0]) for e in after["exchanges"] if "listed" in e and SEGMENT_NAME.search(e["listed"][0]))
    inspected = [number_of(uri) for uri in after["inspected"]]
    assert len(inspected) <= 1, "the parser reads one segment, before the start"
    appended = [first_listed + round(a["start"] / 2) for a in after["appended"]]
    if len(appended) > len(set(appended)) and inspected:
        appended.remove(inspected[0])
    assert appended == list(range(appended[0], appended[0] + len(appended))), "what reached the buffer has holes or repetitions"
    times = sorted({(a["start"], a["end"]) for a in after["appended"]})
    assert [(a, b) for a, b in zip(times, times[1:]) if abs(b[0] - a[1]) > 0.001] == [], "what reached the buffer has holes"
    loaded = [number_of(uri) for uri in after["segments"]]
    assert len(loaded) == len(set(loaded)), "segments were repeated"
    assert set(appended) - {appended[-1]} <= {*loaded, *inspected}, "what reached the buffer was not loaded"
    assert set(loaded) - {loaded[-1]} <= set(appended), "what was loaded did not reach the buffer"   # the last one may be in transit
    assert [b for b in after["buffering"] if b["on"] and b["at"] > before["currentTime"]] == []


def assert_it_was_watched(seen):
    assert seen["wallSeconds"] < 1.5 * (seen["after"]["currentTime"] - seen["before"]["currentTime"]) + 2
    assert seen["complaints"] == [] or all("net::ERR" in c for c in seen["complaints"]), seen["complaints"]


def follow_the_viewer(network_event, processes, watch):
    inside = network_event.networks.client.enter
    hls = watch(network_event.page_url("hls-js"), 0, within=inside)
    shaka = watch(network_event.playlist_url("shaka"), 0, screenshot="shaka", script="shaka.mjs", within=inside)
    ffmpeg = start_ffmpeg(processes, network_event)
    gstreamer = [start_gstreamer(processes, network_event, element) for element in GSTREAMER]
    hls.wait_playing()
    shaka.wait_playing()
    move_through_all_networks(network_event)
    for viewer in (hls, shaka):
        viewer.enough()
    hls_saw, shaka_saw = hls.wait_done(), shaka.wait_done()
    (network_event.folder / "shaka.json").write_text(json.dumps(shaka_saw))
    for player in (ffmpeg, *gstreamer):
        assert player.is_playing(), player.said.read_text()[-3000:]
        player.stop()

    assert {player: path_of(network_event, player) for player in WATCHED} == {player: PATH for player in WATCHED}
    assert_hls_js_continued(hls_saw)
    assert_shaka_continued(shaka_saw, network_event.cuts)
    for seen in (hls_saw, shaka_saw):
        assert_it_was_watched(seen)
    assert_ffmpeg_saw_every_frame(ffmpeg)
    for player in gstreamer:
        assert_gstreamer_saw_every_frame(player)
        assert_gstreamer_did_not_wait(player)
    for player in WATCHED:
        witness = Player(network_event.url("balancer"), channel=player, query=network_event.session_query(player)).open()
        assert witness.refresh().discontinuity == 0 and "#EXT-X-DISCONTINUITY\n" not in witness.playlist.text


def test_every_player_continues_over_network_changes_and_a_dead_node(network_event, processes, watch):
    with network_event.origin.in_time():
        follow_the_viewer(network_event, processes, watch)
