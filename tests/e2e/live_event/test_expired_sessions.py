"""Sessions that expired: a player that returns receives the playlist text that was listed to it before."""
from harness.waiting import wait_until


def sessions(event):
    return event.balancer.admin("/status").json["balancer"]["sessions"]


def node_of(segment):
    return segment.uri.split("/")[2]


def moved_to_another_node(event):
    """A player whose playlist has a dead node for its old segments and another one for the new ones."""
    event.start(("a", "b"), balancer={"balancer": {"session_idle": "1s"}})
    player = event.player().open()
    first = node_of(player.refresh().segments[0])
    dead = next(name for name in ("a", "b") if event.url(name).endswith(first))
    event.nodes[dead].kill()
    wait_until(lambda: not event.is_up(dead), 6, f"node {dead} lost")
    event.live.advance(2)
    assert node_of(player.wait_for_msn(event.live.next_msn - 1)) != first
    assert node_of(player.playlist.segments[0]) == first
    return player


def test_an_expired_session_receives_the_playlist_text_that_was_listed(event):
    player = moved_to_another_node(event)
    wait_until(lambda: sessions(event) == 0, 8, "the session has lapsed")
    before = len(player.playlist.segments)
    assert len(player.refresh().segments) == before   # the player compares the text of each


def test_an_expired_session_receives_the_listed_text_after_a_restart_of_the_balancer(event):
    player = moved_to_another_node(event)
    wait_until(lambda: sessions(event) == 0, 8, "the session has lapsed")
    event.balancer.terminate()
    event.balancer.start()
    event.live.advance(1)
    player.wait_for_msn(event.live.next_msn - 1)
    player.play(event.live.next_msn - 1, event.live.bytes_of("v1", event.live.next_msn - 1))
