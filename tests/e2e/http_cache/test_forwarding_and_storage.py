"""The plain cache between clients and any origin: forwarded fields, stored responses, and faults of the origin."""
import json
import re
import subprocess
import threading
from urllib.parse import urljoin

import pytest
from harness.event import KEYS, merged, process_config
from harness.origin import head, held, in_turn, ok, raw, status
from harness.raw_client import Connection, fetch, request_bytes
from harness.tribune_process import BINARY
from harness.waiting import stretched


@pytest.fixture
def start_plain(plain_cache, origin):
    """Starts a plain cache with one worker in front of the origin; its address."""
    return lambda **options: plain_cache(origin.url, process={"workers": 1}, **options).bound("http_cache")


FRESH = {"Cache-Control": "max-age=60"}


def echo_host(request, wire):
    """Responds as an origin that builds its links from the forwarded host and protocol."""
    body = f"{request.header('X-Forwarded-Proto')}://{request.header('X-Forwarded-Host')}/".encode()
    wire.send(head(200, FRESH, len(body)) + body)


def test_no_client_can_poison_the_cache_for_another_host(start_plain, origin):
    address = start_plain()
    origin.on("/a", echo_host)
    assert fetch(f"http://{address}/a", headers={"Host": "evil.example"}).body == b"http://evil.example/"
    answer = fetch(f"http://{address}/a", headers={"Host": "good.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"})
    assert answer.body == b"http://good.example/" and "fwd=uri-miss" in answer.header("Cache-Status")
    again = fetch(f"http://{address}/a", headers={"Host": "GOOD.example:80"})
    assert again.body == b"http://good.example/" and "; hit" in again.header("Cache-Status")


def test_a_host_outside_the_list_gets_421(start_plain, origin):
    address = start_plain(hosts=["good.example"])
    origin.on("/a", echo_host)
    answer = fetch(f"http://{address}/a", headers={"Host": "evil.example"})
    assert answer.status == 421 and answer.json["type"] == "/problems/misdirected"
    assert fetch(f"http://{address}/a", headers={"Host": "good.example:8080"}).status == 200
    assert origin.count("/a") == 1


def test_a_field_named_by_connection_is_not_forwarded_and_selects_no_variant(start_plain, origin):
    address = start_plain(pass_fields=["X-Tenant"])

    def tenants_page(request, wire):
        body = (request.header("X-Tenant") or "nobody").encode()
        wire.send(head(200, {**FRESH, "Vary": "X-Tenant"}, len(body)) + body)

    origin.on("/a", tenants_page)
    with Connection(address) as connection:
        assert connection.request("/a", headers={"X-Tenant": "1", "Connection": "x-tenant"}).body == b"nobody"
        assert connection.request("/a", headers={"X-Tenant": "1"}).body == b"1"
        assert connection.request("/a").body == b"nobody"
    assert origin.count("/a") == 2
    # A POST invalidates all variants.
    fetch(f"http://{address}/a", method="POST", headers={"X-Tenant": "2"}, body=b"x")
    fetch(f"http://{address}/a", headers={"X-Tenant": "1"})
    assert origin.count("/a") == 4


def test_the_origin_receives_the_client_address_in_one_x_forwarded_for(start_plain, origin):
    address = start_plain()
    origin.on("/a", ok(b"hello"))
    fetch(f"http://{address}/a", headers={"X-Forwarded-For": "203.0.113.7", "X-Original-URL": "/admin", "Forwarded": "for=203.0.113.7"})
    asked = origin.seen("/a")[-1]
    assert [value for name, value in asked.fields if name.lower() == "x-forwarded-for"] == ["127.0.0.1"]
    assert asked.header("X-Original-URL") is None and asked.header("Forwarded") is None


