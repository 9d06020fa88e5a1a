"""hls.js plays a channel that an account has bought, while its tokens are refreshed and its node dies, and stops without an error when it is refunded."""
import pytest
from harness.accounts_api import refresh
from harness.operator_cli import ctl_of
from harness.paid_channel import PRODUCT, PaidEvent, shop_of_event
from harness.waiting import wait_until

SEGMENTS = 3   # of 2 s


@pytest.fixture
def bought_channel(packaged_event):
    """An event whose channel `demo` is bought, and the playlist's URL of a session: (event, tokens, URL)."""
    event = packaged_event
    event.channels[0]["access"] = "paid"
    event.start(nodes=("stadium", "city"), balancer={"api": {**shop_of_event(event), "caches": []},
                                                      "balancer": {"paid_channels": {"check_period": "1s", "ending_time": "10s"}}})
    paid = PaidEvent(event).sell(event.balancer, "demo")
    tokens = paid.owner("ann")
    return event, tokens, event.playlist_url("demo") + "?session=" + paid.session_of(tokens, "demo")


def wait_served(event, node):
    before = len(event.segments_served(node))
    wait_until(lambda: len(event.segments_served(node)) >= before + SEGMENTS, 40, f"{node} serves the player")


def test_hls_js_plays_a_bought_channel_over_a_refresh_and_a_dead_node_to_its_end(bought_channel, watch):
    event, tokens, url = bought_channel
    player = watch(url, 0, script="hls.mjs")
    player.wait_playing()
    wait_served(event, "stadium")
    assert refresh(event.balancer, tokens["refresh_token"]).status == 200
    event.nodes["stadium"].kill()
    wait_served(event, "city")
    [purchase] = [line.split()[0] for line in ctl_of(event.balancer, "purchases", "list", "ann").splitlines() if PRODUCT in line]
    ctl_of(event.balancer, "purchases", "refund", purchase, "--reason", "rain")
    event.balancer.wait_log("entitlement_ended", within=20, reason="withdrawn")
    wait_until(lambda: [line for line in event.balancer.access_log(status=403) if "/live/demo/" in line["path"]] or is_quiet(event), 30, "the player has stopped")
    player.enough()
    after = player.wait_done()["after"]
    assert [error for error in after["errors"] if error["fatal"]] == [] and 403 not in {error["status"] for error in after["errors"]}, after["errors"]
    numbers = [fragment["sn"] for fragment in after["fragments"] if fragment["type"] == "main"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "segments were skipped or repeated"


def is_quiet(event):
    """The player asks for no playlist any more, because the last one has an end."""
    def media_requests():
        return len([line for line in event.balancer.access_log(status=200) if line["path"].endswith(".m3u8") and "/~" in line["path"]])
    count = media_requests()
    try:
        wait_until(lambda: media_requests() > count, 8)
    except AssertionError:
        return True
    return False
