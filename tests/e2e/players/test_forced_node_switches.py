"""hls.js while the node changes repeatedly, by pins in the playlist and by redirects: no error and no skipped segment."""
import re

from harness.operator_cli import ctl
from harness.waiting import LONG, wait_until
from packaged_event import errors_of, stalls_of

SWITCHES = 100 if LONG else 8
LINKS = ("direct", "redirect")
NODES = ("stadium", "city")


def numbers_served(event, node, channel):
    found = (re.match(rf"/media/{channel}/.*?seg-(\d+)\.", path) for path in event.segments_served(node))
    return {int(m.group(1)) for m in found if m}


def switch(event, to, away):
    """Moves all viewers to this node; returns when each of them has loaded a segment from it."""
    before = {channel: numbers_served(event, to, channel) for channel in LINKS}
    ctl(event, "undrain", to)
    ctl(event, "drain", away)
    for channel in LINKS:
        wait_until(lambda: numbers_served(event, to, channel) - before[channel], 20, f"{channel} links lead to {to}")


def switch_again_and_again(event, watch, wrong):
    source = f"{event.origin.url}/demo/180p/index.m3u8"
    event.channels = [event.channel_config(links, source, links=links) for links in LINKS]
    event.start(nodes=NODES, balancer={"balancer": {"routing": {"drain_time": "0ms"}}})
    viewers = {links: watch(event.page_url(links), 0, screenshot=links) for links in LINKS}
    for viewer in viewers.values():
        viewer.wait_playing()
    for step in range(SWITCHES):
        switch(event, NODES[(step + 1) % 2], NODES[step % 2])
    last = NODES[SWITCHES % 2]
    served = {links: numbers_served(event, last, links) for links in LINKS}
    for links, viewer in viewers.items():   # a player that requests the next segment has the one before
        wait_until(lambda: numbers_served(event, last, links) - served[links], 20, f"{links}: one more of {last}")
        viewer.enough()
    for links, viewer in viewers.items():
        seen = viewer.wait_done()
        after = seen["after"]
        # Only stalls for lack of data, which are checked below, are permitted here.
        others = [e for e in after["errors"] if e["details"] not in ("bufferStalledError", "bufferNudgeOnStall")]
        wrong[links] = (others, seen["complaints"])
        assert (errors_of(after), stalls_of(after)) == ([], []), links
        pictures = [f for f in after["fragments"] if f["type"] == "main"]
        numbers = [f["sn"] for f in pictures]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"{links}: segments were skipped or repeated"
        changes = sum(a["node"] != b["node"] for a, b in zip(pictures, pictures[1:]))
        assert changes == SWITCHES, f"{links}: {[f['node'] for f in pictures]}"


def test_forced_node_switches_cause_no_error_in_hls_js(packaged_event, watch):
    wrong = {}
    try:
        with packaged_event.origin.in_time():
            switch_again_and_again(packaged_event, watch, wrong)
    finally:
        assert all(found == ([], []) for found in wrong.values()), wrong
