"""media3 (ExoPlayer), by its published rules, over changes of the viewer's network and a dead node."""
import json

import pytest
from harness.live_channel import LiveChannel
from harness.media3_client import Media3Client
from harness.origin import head, held, ok
from harness.paid_channel import PaidEvent, shop_of_event
from harness.waiting import SLOW, wait_until

NODES = ("stadium", "city", "suburb")
INSIDE, OUTSIDE = "127.0.1.5", "127.0.2.5"


@pytest.fixture
def media3_client(event):
    """Starts an event with an initialization section and coverage zones, and a media3 client: (event, client). `access`: of its channel, which an account
    has bought when it is paid."""
    made = []

    def make(links, access="free"):
        # media3 waits for a playlist for a number of target durations: slow builds have longer ones.
        event.live = LiveChannel(event.origin, fmp4=True, window=8, target=1 if SLOW == 1 else 2)
        event.channels = [event.channel_config("demo", event.live.source, links=links, access=access)]
        zones = event.folder / "zones.json"
        zones.write_text(json.dumps({"zones": [{"name": "stands", "group": "stadium", "prefixes": ["127.0.1.0/24"], "fallback": ["city"], "deep": True}]}))
        event.start(nodes=NODES, balancer={"api": shop_of_event(event), "balancer": {
            "routing": {"zones_file": str(zones), "default_groups": ["city", "suburb"], "probe_period": "200ms"}}})
        wait_until(lambda: all(len(event.nodes[n].access_log(path="/ping", status=200)) >= 2 for n in NODES), 5, "the balancer reaches the nodes")
        query = ""
        if access == "paid":
            paid = PaidEvent(event).sell(event.balancer, "demo")
            query = "?session=" + paid.session_of(paid.owner("ann"), "demo")
        made.append(Media3Client(event.balancer.url, source=OUTSIDE, query=query))
        made[-1].wait_loaded(event.live.next_msn - 1)
        return event, made[-1]

    yield make
    for client in made:
        client.close()


def assert_served_by(event, client, node, segments=1):
    for _ in range(segments):
        event.live.advance()
        msn = event.live.next_msn - 1
        assert "http://" + client.wait_loaded(msn).host == event.url(node), client.loaded


def assert_seamless(event, client):
    assert (client.errors, client.exclusions) == ([], [])
    assert [uri for uri, _ in client.inits] == [client.snapshot.map_uri], "the initialization section changed its URI"
    assert client.inits[0][1] == event.live.init_of("v1")
    numbers = [loaded.msn for loaded in client.loaded]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert [loaded.msn for loaded in client.loaded if loaded.body != event.live.bytes_of("v1", loaded.msn)] == []
    assert client.snapshot.discontinuity == 0 and "#EXT-X-DISCONTINUITY\n" not in client.snapshot.text


@pytest.mark.parametrize("links, access", (("auto", "free"), ("direct", "free"), ("auto", "paid")))
def test_media3_plays_on_over_network_changes_and_a_dead_node(media3_client, links, access):
    event, client = media3_client(links, access)
    assert_served_by(event, client, "city")
    client.source = INSIDE
    assert_served_by(event, client, "stadium")
    client.source = OUTSIDE
    assert_served_by(event, client, "city")
    event.nodes["city"].kill()
    if links == "direct":   # a direct link to the dead node would fail; redirects lead elsewhere
        wait_until(lambda: not event.is_up("city"), 4)
    assert_served_by(event, client, "suburb", segments=2)
    client.source = INSIDE
    assert_served_by(event, client, "stadium", segments=2)
    assert_seamless(event, client)


def test_media3_continues_at_another_node_when_its_node_dies_during_a_segment(media3_client):
    event, client = media3_client("auto")
    msn = event.live.next_msn
    body, gate, path = event.live.bytes_of("v1", msn), event.origin.gate(), event.live.path_of("v1", msn)
    whole = ok(body, "video/mp4")
    event.origin.on(path, held(gate, lambda request, wire: wire.send(body[1000:]), first=head(200, {"Content-Type": "video/mp4"}, len(body)) + body[:1000]))
    event.live.next_msn += 1   # published, and the origin is slow with it
    event.origin.wait_for(path)
    wait_until(lambda: [r for r in event.balancer.access_log(status=307, node="city") if r["path"].endswith(event.live.name_of(msn))], 10, "media3 is sent to its node")
    event.origin.on(path, whole)
    event.nodes["city"].kill()
    loaded = client.wait_loaded(msn)
    assert "http://" + loaded.host == event.url("suburb") and loaded.attempts > 1
    assert_served_by(event, client, "suburb")
    assert_seamless(event, client)
