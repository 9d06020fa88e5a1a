"""Limits of cache nodes and groups, and the measured traffic of channels: viewers overflow to the next node, or wait."""
import pytest
from harness.access_api import end_access, request_access, session_of
from harness.raw_client import fetch
from harness.waiting import wait_until

NODES = ("stadium", "city")


@pytest.fixture
def node_limited_event(event):
    def start_event(limits, links="direct", **access):
        event.channels = [event.channel_config("demo", event.live.source, links=links)]
        event.start(nodes=NODES, balancer={"access": {"refresh": "1s", "restart_grace": "1s", "nodes": limits, **access},
                                           "balancer": {"session_idle": "20s"}, "api": {"caches": []}})
        return event

    return start_event


def watching_player(event, **options):
    player = event.player(**options).open()
    player.refresh()
    return player


def node_of(event, player):
    """The node of the newest segment."""
    address = player.playlist.segments[-1].uri.split("/")[2]
    return next(name for name, node in event.nodes.items() if node.address == address)


def loads(event):
    """The loads that admission counts, by kind and id."""
    queues = event.balancer.admin("/queues").json["access"]
    return {(load["kind"], load["id"]): load for load in queues["loads"]}


def counted(event, node):
    return loads(event)[("node", node)]["sessions"]


def viewers(event, node):
    return event.node_state(node)["viewers"]


def test_viewers_overflow_from_a_full_node_to_the_next_one_and_wait_when_all_are_full(node_limited_event):
    event = node_limited_event([{"id": "stadium", "max_sessions": 2}, {"id": "city", "max_sessions": 1}])
    players = [watching_player(event) for _ in range(3)]
    assert [node_of(event, p) for p in players] == ["stadium", "stadium", "city"]
    waiting = request_access(event).json
    assert waiting["status"] == "queued"
    assert event.balancer.get("/live/demo/index.m3u8").status == 403, "a bare player without a waiting room"
    for player in players:
        event.live.advance()
        player.wait_for_msn(event.live.next_msn - 1)
    assert (counted(event, "stadium"), counted(event, "city")) == (2, 1)
    assert end_access(event, session_of(players[2])).json["was_open"]
    assert viewers(event, "city") == 0, "routing no longer counts the ended session"
    got_in = wait_until(lambda: request_access(event, ticket=waiting["ticket"]).json["status"] == "granted", 10, "the ticket is called for the node with capacity")
    assert got_in and (counted(event, "stadium"), counted(event, "city")) == (2, 1)
    assert request_access(event).json["status"] == "queued"


def test_redirected_viewers_count_at_their_node(node_limited_event):
    event = node_limited_event([{"id": "stadium", "max_sessions": 1}], links="redirect")
    players = [watching_player(event) for _ in range(3)]
    for player, node in zip(players, ("stadium", "city", "city")):
        segment = player.playlist.segments[-1]
        assert player.follow(segment.uri).status == 200
        assert player.nodes[-1] == event.nodes[node].address
    assert counted(event, "stadium") == 1


def test_a_viewer_keeps_its_node_while_the_preferred_one_is_full(node_limited_event):
    event = node_limited_event([{"id": "stadium", "max_sessions": 1}])
    first, second = watching_player(event), watching_player(event)
    assert (node_of(event, first), node_of(event, second)) == ("stadium", "city")
    second.media_url += "?cache=stadium"
    event.live.advance()
    second.wait_for_msn(event.live.next_msn - 1)
    assert node_of(event, second) == "city"
    assert end_access(event, session_of(first)).json["was_open"]

    def has_moved():
        event.live.advance()
        second.wait_for_msn(event.live.next_msn - 1)
        return node_of(event, second) == "stadium"
    wait_until(has_moved, 10, "the node has capacity")
    assert counted(event, "stadium") == 1
    assert node_of(event, watching_player(event)) == "city"


def test_viewers_of_a_dead_node_move_to_a_full_one_and_new_viewers_wait(node_limited_event):
    event = node_limited_event([{"id": "stadium", "max_sessions": 3}, {"id": "city", "max_sessions": 1}])
    players = [watching_player(event) for _ in range(4)]
    event.nodes["stadium"].kill()
    wait_until(lambda: not event.is_up("stadium"), 10, "the node is missed")
    for player in players:
        event.live.advance()
        player.wait_for_msn(event.live.next_msn - 1)
        assert node_of(event, player) == "city", "no session is ended"
    assert (counted(event, "stadium"), counted(event, "city")) == (0, 4)
    waiting = request_access(event).json
    assert waiting["status"] == "queued"
    for player in players[:3]:
        assert end_access(event, session_of(player)).json["was_open"]
        assert request_access(event, ticket=waiting["ticket"]).json["status"] == "queued"
    assert end_access(event, session_of(players[3])).json["was_open"]
    wait_until(lambda: request_access(event, ticket=waiting["ticket"]).json["status"] == "granted", 10)


@pytest.mark.parametrize("links", ["direct", "redirect"])
def test_after_a_restart_viewers_are_counted_at_their_nodes(node_limited_event, links):
    event = node_limited_event([{"id": "stadium", "max_sessions": 2}], links=links)
    players = [watching_player(event) for _ in range(3)]
    event.balancer.kill()
    event.balancer.start()
    for name in NODES:
        event.wait_registered(name)
    for player in players:
        wait_until(lambda p=player: p.try_refresh().status == 200, 10)
        event.live.advance()
        player.wait_for_msn(event.live.next_msn - 1)
    wait_until(lambda: event.balancer.metric("tribune_access_sessions") == 3, 5)
    assert counted(event, "stadium") + viewers(event, "city") == 3


def test_a_group_limit_counts_all_its_nodes_and_can_be_changed_at_run_time(event):
    nodes = [{"id": n, "url": event.url(n), "group": g} for n, g in (("stadium", "arena"), ("city", "arena"), ("far", "rest"))]
    for name in ("stadium", "city", "far"):
        event.start_node(name)
    event.start_balancer(changes={"balancer": {"nodes": nodes}, "access": {"groups": [{"id": "arena", "max_sessions": 2}]}, "api": {"caches": []}})
    for name in ("stadium", "city", "far"):
        event.wait_registered(name)
    players = [watching_player(event) for _ in range(3)]
    assert [node_of(event, p) == "far" for p in players] == [False, False, True]
    assert loads(event)[("group", "arena")]["sessions"] == 2
    assert fetch(event.balancer.admin_url + "/limits", method="PUT", body=b'{"groups":{"arena":{"max_sessions":3}}}').status == 200
    assert node_of(event, watching_player(event)) != "far"
    assert node_of(event, watching_player(event)) == "far"


def test_nodes_report_the_traffic_of_each_channel(event):
    event.channels = [event.channel_config("demo", event.live.source), event.channel_config("other", event.live.source)]
    event.start(balancer={"access": {"traffic_settles": "1s", "channels": [{"id": "demo", "max_traffic_mbps": 1000}, {"id": "other", "max_traffic_mbps": 1000}]},
                          "api": {"caches": []}})
    player = watching_player(event)

    def is_measured():
        player.follow(player.playlist.segments[-1].uri)
        found = loads(event)[("channel", "demo")]
        return found["measured"] and found["measured_mbps"] > 0
    wait_until(is_measured, 10, "the heartbeat says what the channel sends")
    assert loads(event)[("channel", "other")]["measured"]
    assert loads(event)[("channel", "other")]["measured_mbps"] == 0
