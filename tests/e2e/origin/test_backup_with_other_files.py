"""A backup whose playlist shows other files under the names of the source: no viewer gets them under the source's links."""
import re
from datetime import datetime, timedelta, timezone

import pytest
from harness.live_channel import LiveChannel
from harness.operator_cli import ctl
from harness.origin import in_turn, ok, status
from harness.waiting import wait_until

KICK_OFF = datetime(2026, 6, 1, 18, 0, tzinfo=timezone.utc)
FAST = {"origin": {"connect_timeout": "500ms", "first_byte_timeout": "1s", "low_speed_window": "1s"}}


class TwoPackagers:
    """A channel, a player that watches it, and a backup. `second` is another packager unless `has_same_files`."""

    def __init__(self, event, origins, second, has_same_files=False):
        self.event = event
        began = KICK_OFF if "began" in second else None
        self.first = event.live = LiveChannel(event.origin, variants=("v1",), first_msn=100, began=began)
        self.second = LiveChannel(origins(), variants=("v1",), listed=0, **second)
        self.second.run = 1 if has_same_files else 2
        self.second.advance(5)
        event.channels = [event.channel_config("demo", self.first.source, backup_origins=[self.second.origin.url])]
        event.start(balancer={"balancer": FAST})
        self.player = event.player().open()
        self.player.refresh()

    def files_at_backup(self):
        """As an operator sees it, while the player watches."""
        self.player.try_refresh()
        return next(line for line in ctl(self.event, "origins").splitlines() if self.second.origin.url in line)

    def wait_distrusted(self):
        event = self.event
        wait_until(lambda: self.files_at_backup() and event.balancer.metric("tribune_balancer_backup_comparisons_total") >= 1, 10, "compared")
        self.first.advance()
        self.second.advance()
        wait_until(lambda: "other (" in self.files_at_backup(), 15, "the backup is distrusted")
        node = self.event.nodes["stadium"]
        wait_until(lambda: node.admin("/status").json["cache_node"]["distrusted_backups"] == {"demo": [self.second.origin.url]}, 5, "at the node")

    def publish(self, script):
        """Both packagers go on; the first one has its new segment with that script from the beginning. Its number."""
        msn = self.first.next_msn
        self.event.origin.on(self.first.path_of("v1", msn), script)
        self.first.next_msn += 1
        self.second.advance()
        self.player.wait_for_msn(msn)
        return msn

    def of_first(self, msn):
        return self.first.bytes_of("v1", msn)

    def asked_at_backup(self, msn):
        return self.second.origin.count(self.first.path_of("v1", msn))


# The same names are another part of the show: the counters of the packagers began at different times, or the packagers did.
OTHER = {"counter": {"first_msn": 98, "began": KICK_OFF}, "dates": {"first_msn": 100, "began": KICK_OFF - timedelta(hours=1)},
         "counter without dates": {"first_msn": 40}}


@pytest.mark.parametrize("difference", OTHER)
def test_a_failed_segment_is_never_filled_from_a_backup_with_other_files(event, origins, difference):
    two = TwoPackagers(event, origins, OTHER[difference])
    two.wait_distrusted()
    two.second.advance(110 - two.second.next_msn)   # it has every name that the first one will use
    event.balancer.wait_log("backup_distrusted")
    assert event.balancer.metric("tribune_balancer_backups_distrusted_total") == 1

    # Retried at its own origin.
    msn = two.publish(in_turn(status(503), ok(two.of_first(two.first.next_msn), "video/mp2t")))
    two.player.play(msn, two.of_first(msn))

    # An error while its origin fails, and its own bytes afterwards.
    msn = two.publish(status(503))
    answer = two.player.follow(two.player.playlist.segment(msn).uri)
    assert answer.status >= 500
    event.origin.on(two.first.path_of("v1", msn), ok(two.of_first(msn), "video/mp2t"))
    wait_until(lambda: two.player.follow(two.player.playlist.segment(msn).uri).status == 200, 5, "the error has expired")
    two.player.play(msn, two.of_first(msn))
    assert [two.asked_at_backup(n) for n in (msn - 1, msn)] == [0, 0]


def test_a_failed_segment_is_filled_from_a_backup_with_the_same_files(event, origins):
    two = TwoPackagers(event, origins, {"first_msn": 100, "began": KICK_OFF}, has_same_files=True)
    wait_until(lambda: two.files_at_backup().endswith(" same"), 10, "compared")
    two.second.advance()   # a segment ahead
    msn = two.publish(status(503))
    two.player.play(msn, two.of_first(msn))
    assert two.asked_at_backup(msn) == 1
    assert not event.balancer.logged("backup_distrusted")


def test_viewers_go_on_at_a_backup_with_other_files_in_an_epoch_of_its_own_and_return(event, origins):
    two = TwoPackagers(event, origins, OTHER["dates"])
    first, second, player = two.first, two.second, two.player
    epoch_of = {}

    def plays(listed_from, live):
        """Every segment that is listed from that number on has the bytes of its name at that origin. Their epoch."""
        epochs = set()
        for segment in player.playlist.segments:
            if segment.msn < listed_from:
                continue
            epoch, number = re.search(r"/media/demo/(\w+)/.*seg(\d+)\.ts", segment.uri).groups()
            player.play(segment.msn, live.bytes_of("v1", int(number)), tries=3)
            epochs.add(epoch)
        assert len(epochs) == 1
        return epochs.pop()

    two.wait_distrusted()
    epoch_of["first"] = plays(100, first)
    begins = player.refresh().last_msn + 1
    event.origin.refuse()
    player.wait_for_msn(begins, within=10)
    epoch_of["second"] = plays(begins, second)
    assert "#EXT-X-DISCONTINUITY\n" in player.playlist.text
    assert "/~1/live/demo/v1/" in player.playlist.segment(begins).uri
    for _ in range(2):
        msn = player.playlist.last_msn + 1
        second.advance()
        player.wait_for_msn(msn, within=10)
    assert plays(begins, second) == epoch_of["second"]

    event.origin.resume()
    wait_until(lambda: player.try_refresh().status == 200 and event.balancer.logged("origin_returned"), 40, "the first origin is taken back")
    msn = player.playlist.last_msn + 1
    first.advance()
    player.wait_for_msn(msn, within=10)
    epoch_of["return"] = plays(msn, first)
    assert len(set(epoch_of.values())) == 3
    newcomer = event.player().open()
    newcomer.refresh()
    newcomer.play(msn, player.follow(player.playlist.segment(msn).uri).body)
