"""A packager that is stopped ends its playlist (EXT-X-ENDLIST). The show goes on at the backup, or at the packager after its restart."""
import pytest
from harness.live_channel import LiveChannel
from harness.operator_cli import ctl, run_ctl
from harness.waiting import wait_until

FAST = {"origin": {"connect_timeout": "500ms", "first_byte_timeout": "1s", "low_speed_window": "1s"}}


class Show:
    """A live channel that a player watches, with a second origin or with hold_end."""

    def __init__(self, event, origins, has_backup=True, **channel):
        self.event = event
        self.first = event.live = LiveChannel(event.origin, variants=("v1",))
        self.second = LiveChannel(origins(), variants=("v1",)) if has_backup else None
        backups = {"backup_origins": [self.second.origin.url]} if has_backup else {}
        event.channels = [event.channel_config("demo", self.first.source, **backups, **channel)]
        event.start(balancer={"balancer": FAST})
        self.player = event.player().open()
        self.player.refresh()

    def stop(self, live):
        live.advance()
        live.is_ended = True

    def has_ended(self):
        return "#EXT-X-ENDLIST" in self.player.refresh().text

    def wait_ended(self, within=15):
        wait_until(self.has_ended, within, "the channel has ended for viewers")

    def assert_goes_on(self, live, upto):
        """The player follows the channel without an end, and gets its bytes."""
        while live.next_msn <= upto:
            live.advance()
            wait_until(lambda: not self.has_ended() and self.player.playlist.last_msn == live.next_msn - 1, 10, "the next segment")
            assert "EXT-X-DISCONTINUITY" not in self.player.playlist.text
            self.player.play(live.next_msn - 1, live.bytes_of("v1", live.next_msn - 1), tries=3)


@pytest.fixture
def show(event, origins):
    return Show(event, origins)


def test_the_show_goes_on_at_the_backup_until_both_packagers_have_stopped(show):
    show.stop(show.first)
    show.event.balancer.wait_log("source_end_held")
    show.second.advance()
    show.assert_goes_on(show.second, 12)
    show.event.balancer.kill()
    show.event.balancer.start()
    show.assert_goes_on(show.second, 14)
    show.stop(show.second)
    show.wait_ended()
    assert show.player.playlist.last_msn == 15
    show.event.balancer.kill()
    show.event.balancer.start()
    assert show.has_ended()


def test_a_packager_that_is_started_again_is_used_again(show):
    show.stop(show.first)
    show.event.balancer.wait_log("origin_left")
    show.second.advance()
    show.assert_goes_on(show.second, 7)
    show.first.is_ended = False
    show.first.advance(show.second.next_msn - show.first.next_msn)
    wait_until(lambda: show.player.try_refresh().status == 200 and show.event.balancer.logged("origin_returned"), 40, "the first origin is used again")
    show.assert_goes_on(show.first, 10)


def test_without_a_backup_that_works_the_end_is_the_end(show):
    show.second.origin.refuse()
    show.stop(show.first)
    show.wait_ended()
    assert show.player.playlist.last_msn == 5


def test_the_operator_ends_a_channel_while_its_backup_advances(show):
    show.stop(show.first)
    show.event.balancer.wait_log("origin_left")
    show.second.advance()
    show.assert_goes_on(show.second, 7)
    show.first.advance(2)
    assert "demo" in ctl(show.event, "end", "demo")
    show.wait_ended()
    assert run_ctl(show.event, "end", "nothing").returncode != 0


def test_hold_end_bridges_a_restart_of_the_only_packager_and_then_ends(event, origins):
    show = Show(event, origins, has_backup=False, hold_end="4s")
    show.stop(show.first)
    event.balancer.wait_log("source_end_held")
    show.first.is_ended = False
    show.assert_goes_on(show.first, 8)
    show.stop(show.first)
    show.wait_ended()
    assert show.player.playlist.last_msn == 9


def test_without_backups_and_hold_end_a_channel_ends_at_once(event, origins):
    show = Show(event, origins, has_backup=False)
    show.stop(show.first)
    show.player.wait_for_msn(5)
    assert show.has_ended()
    assert not event.balancer.logged("source_end_held")
