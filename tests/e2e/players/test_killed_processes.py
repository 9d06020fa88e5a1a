"""kill -9 of a node or of the balancer while hls.js plays: playback continues, and the restarted process is used again."""
from harness.waiting import wait_until
from packaged_event import assert_smooth

SECONDS = 20


def test_playback_continues_without_a_stall_while_a_node_is_killed_and_restarted(packaged_event, watch):
    packaged_event.start(nodes=("stadium", "city"))
    viewer = watch(packaged_event.page_url("demo"), SECONDS)
    viewer.wait_playing()
    wait_until(lambda: packaged_event.segments_served("stadium"), 5, "the first node serves")
    packaged_event.nodes["stadium"].kill()
    wait_until(lambda: not packaged_event.is_up("stadium"), 2, "the balancer drops a silent node")
    wait_until(lambda: packaged_event.segments_served("city"), 8, "the other node serves")

    packaged_event.nodes["stadium"].start()
    packaged_event.wait_registered("stadium")
    wait_until(lambda: packaged_event.segments_served("stadium"), 10, "the node serves again")
    seen = viewer.wait_done()
    assert_smooth(seen, SECONDS)
    assert {"stadium", "city"} == {f["node"] for f in seen["after"]["fragments"]}


def test_playback_continues_without_a_stall_while_the_balancer_is_killed_and_restarted(packaged_event, watch):
    packaged_event.start(nodes=("stadium",))
    viewer = watch(packaged_event.page_url("demo-ts"), SECONDS)
    viewer.wait_playing()
    packaged_event.balancer.kill()
    packaged_event.balancer.start()
    packaged_event.wait_registered("stadium")
    seen = viewer.wait_done()
    assert_smooth(seen, SECONDS)
    numbers = [f["sn"] for f in seen["after"]["fragments"] if f["type"] == "main"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "segments were skipped or repeated"
