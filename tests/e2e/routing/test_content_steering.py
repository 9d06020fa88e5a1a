"""HLS Content Steering: pathways in multivariant playlists, the steering manifest, and the nodes of a pathway."""
import json
import re
from urllib.parse import parse_qs, urljoin, urlsplit

from harness.operator_cli import ctl
from harness.parsing import variant_uris
from harness.raw_client import fetch
from harness.routing import LIVE_NODES
from harness.waiting import wait_until

TTL, SHORT = 90, 2


def start_event(event, links="direct", fallback="none", **steering):
    event.channels = [event.channel_config("demo", event.live.source, links=links, steering=True, fallback=fallback),
                      event.channel_config("plain", event.live.source)]
    rules = {"ttl": f"{TTL}s", "ttl_under_pressure": f"{SHORT}s", **steering}
    event.start(nodes=LIVE_NODES, balancer={"balancer": {"steering": rules, "routing": {"drain_time": "0ms", "ramp": "0ms", "balance_from": 1000}}})


class Steered:
    """A player that selects its pathway from the multivariant playlist and the manifests."""

    def __init__(self, event, **options):
        self.event = event
        self.player = event.player(**options).open()
        self.text = self.player.multivariant.text
        tag = re.search(r'#EXT-X-CONTENT-STEERING:SERVER-URI="([^"]+)",PATHWAY-ID="([^"]+)"', self.text)
        self.server, self.pathway = urljoin(self.player.url, tag.group(1)), tag.group(2)
        self.pathways = list(dict.fromkeys(re.findall(r'#EXT-X-STREAM-INF:.*PATHWAY-ID="([^"]+)"', self.text)))
        uris = variant_uris(self.text, self.player.url)
        self.first_variants = {p: uris[i * len(event.live.variants)] for i, p in enumerate(self.pathways)}
        self.player.media_url = self.first_variants[self.pathway]

    def manifest(self, **said):
        extra = "".join(f"&{key}={value}" for key, value in said.items())
        answer = fetch(self.server + extra)
        assert answer.status == 200, (answer, answer.body)
        manifest = json.loads(answer.text)
        self.server = urljoin(self.server, manifest.get("RELOAD-URI", self.server))
        return manifest

    def on(self, pathway):
        """Switches the player to the playlist of this pathway, whose segments it has not seen."""
        self.player.media_url = self.first_variants[pathway]
        self.player.texts = {}
        return self.player


def host_of(segment):
    return f"http://{urlsplit(segment.uri).netloc}"


def test_a_playlist_lists_its_pathways_and_the_manifest_has_their_priority(event):
    start_event(event)
    steered = Steered(event)
    assert (steered.pathway, steered.pathways) == ("stadium", ["stadium", "city"])
    session = parse_qs(urlsplit(steered.server).query)["session"][0]
    assert f"~{session}/~via/stadium/" in steered.text and f"~{session}/~via/city/" in steered.text
    ids = re.findall(r'STABLE-VARIANT-ID="([^"]+)"', steered.text)
    assert len(ids) == 4 and ids[:2] == ids[2:] and ids[0] != ids[1]
    manifest = steered.manifest(_HLS_pathway="%22stadium%22", _HLS_throughput=5140000)
    assert (manifest["VERSION"], manifest["TTL"], manifest["PATHWAY-PRIORITY"]) == (1, TTL, ["stadium", "city"])
    assert "PATHWAY-CLONES" not in manifest and "RELOAD-URI" not in manifest   # the player requests the same URL again
    assert steered.manifest()["PATHWAY-PRIORITY"] == ["stadium", "city"]
    assert event.balancer.metric("tribune_balancer_steering_requests_total", pathway="stadium") == 1
    assert event.balancer.metric("tribune_balancer_steering_throughput_mbps_sum", pathway="stadium") == 5.14
    within = steered.player.media_url.split("~via/")[0] + "index.m3u8"
    assert "~via/city/" in fetch(within).text and "EXT-X-CONTENT-STEERING" in fetch(within).text


def test_a_manifest_may_be_requested_cross_origin_with_get_head_and_options(event):
    start_event(event)
    url = f"{event.url('balancer')}/steering/demo"
    answer = fetch(url, headers={"Origin": "https://page.example"})
    assert answer.status == 200 and answer.header("Access-Control-Allow-Origin") == "*"
    assert answer.header("Content-Type") == "application/vnd.apple.steering-list" and answer.header("Cache-Control") == "no-store"
    head = fetch(url, method="HEAD")
    assert (head.status, head.body, head.header("Content-Length")) == (200, b"", str(len(answer.body)))
    options = fetch(url, method="OPTIONS", headers={"Origin": "https://page.example", "Access-Control-Request-Method": "GET"})
    assert options.status in (200, 204) and options.header("Access-Control-Allow-Origin") == "*"
    assert fetch(url, method="POST").status == 405
    for channel, problem in (("nothing", "channel-unknown"), ("plain", "not-found")):
        refused = fetch(f"{event.url('balancer')}/steering/{channel}")
        assert refused.status == 404 and refused.json["type"].endswith(problem)
        assert refused.header("Content-Type") == "application/problem+json"


