"""The disk with the balancer's state is full: nobody who watches stops, and what was not written is written once there is room."""
import pytest
from harness.raw_client import fetch
from harness.small_disk import small_disk_at
from harness.waiting import wait_until


@pytest.fixture
def small_disk(event):
    """A disk of 4 MiB for the balancer's state, which outlives the balancer."""
    with small_disk_at(event.folder / "balancer_state") as disk:
        yield disk


def test_operator_commands_on_a_full_disk_take_effect_at_once_and_are_written_when_space_is_free(event, small_disk):
    event.start_node("stadium")
    event.start_node("city")
    event.start_balancer(("stadium", "city"), {"api": {"caches": []}}, wrapper=small_disk.inside)
    for name in ("stadium", "city"):
        event.wait_registered(name)
    small_disk.fill()
    admin = event.balancer.admin_url
    assert fetch(admin + "/limits", method="PUT", body=b'{"max_sessions":3}').status == 200
    assert fetch(admin + "/nodes/city/drain", method="POST").status == 200
    event.balancer.wait_log("batch_failed")

    # The limit applies, and the API responds: three are admitted, the others receive a ticket or a 503.
    answers = [fetch(event.url("balancer") + "/api/v1/access", method="POST", body=b'{"channel":"demo"}', headers={"Content-Type": "application/json"})
               for _ in range(6)]
    assert [answer.json["status"] for answer in answers[:3]] == ["granted"] * 3
    assert all(answer.status == 503 or answer.json["status"] == "queued" for answer in answers[3:])
    assert event.balancer.metric("tribune_access_sessions") == 3

    small_disk.clear()
    event.balancer.wait_log("store_writes_again", within=10)
    event.balancer.kill()
    event.balancer.start()
    assert event.balancer.admin("/limits").json["max_sessions"] == 3
    assert event.node_state("city")["draining"]


def state(event):
    return event.balancer.admin("/status").json["balancer"]


def test_a_balancer_that_starts_on_a_full_disk_serves_those_who_watch_and_recovers_by_itself(event, small_disk):
    event.start_node("stadium")
    event.start_balancer(wrapper=small_disk.inside)
    event.wait_registered("stadium")
    viewer = event.player().open()
    viewer.refresh()
    wait_until(lambda: state(event)["access"]["unsaved_sessions"] == 0, 5, "the session is on disk")
    event.balancer.kill()
    small_disk.fill()
    event.balancer.start()
    event.wait_registered("stadium")
    viewer.refresh()
    event.live.advance()
    segment = viewer.wait_for_msn(event.live.next_msn - 1)
    viewer.play(segment.msn, event.live.bytes_of("v1", segment.msn), tries=3)

    assert "No space left" in event.balancer.wait_log("batch_failed")[0]["error"]

    small_disk.clear()
    event.balancer.wait_log("store_writes_again", within=10)
    wait_until(event.balancer.is_ready, 5, "the balancer is ready")
    event.player().open().refresh()
    viewer.refresh()


def test_sessions_that_were_opened_on_a_full_disk_are_recorded_once_it_has_room(event, small_disk):
    event.start_node("stadium")
    event.start_balancer(wrapper=small_disk.inside)
    event.wait_registered("stadium")
    small_disk.fill()
    viewers = [event.player().open() for _ in range(80)]
    for viewer in viewers:
        viewer.refresh()
    event.balancer.wait_log("batch_failed")
    assert event.balancer.metric("tribune_access_sessions") == 80
    assert state(event)["access"]["unsaved_sessions"] > 0
    small_disk.clear()
    wait_until(lambda: state(event)["access"]["unsaved_sessions"] == 0 and state(event)["unsaved_pins"] == 0, 20, "all is on disk")
    event.balancer.kill()
    event.balancer.start()
    assert event.balancer.metric("tribune_access_sessions") == 80
    event.wait_registered("stadium")
    for viewer in viewers:
        viewer.refresh()


def wait_for_new_segments(viewer, last_msn):
    wait_until(lambda: viewer.try_refresh().status == 200 and viewer.playlist.last_msn > last_msn, 8, f"segments after {last_msn} are listed")


def restart_source(event, viewer):
    """The source begins again at a small number, and the viewer is given its segments."""
    known = viewer.playlist.last_msn
    event.live.restart(first_msn=4)
    playlist = f"{event.live.prefix}/v1/index.m3u8"
    fetched = event.origin.count(playlist)
    wait_until(lambda: viewer.try_refresh().status == 200 and event.origin.count(playlist) > fetched, 5, "the balancer has seen the other timeline")
    event.live.advance()
    wait_for_new_segments(viewer, known)


def wait_heartbeats(balancer, count):
    """Returns when the balancer has answered so many further heartbeats."""
    accepted = {"result": "accepted"}
    balancer.wait_metric("tribune_balancer_heartbeats_total", at_least=balancer.metric("tribune_balancer_heartbeats_total", **accepted) + count, **accepted)


@pytest.mark.parametrize("is_recorded", [False, True], ids=["nothing_recorded", "former_numbering_recorded"])
def test_numbers_never_go_back_when_a_full_disk_lost_them_and_the_source_begins_again(event, small_disk, is_recorded):
    event.live.restart(first_msn=59_540, listed=5)
    event.start_node("stadium")
    event.start_balancer(wrapper=small_disk.inside)
    event.wait_registered("stadium")
    if not is_recorded:
        small_disk.fill()
    viewer = event.player().open()
    viewer.refresh()
    if is_recorded:
        wait_until(lambda: state(event)["access"]["unsaved_sessions"] == 0, 5, "what was listed first is on disk")
        small_disk.fill()
    for _ in range(2):
        restart_source(event, viewer)
        wait_heartbeats(event.balancer, 2)
        event.balancer.kill()
        event.balancer.start()
        viewer.refresh()
        known = viewer.playlist.last_msn
        event.live.advance()
        wait_for_new_segments(viewer, known)
        viewer.play(viewer.playlist.last_msn, event.live.bytes_of("v1", event.live.next_msn - 1), tries=3)

    small_disk.clear()
    event.balancer.wait_log("store_writes_again", within=10)
    known = viewer.playlist.last_msn
    event.live.advance()
    wait_for_new_segments(viewer, known)
    event.balancer.kill()
    event.balancer.start()
    viewer.refresh()
