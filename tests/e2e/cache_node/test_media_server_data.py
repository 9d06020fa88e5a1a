"""Common Media Server Data (CTA-5006): the load that a node reports to players."""
import re

from harness.raw_client import fetch
from harness.waiting import wait_until


def segment_of(event):
    return event.player().open().refresh().segments[-1].uri


def test_a_node_near_its_capacity_sends_players_a_maximum_bitrate(event):
    event.live.size = 512 * 1024
    event.start(node={"cache_node": {"cmsd": True, "capacity_mbps": 2, "heartbeat_interval": "100ms"}})
    uri = segment_of(event)
    answer = fetch(uri)
    assert answer.header("CMSD-Static") == 'sf=h,n="stadium"'
    assert answer.header("CMSD-Dynamic") == '"stadium"'
    assert {"CMSD-Dynamic", "CMSD-Static"} <= set(answer.header("Access-Control-Expose-Headers").split(", "))

    def share():
        return re.fullmatch(r'"stadium";du;mb=(\d+)', fetch(uri).header("CMSD-Dynamic"))

    said = wait_until(share, 10, "each answer is more than the node can send between two heartbeats")
    assert 1 <= int(said[1]) <= 2_000
    refused = fetch(uri.split("?")[0])
    assert refused.status == 403 and not refused.header("CMSD-Dynamic"), "requests without a link receive no load of the node"


def test_without_the_setting_no_cmsd_header_is_sent(event):
    event.start()
    answer = fetch(segment_of(event))
    assert answer.status == 200 and not answer.header("CMSD-Static") and not answer.header("CMSD-Dynamic")
