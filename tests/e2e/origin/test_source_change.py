"""An operator points a channel at another source, whose files have the same names: nobody gets bytes of the former one."""
import pytest
from harness.event import merged
from harness.live_channel import LiveChannel

# Heartbeats bring the channel map, so the links of the new source are at the nodes long before it.
RARE_HEARTBEATS = {"balancer": {"node_timeout": "30s"}}
RARELY = {"cache_node": {"heartbeat_interval": "10s"}}


class TwoSources:
    def __init__(self, event, links="direct", **options):
        self.event, self.links = event, links
        self.first, self.second = (LiveChannel(event.origin, prefix=f"/live/{name}", variants=("v1",), **options) for name in ("first", "second"))
        event.channels = [self.channel(self.first)]
        event.start(balancer=RARE_HEARTBEATS, node=RARELY)

    def channel(self, live):
        return self.event.channel_config("demo", live.source, links=self.links)

    def use(self, live):
        """Reloads the balancer with another source."""
        self.event.channels = [self.channel(live)]
        self.event.balancer.reload(merged(self.event.balancer.config, {"event": self.event.event_section()}))

    def start_again(self, live):
        """A balancer that was stopped, and starts with another source."""
        self.event.balancer.terminate()
        self.event.channels = [self.channel(live)]
        self.event.start_balancer(changes=RARE_HEARTBEATS)

    def player(self):
        player = self.event.player().open()
        player.refresh()
        return player


@pytest.mark.parametrize("links", ["direct", "redirect"])
def test_viewers_of_a_live_channel_go_on_with_the_new_source(event, links):
    both = TwoSources(event, links, window=10, listed=10)
    viewer = both.player()
    viewer.play(9, both.first.bytes_of("v1", 9))
    both.use(both.second)
    viewer.wait_for_msn(10)
    newcomer = both.player()
    assert viewer.playlist.last_msn == 12   # the live edge: three target durations
    for player in (viewer, newcomer):
        assert "EXT-X-DISCONTINUITY\n" in player.playlist.text
        for msn, of_second in ((10, 7), (11, 8), (12, 9)):
            player.play(msn, both.second.bytes_of("v1", of_second))
        player.play(8, both.first.bytes_of("v1", 8))   # listed still, and never requested before
    both.second.advance()
    viewer.wait_for_msn(13)
    viewer.play(13, both.second.bytes_of("v1", 10))
    node = event.nodes["stadium"]
    node.kill()
    node.start()
    both.second.advance()
    viewer.wait_for_msn(14)
    viewer.play(14, both.second.bytes_of("v1", 11), tries=3)
    viewer.play(7, both.first.bytes_of("v1", 7), tries=3)


@pytest.mark.parametrize("again", [False, True], ids=["reload", "restart"])
def test_a_film_after_another_is_only_the_second_one(event, again):
    both = TwoSources(event, window=100, listed=4)
    both.second.advance(3)
    for film in (both.first, both.second):
        film.is_ended, film.extra_tags = True, "#EXT-X-PLAYLIST-TYPE:VOD"
    before = both.player()
    for msn in range(2):
        before.play(msn, both.first.bytes_of("v1", msn))
    (both.start_again if again else both.use)(both.second)
    after = both.player()
    segments = after.playlist.segments
    assert len(segments) == 7
    for number, segment in enumerate(segments):
        after.play(segment.msn, both.second.bytes_of("v1", number))
    before.play(2, both.first.bytes_of("v1", 2))   # who watches the first film watches it to its end
    assert event.balancer.logged("source_changed")
