"""Trust in clients: cross-site requests to operators' listeners, proxies and forwarded addresses, and what errors and logs reveal."""
import socket

from harness.event import merged
from harness.raw_client import Connection, fetch
from harness.waiting import wait_until

JSON = {"Content-Type": "application/json"}
TOKEN = "operator-secret-of-the-test"
SWITCH = "/access_queue_switch"


# -- the admin listener and browsers --

def test_the_admin_listener_rejects_cross_site_and_dns_rebinding_requests(event):
    balancer = event.start_balancer()
    port = balancer.admin_url.rsplit(":", 1)[1]
    at = f"localhost:{port}"
    before = balancer.admin("/limits").json

    rebound = {"Host": f"rebound.evil.example:{port}"}
    for path, method in (("/status", "GET"), ("/metrics", "GET"), ("/limits", "PUT"), ("/nodes/stadium/drain", "POST")):
        answer = fetch(balancer.admin_url + path, method=method, headers={**rebound, **JSON}, body=b"{}" if method == "PUT" else b"")
        assert answer.status == 421 and answer.json["type"] == "/problems/misdirected", (path, answer)

    for foreign in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Sec-Fetch-Site": "same-site"}):
        for method, body in (("GET", b""), ("PUT", b'{"max_sessions":0}'), ("OPTIONS", b"")):
            answer = fetch(balancer.admin_url + "/limits", method=method, headers={"Host": at, **foreign, **JSON}, body=body)
            assert answer.status == 403, (foreign, method, answer)
            assert not [name for name, _ in answer.fields if name.lower().startswith("access-control")], answer

    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert fetch(balancer.admin_url + "/limits", method="PUT", headers={"Content-Type": kind}, body=b'{"max_sessions":0}').status == 415
    assert fetch(balancer.admin_url + "/nodes/stadium/drain", method="POST", headers={"Content-Type": ""}).status == 415, "also without a body"
    assert balancer.admin("/limits").json == before
    assert event.node_state("stadium")["state"] != "drained"

    own = {"Host": at, "Origin": f"http://{at}", "Sec-Fetch-Site": "same-origin", **JSON}
    assert fetch(balancer.admin_url + "/limits", method="PUT", headers=own, body=b'{"max_sessions":7}').status == 200, "a page of the listener's own may"
    options = fetch(balancer.admin_url + "/limits", method="OPTIONS")
    assert options.status == 204 and "PUT" in options.header("Allow")
    assert not [name for name, _ in options.fields if name.lower().startswith("access-control")], options


def test_a_reload_changes_names_and_token_of_the_admin_listener_at_once(event):
    balancer = event.start_balancer(changes={"admin": {"names": ["ops.example"], "token": "first-token-of-the-test"}})

    def status(name, token):
        return fetch(balancer.admin_url + "/status", headers={"Host": name, "Authorization": f"Bearer {token}"}).status

    assert status("ops.example", "first-token-of-the-test") == 200
    assert status("other.example", "first-token-of-the-test") == 421
    kept = Connection(balancer.bound("admin"))
    assert kept.request("/status", headers={"Authorization": "Bearer first-token-of-the-test"}).status == 200
    balancer.reload(merged(balancer.config, {"admin": {"names": ["other.example"], "token": "second-token-of-the-test"}}))
    assert status("ops.example", "second-token-of-the-test") == 421
    assert status("other.example", "first-token-of-the-test") == 401
    assert status("other.example", "second-token-of-the-test") == 200
    assert kept.request("/status", headers={"Authorization": "Bearer first-token-of-the-test"}).status == 401, "on a kept connection too"
    kept.close()


# -- /access_queue_switch --

def test_the_drill_switch_needs_a_token_or_a_configured_network(event):
    balancer = event.start_balancer(changes={"balancer": {"operator_networks": [], "operator_token": TOKEN}})
    assert balancer.get(SWITCH).status == 403
    balancer.wait_log("drill_refused", reason="not_from_an_operator_network")
    assert balancer.get(SWITCH, headers={"Authorization": f"Bearer {TOKEN}"}).json == {"overload_emulation": True}