def test_no_query_value_makes_the_manifest_fail(event):
    start_event(event)
    steered = Steered(event)
    token = parse_qs(urlsplit(steered.server).query)["session"][0]
    forged = token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]
    for query in (f"session={forged}", "session=", "session=t.x", "_HLS_pathway=nowhere&_HLS_throughput=-1", "_HLS_throughput=%00", "pathways=,,&_HLS_pathway=%22",
                  "pathways=" + ",".join(f"g{i}" for i in range(200)), "_HLS_pathway=city&_HLS_pathway=stadium", "x=" + "y" * 2000):
        answer = fetch(f"{event.url('balancer')}/steering/demo?{query}")
        assert answer.status == 200, (query, answer)
        manifest = json.loads(answer.text)
        assert manifest["PATHWAY-PRIORITY"][:2] == ["stadium", "city"], (query, manifest)
        assert "session=" not in manifest.get("RELOAD-URI", "")


def test_a_drained_group_loses_its_pathway_priority_and_listed_text_stays(event):
    start_event(event)
    steered = Steered(event)
    steered.manifest()
    player = steered.on("stadium")
    assert host_of(player.refresh().segments[-1]) == event.url("stadium")
    ctl(event, "drain", "stadium")
    manifest = steered.manifest(_HLS_pathway="stadium")
    assert (manifest["TTL"], manifest["PATHWAY-PRIORITY"]) == (SHORT, ["city", "stadium"])
    old = dict(player.texts)
    city = steered.on("city")
    assert {host_of(s) for s in city.refresh().segments} == {event.url("city")}
    city.play(city.playlist.last_msn, event.live.bytes_of("v1", city.playlist.last_msn))
    ctl(event, "undrain", "stadium")
    wait_until(lambda: steered.manifest(_HLS_pathway="city")["PATHWAY-PRIORITY"] == ["stadium", "city"], 5, "stadium is the best again")
    player = steered.on("stadium")
    player.texts = old   # a player compares with what this playlist listed before
    event.live.advance()
    assert host_of(player.wait_for_msn(event.live.next_msn - 1)) == event.url("stadium")
    assert Steered(event).pathway == "stadium"


def test_a_killed_groups_pathway_is_served_by_others_and_comes_last(event):
    start_event(event, links="redirect")
    steered = Steered(event)
    steered.manifest()
    event.nodes["stadium"].kill()
    wait_until(lambda: not event.is_up("stadium"), 5, "the balancer drops the silent node")
    manifest = steered.manifest(_HLS_pathway="stadium")
    assert (manifest["TTL"], manifest["PATHWAY-PRIORITY"]) == (SHORT, ["city", "stadium"])
    for pathway in ("stadium", "city"):   # players that cannot switch are served as well
        player = steered.on(pathway)
        player.refresh()
        assert f"/~via/{pathway}/" in player.playlist.segments[-1].uri
        player.play(player.playlist.last_msn, event.live.bytes_of("v1", player.playlist.last_msn))
        assert f"http://{player.nodes[-1]}" == event.url("city")
    assert Steered(event).pathway == "city"


def test_a_pathway_counts_as_a_choice_only_after_a_manifest_request(event):
    start_event(event, links="redirect")
    steered = Steered(event)
    player = steered.on("city")
    msn = player.refresh().last_msn
    player.play(msn, event.live.bytes_of("v1", msn))
    steered.manifest()
    player.play(msn, event.live.bytes_of("v1", msn))
    assert [f"http://{node}" for node in player.nodes] == [event.url("stadium"), event.url("city")]


def test_the_origin_pathway_leads_to_the_origin_where_the_channel_allows_it(event):
    start_event(event, links="direct", fallback="origin")
    steered = Steered(event)
    assert steered.pathways == ["stadium", "city", "ORIGIN"]
    assert steered.manifest()["PATHWAY-PRIORITY"] == ["stadium", "city", "ORIGIN"]
    player = steered.on("ORIGIN")
    msn = player.refresh().last_msn
    player.play(msn, event.live.bytes_of("v1", msn))
    assert f"http://{player.nodes[-1]}" == event.origin.url
    for name in LIVE_NODES:
        ctl(event, "drain", name)
    assert steered.manifest()["PATHWAY-PRIORITY"] == ["ORIGIN", "stadium", "city"]


def test_a_group_that_the_playlist_does_not_list_becomes_a_clone(event):
    start_event(event, links="redirect", most_pathways=1)
    steered = Steered(event)
    assert steered.pathways == ["stadium"]
    assert "PATHWAY-CLONES" not in steered.manifest()
    ctl(event, "drain", "stadium")
    manifest = steered.manifest(_HLS_pathway="stadium")
    assert (manifest["TTL"], manifest["PATHWAY-PRIORITY"]) == (SHORT, ["city", "stadium"])
    clone, = manifest["PATHWAY-CLONES"]
    assert (clone["BASE-ID"], clone["ID"]) == ("stadium", "city")
    (key, value), = clone["URI-REPLACEMENT"]["PARAMS"].items()
    base = steered.first_variants["stadium"]
    answer = fetch(f"{base}?{key}={value}&_HLS_x=1")
    assert answer.status == 307
    led = urljoin(base, answer.header("Location"))
    assert led == base.replace("~via/stadium/", "~via/city/") + "?_HLS_x=1"
    player = steered.player
    player.media_url = led
    msn = player.refresh().last_msn
    player.play(msn, event.live.bytes_of("v1", msn))
    assert f"http://{player.nodes[-1]}" == event.url("city")
