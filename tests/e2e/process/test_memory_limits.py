"""A limit of memory: requests that need more are rejected, stored objects are served, and the process survives."""
import json
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness.event import merged, process_config
from harness.raw_client import ConnectionCut, fetch
from harness.waiting import wait_until

pytestmark = pytest.mark.release_only("sanitizers reserve terabytes of addresses")

MIB = 1 << 20
NO_LIMIT = resource.RLIM_INFINITY
FAILED = "tribune_memory_allocation_failures_total"
REFUSED = "tribune_cache_refused_for_memory_total"


def under(mebibytes):
    return ["prlimit", f"--as={mebibytes * MIB}"]


def addresses(program):
    for line in Path(f"/proc/{program.pid}/status").read_text().splitlines():
        if line.startswith("VmSize:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmSize")


def bound_addresses(program, limit):
    """Limits the address space of a running process."""
    resource.prlimit(program.pid, resource.RLIMIT_AS, (limit, NO_LIMIT))


def level(program):
    return program.admin("/status").json["memory"]


def squeeze(program, bytes_left, until):
    """Limits the address space to the current size plus `bytes_left`, repeatedly until the process reports the level `until`: a thread that creates
    its heap has more for a short time."""
    def is_squeezed():
        bound_addresses(program, addresses(program) + bytes_left)
        return level(program) == until
    wait_until(is_squeezed, 5, f"memory is {until}")
    program.wait_log("memory_level", level=until)


def links(event, count, size):
    """Links to `count` new segments, all with the same bytes: (URLs, bytes)."""
    body = bytes(range(256)) * (size // 256)
    first = event.live.next_msn
    event.live.window = count
    event.live.bytes_of = lambda variant, msn, run=None: body
    event.live.advance(count)
    player = event.player().open()
    player.wait_for_msn(first + count - 1)
    return [segment.uri for segment in player.playlist.segments][-count:], body


def purge(node, url):
    body = json.dumps({"url": urlsplit(url).path.removeprefix("/media/")}).encode()
    answer = fetch(node.admin_url + "/cache/purge", method="POST", body=body, headers={"Content-Type": "application/json"})
    assert answer.status == 200 and answer.json["purged"] == 1


def is_refusal(answer):
    return answer.status == 503 and answer.json["type"] == "/problems/overloaded"


def answered(url):
    """The response, or None when the connection was lost."""
    try:
        return fetch(url)
    except (ConnectionCut, OSError):
        return None


# -- a limit that is known at the start --

def test_a_memory_store_is_fitted_to_the_memory_limit_and_accepts_more_than_fits(event):
    event.live.size = 1000
    node = event.start_node(changes={"cache_node": {"store": "memory", "max_bytes": "1GiB"}}, wrapper=under(420))
    event.start_balancer(["stadium"])
    event.wait_registered("stadium")
    said = node.wait_log("ram_bounds_lowered")[0]
    assert said["allowed"] < 420 * MIB and said["objects"] + said["fill_buffer_bytes"] <= said["allowed"]
    urls, body = links(event, 36, 8 * MIB)
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(fetch, urls))
    assert [a.status for a in answers if a.status != 200 and not is_refusal(a)] == []
    whole = [url for url, a in zip(urls, answers) if a.status == 200 and a.body == body]
    assert len(whole) + sum(map(is_refusal, answers)) == len(urls), "whole or refused, nothing else"
    assert fetch(whole[-1]).body == body
    held = node.admin("/status").json["cache_node"]["bytes_in_memory"]
    assert 8 * MIB <= held <= said["objects"]
    assert node.metric(FAILED) == 0, "nothing came to the bound itself"


def test_every_role_starts_under_a_memory_limit_that_its_settings_exceed(event, programs):
    event.start_node(wrapper=under(300))
    balancer = event.start_balancer(["stadium"], wrapper=under(300))
    event.wait_registered("stadium")
    _, url, body = event.link()
    assert fetch(url).body == body
    assert balancer.is_running() and event.nodes["stadium"].is_running()


# -- a limit that is set while the process runs --

