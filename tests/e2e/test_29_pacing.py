"""A bound on what one connection is sent a second: a fast client leaves the radio cell to the others."""
from harness.waiting import Stopwatch
from harness.wire import fetch

SIZE = 4 << 20
BYTES_A_SECOND = 4 << 20
BURST = 2 << 20   # the first window, and what the kernel's queues take


def filled(event, rate):
    event.live.size = SIZE
    event.stand(node={"front": {"limits": {"max_send_rate_bps": rate}}})
    event.live.advance()
    msn = event.live.next_msn - 1
    player = event.player().open()
    player.wait_for_msn(msn)
    _, url, body = event.link(msn)
    return url, body


def test_a_paced_connection_takes_its_time_a_fill_and_a_hit_alike(event):
    url, body = filled(event, BYTES_A_SECOND * 8)
    for _ in range(2):
        watch = Stopwatch()
        assert fetch(url).body == body
        assert watch.seconds() >= (SIZE - BURST) / BYTES_A_SECOND
