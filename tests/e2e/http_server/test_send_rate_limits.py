"""Limits of the rate at which one connection is sent data, by the node's setting and by the link."""
from harness.raw_client import Connection, fetch, split_url
from harness.waiting import Stopwatch

SIZE = 4 << 20
BYTES_A_SECOND = 4 << 20
BURST = 2 << 20  # the first window, and what the kernel's queues take


def filled(event, rate):
    event.live.size = SIZE
    event.start(node={"front": {"limits": {"max_send_rate_bps": rate}}})
    event.live.advance()
    msn = event.live.next_msn - 1
    player = event.player().open()
    player.wait_for_msn(msn)
    _, url, body = event.link(msn)
    return url, body


def test_a_rate_limited_connection_is_limited_for_fills_and_hits(event):
    url, body = filled(event, BYTES_A_SECOND * 8)
    for _ in range(2):
        watch = Stopwatch()
        assert fetch(url).body == body
        assert watch.seconds() >= (SIZE - BURST) / BYTES_A_SECOND


def test_each_variant_is_sent_at_a_multiple_of_its_bandwidth(event):
    """BANDWIDTH is 1 and 2 Mbit/s; one connection asks for both in turn."""
    event.live.size = SIZE
    event.channels = [event.channel_config("demo", event.live.source, pace_factor=32)]
    event.start()
    event.live.advance()
    msn = event.live.next_msn - 1
    links = []
    for variant, rate in ((0, 32_000_000), (1, 64_000_000), (0, 32_000_000)):
        player = event.player(variant=variant).open()
        player.wait_for_msn(msn)
        _, url, body = event.link(msn, variant=variant)
        assert f"-{rate // 1000}." in url
        links.append((url, body, rate))
    address, _ = split_url(links[0][0])
    with Connection(address) as connection:
        for url, body, rate in links:
            watch = Stopwatch()
            assert connection.request(split_url(url)[1]).body == body
            assert watch.seconds() >= (SIZE - BURST) / (rate / 8)
    assert event.origin.count(event.live.path_of("v1", msn)) == 1
    assert fetch(links[0][0].replace("-32000.", ".")).status == 403, "the rate of a link cannot be removed"


def test_links_of_a_channel_without_a_pace_factor_have_no_rate(event):
    event.start()
    player = event.player().open()
    assert "-" not in player.refresh().segments[-1].uri.split("tl=")[1].rsplit(".", 2)[0]