def test_with_scarce_memory_new_objects_are_rejected_hits_continue_and_the_node_recovers(event):
    event.start()
    node = event.nodes["stadium"]
    _, held_url, held_body = event.link()
    assert fetch(held_url).body == held_body
    event.wait_stored("stadium", 1)
    urls, body = links(event, 6, MIB)
    assert all(fetch(url).body == body for url in urls)
    for url in urls:
        purge(node, url)
    # Above the current size by less than the margin (64 MiB for a limit of this size) and by more than a quarter of it.
    squeeze(node, 40 * MIB, "scarce")
    for url in urls:
        answer = fetch(url)
        assert is_refusal(answer) and answer.header("Content-Type") == "application/problem+json"
        assert fetch(held_url).body == held_body, "what is here is served"
    wait_until(lambda: node.metric(REFUSED) >= len(urls), 5, "the refusals are counted")
    ready = node.admin("/readyz")
    assert ready.status == 503 and "memory is scarce" in ready.text
    bound_addresses(node, NO_LIMIT)
    wait_until(lambda: level(node) == "plenty", 5, "memory is plentiful")
    assert all(fetch(url).body == body for url in urls)
    assert len(node.logged("memory_level", level="plenty")) == 1


def test_a_memory_store_evicts_objects_before_requests_are_rejected(event):
    event.live.size = 1000
    event.start(node={"cache_node": {"store": "memory", "max_bytes": "1GiB"}})
    node = event.nodes["stadium"]
    urls, body = links(event, 30, 4 * MIB)
    with ThreadPoolExecutor(4) as clients:
        assert all(a.body == body for a in clients.map(fetch, urls))
    before = node.admin("/status").json["cache_node"]["bytes_in_memory"]

    def shrinks():
        bound_addresses(node, addresses(node) + 4 * MIB)
        return node.logged("ram_store_shrinks")
    wait_until(shrinks, 5, "the store shrinks")
    wait_until(lambda: node.admin("/status").json["cache_node"]["bytes_in_memory"] < before - 8 * MIB, 5, "objects went")
    wait_until(lambda: level(node) == "plenty", 10, "memory is plentiful")
    more, body = links(event, 6, 4 * MIB)

    def served(url):
        answer = answered(url)
        return answer is not None and answer.status == 200 and answer.body == body
    for url in more:
        wait_until(lambda u=url: served(u), 10, "served when memory is available")


@pytest.mark.parametrize("role", ["stadium", "balancer", "api"])
def test_without_memory_requests_are_rejected_and_the_process_survives(event, programs, role):
    event.start()
    _, url, body = event.link()
    assert fetch(url).body == body
    if role == "api":
        program = programs(merged(process_config(), {"event": event.event_section(), "api": {"balancer_url": event.url("balancer"), "caches": []}}), "api")
        target = program.url + "/api/v1/channels"
    else:
        program = event.balancer if role == "balancer" else event.nodes[role]
        target = url if role == "stadium" else f"{program.url}/live/demo/index.m3u8"
    expected = fetch(target)
    assert expected.status == 200
    squeeze(program, MIB, "spent")
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(answered, [target] * 400))
    assert program.is_running()
    assert [a for a in answers if a is not None and not is_refusal(a)] == []
    assert sum(a is not None for a in answers) > 100, "most clients receive a response"
    bound_addresses(program, NO_LIMIT)
    wait_until(lambda: level(program) == "plenty", 10, "memory is plentiful")
    wait_until(lambda: (a := answered(target)) is not None and a.status == 200, 5, "served again")
    wait_until(program.is_ready, 10, "ready again")


# -- viewers --

def test_a_node_with_scarce_memory_loses_its_viewers_to_another_node_and_recovers_by_itself(event):
    event.start(nodes=("stadium", "city"), balancer={"balancer": {"routing": {"ramp": "0ms"}}})
    node = event.nodes["stadium"]
    player = event.player(query="?cache=stadium").open()
    assert player.refresh().segments[-1].uri.startswith(node.url)
    squeeze(node, 40 * MIB, "scarce")   # nothing that it holds on disk can be given back
    wait_until(lambda: event.node_state("stadium")["state"] == "unhealthy", 6, "the balancer receives the level")
    assert event.node_state("stadium")["reason"] == "memory is scarce"
    assert event.node_state("stadium")["memory"] == "scarce"
    moved = event.player(query="?cache=stadium").open().refresh()
    assert moved.segments[-1].uri.startswith(event.url("city"))
    wait_until(lambda: level(node) == "plenty", 20, "the node frees memory")
    event.live.advance()
    uri = event.player().open().wait_for_msn(event.live.next_msn - 1).uri
    assert fetch(node.url + "/" + uri.split("/", 3)[3]).status == 200, "new objects are taken again, under the same bound"
    event.wait_registered("stadium", within=20)