def test_the_drill_switch_rejects_cross_site_requests_and_unknown_proxies_in_an_operator_network(event):
    balancer = event.start_balancer()
    for reason, fields in (("cross_site", {"Sec-Fetch-Site": "cross-site"}), ("cross_site", {"Referer": "http://evil.example/"}),
                           ("cross_site", {"Origin": "http://evil.example"}), ("foreign_host", {"Host": "rebound.evil.example"}),
                           ("behind_an_unknown_proxy", {"X-Forwarded-For": "127.0.0.1"}), ("behind_an_unknown_proxy", {"Via": "1.1 squid"})):
        assert balancer.get(SWITCH, headers=fields).status == 403, fields
        balancer.wait_log("drill_refused", reason=reason)
    assert balancer.get("/queue/demo").json["overload_emulation"] is False
    assert balancer.get(SWITCH).json == {"overload_emulation": True}


def test_head_and_unknown_parameters_do_not_change_the_drill(event):
    balancer = event.start_balancer()
    for query in ("?stat=off", "?channel=demo", "?state=on&x=1", "?state=on&state=off", "?channel=&state=on"):
        assert balancer.get(SWITCH + query).status == 400, query
    for query in ("", "?state=on", "?sessions=5", "?channel=demo&state=on"):
        answer = balancer.get(SWITCH + query, method="HEAD")
        assert answer.status == 200, query
    assert balancer.get("/queue/demo").json["overload_emulation"] is False


# -- proxies --

def test_a_client_behind_a_proxy_protocol_cannot_choose_its_address(event):
    node = event.start_node("stadium", {"front": {"trusted_proxies": ["127.0.0.50/32"], "proxy_protocol": True}})
    with Connection(node.address, source="127.0.0.50") as connection:
        connection.send(b"PROXY TCP4 198.51.100.7 127.0.0.1 5 80\r\nGET /ping HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.9.9.9\r\n\r\n")
        assert connection.read_response().status == 200
    wait_until(lambda: node.access_log(client="198.51.100.7"), 3)
    assert not node.access_log(client="10.9.9.9")


def test_all_in_one_behind_a_proxy_protocol_receives_its_own_heartbeats(event):
    port = event.port("balancer")
    event.balancer = event.programs(merged(event.balancer_config([]), {
        "front": {"listen": [f"127.0.0.1:{port}"], "trusted_proxies": ["127.0.0.0/8"], "proxy_protocol": True},
        "balancer": {"nodes": [{"id": "stadium", "url": event.url("balancer")}]},
        "cache_node": {"id": "stadium", "public_url": event.url("balancer"), "balancers": [event.url("balancer")],
                       "store_dir": str(event.folder / "store"), "max_bytes": "64MiB"},
    }), "balancer")
    wait_until(lambda: event.is_up("stadium"), 6, "the node beside the balancer is up")
    assert fetch(event.balancer.url + "/ping").status == 400, "other clients must send a PROXY header"


# -- what errors and logs give away --

def test_errors_and_logs_reveal_neither_the_origin_nor_its_secret(event):
    secret = "origin-secret-4711"
    dead = socket.create_server(("127.0.0.1", 0))
    port = dead.getsockname()[1]
    dead.close()
    event.channels.append(event.channel_config("gone", f"http://127.0.0.1:{port}/gone/index.m3u8?auth={secret}"))
    event.start()
    answer = event.balancer.get("/live/gone/index.m3u8")
    assert answer.status in (502, 503, 504)
    url = event.link()[1]
    event.origin.refuse()
    refused = fetch(url)
    for said in (answer, refused):
        text = said.body.decode()
        assert said.status >= 500 and str(port) not in text and "127.0.0.1" not in text and secret not in text and "refused" not in text, said.body
    event.balancer.wait_log("source_failed", channel="gone")
    event.nodes["stadium"].wait_log("fill_failed")
    for program in (event.balancer, event.nodes["stadium"]):
        assert secret not in program.log_file.read_text()
