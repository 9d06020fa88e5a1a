"""The first viewer of a playlist that nobody watched for some time gets what the origin lists now, and links that work."""
import pytest
from harness.fast_time import FastTime
from harness.live_channel import LiveChannel
from harness.origin import status

pytestmark = pytest.mark.release_only("a preloaded clock and a sanitizer's runtime do not go together")

SPEED = 20
TARGET = 2


class Unwatched:
    """An event on a fast clock. The links of its channels are valid for a minute, and failed playlists are served for five."""

    def __init__(self, event, folder, channels):
        self.event, self.channels = event, channels
        self.clock = FastTime(folder, SPEED)
        event.channels = [event.channel_config(name, channel.source, links=name.split("-")[0], link_lifetime="1min", stale_time="5min")
                          for name, channel in channels.items()]
        patient = {"connect_timeout": "30s", "first_byte_timeout": "1min", "low_speed_window": "1min"}
        origin = {"origin": {**patient, "first_answer": "1min"}}
        event.start_balancer(changes={"balancer": {"node_timeout": "30s", **origin}}, environment=self.clock.environment)
        event.start_node(changes={"cache_node": {"origin": patient}}, environment=self.clock.environment)
        event.wait_registered("stadium")
        self.began = self.clock.now()
        self.published = 0

    def player(self, channel, variant=0):
        player = self.event.player(channel=channel, variant=variant).open()
        player.refresh()
        return player

    def pass_until(self, seconds):
        """Lets time pass, in which the live origins append their segments."""
        while (self.published + 1) * TARGET <= seconds:
            self.published += 1
            self.clock.pass_until(self.began + self.published * TARGET)
            for channel in self.channels.values():
                if not channel.is_ended:
                    channel.advance()

    def assert_plays(self, name, player, variant=0):
        channel = self.channels[name]
        assert player.playlist.last_msn == channel.next_msn - 1
        for segment in player.playlist.segments:
            player.play(segment.msn, channel.bytes_of(channel.variants[variant], segment.msn))


def channel_of(event, name, tags="", **options):
    channel = LiveChannel(event.origin, prefix=f"/live/{name}", target=TARGET, size=1024, **options)
    channel.extra_tags = tags
    return channel


def test_the_first_viewer_after_any_time_gets_the_live_edge(event, folder):
    unwatched_for = (10, 45, 90, 280)
    variants = tuple(f"v{seconds}" for seconds in unwatched_for)
    unwatched = Unwatched(event, folder, {"direct": channel_of(event, "direct", variants=variants)})
    for variant in range(len(variants)):
        unwatched.player("direct", variant)
    last_polled = 20   # each is asleep by then
    for variant, seconds in enumerate(unwatched_for):
        unwatched.pass_until(last_polled + seconds)
        for _ in range(2):
            unwatched.assert_plays("direct", unwatched.player("direct", variant), variant)


def test_the_first_viewer_after_a_time_finds_links_that_work(event, folder):
    shapes = {"event": {"tags": "#EXT-X-PLAYLIST-TYPE:EVENT", "window": 1 << 30}, "window": {"window": 150, "listed": 150},
              "vod": {"tags": "#EXT-X-PLAYLIST-TYPE:VOD", "window": 1 << 30}}
    channels = {f"{links}-{shape}": channel_of(event, f"{links}-{shape}", variants=("v1",), **options)
                for links in ("direct", "redirect") for shape, options in shapes.items()}
    for name, channel in channels.items():
        channel.is_ended = name.endswith("vod")
    unwatched = Unwatched(event, folder, channels)
    before = {name: unwatched.player(name) for name in channels}
    unwatched.pass_until(200)
    for name, first in before.items():
        unwatched.assert_plays(name, unwatched.player(name))
        if not name.endswith("vod"):
            first.refresh()   # fails when the text of what it listed before has changed


def test_while_the_origin_fails_the_first_viewer_gets_the_last_good_playlist(event, folder):
    unwatched = Unwatched(event, folder, {"direct": channel_of(event, "direct", variants=("v1",))})
    before = unwatched.player("direct")
    unwatched.pass_until(30)
    event.origin.on("/live/direct/v1/index.m3u8", status(503))
    assert unwatched.player("direct").playlist.last_msn >= before.playlist.last_msn
