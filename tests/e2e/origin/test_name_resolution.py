"""Names and addresses of origins: no resolution and no dead address blocks an event loop, and no name leads to a forbidden
address. A preloaded library in front of getaddrinfo answers from a file that the test writes."""
import pytest
from harness import telemetry_names
from harness.raw_client import fetch
from harness.waiting import Stopwatch, stretched, wait_until

def start_event(event, fake_dns, process=None):
    origin = {"connect_timeout": "500ms", "first_byte_timeout": "1s", "allow_special_addresses": True}
    process_section = {"process": process or {}}
    event.channels = [event.channel_config("demo", event.live.source.replace("127.0.0.1", "origin.test")), event.channel_config("plain", event.live.source)]
    event.start_node("stadium", {**process_section, "cache_node": {"origin": origin}}, environment=fake_dns.environment)
    event.start_balancer(["stadium"], {**process_section, "balancer": {"origin": origin}}, environment=fake_dns.environment)
    event.wait_registered("stadium")
    event.player(channel="plain").open().refresh()   # the first viewer of a channel waits for its numbering to be on disk


def plain_is_served_at_once(event):
    quick = Stopwatch()
    player = event.player(channel="plain").open()
    playlist = player.refresh()
    player.play(playlist.last_msn, event.live.bytes_of("v1", playlist.last_msn))
    assert quick.seconds() < stretched(1.5), "another channel waited"


def test_an_origin_is_resolved_by_name(event, fake_dns):
    fake_dns.set_addresses(origin="127.0.0.1")
    start_event(event, fake_dns)
    player = event.player().open()
    playlist = player.refresh()
    player.play(playlist.last_msn, event.live.bytes_of("v1", playlist.last_msn))


@pytest.mark.parametrize("fault", ["fail", "hang", "127.0.0.99", "0.0.0.1"])
def test_a_failing_or_hanging_resolution_blocks_no_other_channel_and_recovers(event, fake_dns, fault):
    fake_dns.set_addresses(origin=fault)
    start_event(event, fake_dns)
    took = Stopwatch()
    answer = event.balancer.get("/live/demo/index.m3u8")
    assert answer.status in (502, 503, 504), answer
    assert took.seconds() < stretched(6)
    plain_is_served_at_once(event)
    event.balancer.wait_metric(telemetry_names.SOURCE_FAILURES)
    fake_dns.set_addresses(origin="127.0.0.1")
    wait_until(lambda: event.balancer.get("/live/demo/index.m3u8").status == 200, 10, "recovered without a restart")
    player = event.player().open()
    playlist = player.refresh()
    player.play(playlist.last_msn, event.live.bytes_of("v1", playlist.last_msn), tries=3)


@pytest.mark.parametrize("fault", ["fail", "hang"])
def test_the_last_good_address_is_used_when_resolution_fails(event, fake_dns, fault):
    fake_dns.set_addresses(origin="127.0.0.1")
    # One worker each: a worker has the addresses that it has used itself.
    start_event(event, fake_dns, process={"workers": 1})
    player = event.player().open()
    first = player.refresh().segments[0]
    player.play(first.msn, event.live.bytes_of("v1", first.msn))
    fake_dns.set_addresses(origin=fault)
    # Closes kept connections, so that a new one is needed.
    event.origin.refuse()
    event.origin.resume()
    for _ in range(3):
        event.live.advance()
        segment = player.wait_for_msn(event.live.next_msn - 1, within=8)
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn), tries=3)
    plain_is_served_at_once(event)


def test_a_changed_address_is_followed(event, fake_dns):
    fake_dns.set_addresses(origin="127.0.0.1")
    start_event(event, fake_dns)
    player = event.player().open()
    player.refresh()
    event.origin.refuse()
    event.origin.host = "127.0.0.3"
    event.origin.resume()
    fake_dns.set_addresses(origin="127.0.0.3")
    event.live.advance()
    player.wait_for_msn(event.live.next_msn - 1, within=12)


def test_the_next_address_of_a_name_is_tried_when_the_first_fails(event, fake_dns):
    fake_dns.set_addresses(origin="127.0.0.99,127.0.0.1")
    start_event(event, fake_dns)
    player = event.player().open()
    playlist = player.refresh()
    player.play(playlist.last_msn, event.live.bytes_of("v1", playlist.last_msn))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "192.168.1.1"])
def test_a_name_with_a_special_address_is_rejected_unless_allowed(event, fake_dns, address):
    fake_dns.set_addresses(origin=address)
    event.channels = [event.channel_config("demo", event.live.source.replace("127.0.0.1", "origin.test"))]
    event.start_node("stadium", environment=fake_dns.environment)
    event.start_balancer(["stadium"], environment=fake_dns.environment)
    event.wait_registered("stadium")
    before = len(event.origin.requests)
    took = Stopwatch()
    assert event.balancer.get("/live/demo/index.m3u8").status in (502, 503)
    assert took.seconds() < stretched(2), "refused after resolution, not by a deadline"
    assert len(event.origin.requests) == before
    failed = event.balancer.wait_log(telemetry_names.SOURCE_FAILED)[0]
    assert "allow_special_addresses" in failed["error"], failed


def test_dns_rebinding_to_a_special_address_is_rejected(event, fake_dns):
    """A name that resolved to an allowed address resolves to a forbidden one at the next look-up."""
    fake_dns.set_addresses(origin="198.51.100.1")
    event.channels = [event.channel_config("demo", event.live.source.replace("127.0.0.1", "origin.test"))]
    event.start_balancer([], {"balancer": {"origin": {"connect_timeout": "300ms"}}}, environment=fake_dns.environment)
    assert event.balancer.get("/live/demo/index.m3u8").status in (502, 503, 504)
    fake_dns.set_addresses(origin="127.0.0.1")
    for _ in range(5):
        assert fetch(event.balancer.url + "/live/demo/index.m3u8").status in (502, 503, 504)
    assert event.origin.requests == []