@pytest.mark.parametrize("settings", [{"front": {"trusted_proxies": ["127.0.0.0/8"]}}, {"keep_forwarded_for": True}], ids=["trusted", "kept"])
def test_a_trusted_or_kept_x_forwarded_for_is_extended(start_plain, origin, settings):
    address = start_plain(**settings)
    origin.on("/a", ok(b"hello"))
    fetch(f"http://{address}/a", headers={"X-Forwarded-For": "203.0.113.7"})
    assert [value for name, value in origin.seen("/a")[-1].fields if name.lower() == "x-forwarded-for"] == ["203.0.113.7, 127.0.0.1"]


@pytest.mark.parametrize("target", ["/a?x=%zz&y=%", "/a?", "/a?b=[\"]"])
def test_a_request_target_is_forwarded_unchanged(start_plain, origin, target):
    address = start_plain()
    origin.on("/a", ok(b"hello", fields=FRESH))
    for hit in (False, True):
        answer = fetch(f"http://{address}{target}")
        assert answer.status == 200 and ("; hit" in answer.header("Cache-Status")) == hit
    assert [request.target for request in origin.seen("/a")] == [target]


def test_options_is_answered_where_max_forwards_reaches_zero(start_plain, origin):
    address = start_plain()
    origin.on("/a", status(204, b""))
    here = fetch(f"http://{address}/a", method="OPTIONS", headers={"Max-Forwards": "0"})
    assert here.status == 204 and "GET" in here.header("Allow") and origin.count("/a") == 0
    fetch(f"http://{address}/a", method="OPTIONS", headers={"Max-Forwards": "2"})
    assert origin.seen("/a")[-1].header("Max-Forwards") == "1"


def test_early_hints_are_forwarded_before_the_final_response(start_plain, origin):
    address = start_plain()
    gate = origin.gate()
    origin.on("/a", held(gate, ok(b"hello"), first=b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"))
    with Connection(address) as connection:
        connection.send(request_bytes("/a"))
        hint = connection.read_head()
        assert hint.status == 103 and hint.header("Link") == "</a.css>; rel=preload"
        gate.open()
        assert connection.read_response().body == b"hello"


@pytest.mark.parametrize("target, host", [("http://h:80/a", "h"), ("http://h:/a", "h"), ("https://h:443/a", "h"), ("http://h/a", "h:80")])
def test_an_absolute_target_may_contain_the_default_port(start_plain, origin, target, host):
    address = start_plain()
    origin.on("/a", ok(b"hello"))
    with Connection(address) as connection:
        assert connection.request(target, host=host).body == b"hello"


@pytest.mark.parametrize("extension", [b";", b";a b", b";a=", b";a(b"], ids=["bare", "space", "no value", "no token"])
def test_malformed_chunk_extensions_are_rejected(start_plain, origin, extension):
    address = start_plain()
    origin.on("/a", ok(b"hello"))
    with Connection(address) as connection:
        connection.send(b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5%s\r\nhello\r\n0\r\n\r\n" % extension)
        assert connection.read_response().status == 400
    assert origin.count("/a") == 0


BROKEN = {
    "says HTTP/2": raw(b"HTTP/2 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello"),
    "a bad chunk with the head": raw(head(200, {**FRESH, "Transfer-Encoding": "chunked"}) + b"zz\r\nhello\r\n"),
    "a bad chunk after a good one": raw(head(200, {**FRESH, "Transfer-Encoding": "chunked"}) + b"5\r\nhello\r\nzz\r\n"),
    "closes at once": raw(b""),
    "half a head": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "resets at once": raw(b"", then="reset"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_malformed_response_is_a_502_and_is_not_stored(start_plain, origin, kind):
    address = start_plain()
    origin.on("/a", BROKEN[kind])
    for _ in range(2):
        answer = fetch(f"http://{address}/a")
        assert answer.status == 502 and answer.complete
    origin.on("/a", ok(b"good"))
    assert fetch(f"http://{address}/a").body == b"good"


def test_an_error_is_not_stored_whatever_its_cache_control_says(start_plain, origin):
    address = start_plain(keep_errors="0s")
    origin.on("/a", in_turn(status(500, fields=FRESH), ok(b"good", fields=FRESH)))
    assert fetch(f"http://{address}/a").status == 500
    assert fetch(f"http://{address}/a").body == b"good"


def test_cache_status_reports_no_storage_for_an_incomplete_response(start_plain, origin):
    address = start_plain()
    gate = origin.gate()
    origin.on("/a", held(gate, raw(b"lo"), first=head(200, FRESH, 10) + b"hel"))
    with Connection(address) as connection:
        connection.send(request_bytes("/a"))
        answer = connection.read_head()
        assert answer.header("Cache-Status") == "plain; fwd=uri-miss; fwd-status=200"
        gate.open()
        connection.read_body(answer)
        assert not answer.complete
    origin.on("/b", ok(b"hello", fields=FRESH))
    assert fetch(f"http://{address}/b").header("Cache-Status") == "plain; fwd=uri-miss; fwd-status=200; stored"


def test_a_response_below_the_minimum_rate_is_aborted(start_plain, origin):
    address = start_plain(low_speed_bytes="1KiB", low_speed_window="1s", stall_timeout="1min")
    over = threading.Event()

    def drip(request, wire):
        wire.send(head(200, {}, 100_000))
        while not over.wait(0.05):
            wire.send(b"x")

    origin.on("/a", drip)
    try:
        assert not fetch(f"http://{address}/a", timeout=20).complete
    finally:
        over.set()


def test_a_response_that_stalls_in_its_body_is_aborted(start_plain, origin):
    address = start_plain(low_speed_bytes="0B", stall_timeout="500ms")
    origin.on("/a", held(origin.gate(), raw(b""), first=head(200, {}, 10) + b"hel"))
    assert not fetch(f"http://{address}/a", timeout=20).complete


def test_stale_while_revalidate_causes_one_request_for_many_clients(start_plain, origin):
    address = start_plain()
    gate = origin.gate()
    stale = ok(b"hello", fields={"Cache-Control": "max-age=0, stale-while-revalidate=600"}, etag='"one"')
    origin.on("/a", in_turn(stale, held(gate, stale)))
    assert fetch(f"http://{address}/a").body == b"hello"
    with Connection(address) as connection:
        for _ in range(20):
            assert connection.request("/a").body == b"hello"
    assert origin.wait_for("/a", 2) and origin.count("/a") == 2
    gate.open()


def only_http_cache(origin, **settings):
    """A configuration with the section http_cache and without the section front."""
    config = process_config(changes={"http_cache": {"listen": ["127.0.0.1:0"], "origin": origin.url, **settings}})
    del config["front"]
    return config


def test_a_process_may_have_the_role_http_cache_alone(programs, origin):
    origin.on("/a", ok(b"hello", fields=FRESH))
    cache = programs(only_http_cache(origin))
    url = f"http://{cache.bound('http_cache')}/a"
    for expected in ("tribune; fwd=uri-miss; fwd-status=200; stored", "tribune; hit; ttl="):
        answer = fetch(url)
        assert answer.body == b"hello" and answer.header("Cache-Status").startswith(expected)
    assert cache.is_ready() and not cache.logged("listening", listener="front")
    state = cache.admin("/status").json["http_cache"]
    assert state["responses"] == 1 and state["stored_bytes"] > 5 and state["max_bytes"] == 256 << 20
    assert cache.metric("tribune_http_requests_total", listener="http_cache", status="2xx") == 2
    cache.reload(only_http_cache(origin, id="other", max_bytes="1MiB", max_object_bytes="1MiB"))
    assert fetch(url).header("Cache-Status").startswith("other; hit")
    assert cache.admin("/status").json["http_cache"]["max_bytes"] == 1 << 20
    assert cache.terminate() == 0


def test_listener_and_origin_of_the_plain_cache_need_a_restart_and_limits_of_the_front_apply(programs, origin):
    origin.on("/a", ok(b"hello", fields=FRESH))
    cache = programs(only_http_cache(origin))
    address = cache.bound("http_cache")
    for key, value in (("listen", ["127.0.0.2:0"]), ("origin", "http://127.0.0.1:1")):
        cache.reload(merged(only_http_cache(origin), {"http_cache": {key: value}, "front": {"listen": [], "limits": {"max_target_bytes": 256}}}))
        cache.wait_log("restart_needed", key=f"http_cache.{key}")
    assert fetch(f"http://{address}/a").body == b"hello"
    assert fetch(f"http://{address}/a?{'x' * 300}").status == 414


@pytest.mark.release_only("sanitizers reserve terabytes of addresses")
def test_the_settings_of_a_plain_cache_and_a_node_in_memory_fit_into_one_memory_limit(programs, origin):
    both = programs(merged(only_http_cache(origin, max_bytes="1GiB"), {
        "front": {"listen": ["127.0.0.1:0"]},
        "event": {"keys": KEYS},
        "cache_node": {"id": "stadium", "public_url": "http://127.0.0.1:1", "balancers": ["http://127.0.0.1:1"], "store": "memory", "max_bytes": "1GiB"},
    }), wrapper=["prlimit", f"--as={500 << 20}"])
    node, cache = (both.wait_log("ram_bounds_lowered", component=role)[0] for role in ("cache_node", "http_cache"))
    assert cache["max_bytes"] == cache["allowed"] and node["objects"] + node["fill_buffer_bytes"] <= node["allowed"]
    assert cache["allowed"] + node["allowed"] < 500 << 20
    assert abs(cache["allowed"] / node["allowed"] - cache["wanted"] / node["wanted"]) < 0.01, "in proportion to the configured sizes"


def test_the_key_of_the_previous_version_is_an_error_that_names_the_section(programs, folder, origin):
    config = process_config(changes={"event": {"keys": KEYS}, "cache_node": {
        "id": "plain", "public_url": "http://127.0.0.1:1", "balancers": ["http://127.0.0.1:1"], "store_dir": str(folder / "store"),
        "proxy": {"listen": ["127.0.0.1:0"], "origin": origin.url}}})
    program = programs(config, start=False)
    line = 1 + next(i for i, text in enumerate(json.dumps(config, indent=1).splitlines()) if '"proxy"' in text)
    for command in ("check", "serve"):
        ran = subprocess.run([BINARY, command, program.config_file], capture_output=True, text=True, timeout=stretched(10))
        assert ran.returncode == 1
        assert ran.stderr == f"{program.config_file}:{line}:3: cache_node.proxy: is now the section http_cache\n"


def start_with_extra_object(event, uri="thing.bin"):
    """Starts an event whose playlist references one more object: (player, link to the object)."""
    event.live.extra_tags = f'#EXT-X-KEY:METHOD=AES-128,URI="{uri}",IV=0x00000000000000000000000000000001'
    event.start(node={"process": {"workers": 1}, "cache_node": {"origin": {"hold": "0s", "keep_errors": "0s"}}})
    player = event.player().open()
    playlist = player.refresh()
    return player, urljoin(player.media_url, re.search(r'URI="([^"]*)"', playlist.text).group(1))


@pytest.mark.parametrize("kind", BROKEN)
def test_a_malformed_response_is_a_502_on_the_media_path(event, kind):
    event.origin.on("/live/demo/v1/thing.bin", BROKEN[kind])
    player, url = start_with_extra_object(event)
    # Often enough to open the circuit of the origin.
    for _ in range(5):
        answer = player.follow(url)
        assert not answer.complete or answer.status == 502, answer
        if "good one" not in kind:
            assert answer.complete


def test_an_empty_query_reaches_the_origin_on_the_media_path(event):
    event.origin.on("/live/demo/v1/thing.bin", ok(b"0123456789abcdef"))
    player, url = start_with_extra_object(event, "thing.bin?")
    assert player.follow(url).body == b"0123456789abcdef"
    assert [request.target for request in event.origin.seen("/live/demo/v1/thing.bin")] == ["/live/demo/v1/thing.bin?"]
