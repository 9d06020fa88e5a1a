"""Playlists with flaws, unusual URIs and implausible numbers, which players play all the same."""
import pytest
from harness.live_channel import segment_bytes
from harness.origin import in_turn, ok
from harness.waiting import assert_throughout, wait_until

KIND = "application/vnd.apple.mpegurl"
MEDIA = "/live/demo/v1/index.m3u8"
FLAWS = "tribune_balancer_source_flaws_total"

FLAWED = {
    "byte_order_mark": lambda text: b"\xef\xbb\xbf" + text,
    "encoding": lambda text: text.replace(b"#EXTINF:1.000,", b"#EXTINF:1.000,Fu\xdfball"),
    "control_character": lambda text: text.replace(b"#EXTINF:1.000,", b"#EXTINF:1.000,a\x01b"),
    "tag": lambda text: text.replace(b"#EXTINF", b'#EXT-X-DATERANGE:ID="a",X-SAYS="he said "no"",START-DATE="x"\n#EXTINF', 1).replace(b"VERSION:6", b"VERSION:"),
    "attributes": lambda text: text.replace(b"#EXTINF", b"#EXT-X-SERVER-CONTROL:HOLD-BACK:12\n#EXTINF", 1),
    "misplaced_tag": lambda text: text.replace(b"#EXTINF", b'#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b"\n#EXTINF', 1),
    "repeated_tag": lambda text: text.replace(b"#EXTINF", b"#EXT-X-MEDIA-SEQUENCE:77\n#EXTINF", 1),
    "inf_without_uri": lambda text: text + b"#EXTINF:1,\n",
    "target_duration": lambda text: text.replace(b"#EXT-X-TARGETDURATION:1\n", b""),
}


@pytest.mark.parametrize("flaw", FLAWED)
def test_a_channel_plays_on_with_a_flaw_in_its_playlist(event, flaw):
    event.origin.on(MEDIA, ok(lambda: FLAWED[flaw](event.live.media("v1")), KIND))
    event.start()
    player = event.player().open()
    playlist = player.refresh()
    player.play(playlist.last_msn, event.live.bytes_of("v1", playlist.last_msn))
    for _ in range(2):
        event.live.advance()
        segment = player.wait_for_msn(event.live.next_msn - 1)
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    assert "TARGETDURATION:1" in playlist.text and "\x01" not in playlist.text
    event.balancer.wait_log("source_playlist_flawed")
    assert event.balancer.metric(FLAWS) > 0


@pytest.mark.every_build
def test_a_strict_channel_rejects_a_playlist_that_others_repair(event):
    event.origin.on(MEDIA, ok(lambda: FLAWED["byte_order_mark"](event.live.media("v1")), KIND))
    event.channels = [event.channel_config("demo", event.live.source, strict=True)]
    event.start()
    assert event.player().open().try_refresh().status == 502
    event.balancer.wait_log("source_failed")


ODD = {
    "a%2fb%41.ts": "a%2fb%41.ts",
    "plain.ts?sig=%2f%41&list[]=1": "plain.ts?sig=%2f%41&list[]=1",
    "a b%.ts?c d": "a%20b%25.ts?c%20d",
    "caf\u00e9.ts": "caf%C3%A9.ts",
    "long.ts?" + "q" * 5000: "long.ts?" + "q" * 5000,
}


@pytest.mark.parametrize("written", ODD, ids=range(len(ODD)))
def test_the_origin_receives_the_uri_as_its_playlist_has_it(event, written):
    media = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:2,\n{written}\n"
    event.origin.on(MEDIA, ok(media.encode(), KIND))
    wanted = "/live/demo/v1/" + ODD[written]
    body = segment_bytes("odd", 10_000)
    event.origin.on(wanted.split("?")[0], ok(body, "video/mp2t"))
    event.start()
    player = event.player().open()
    player.refresh()
    player.play(0, body)
    assert [request.target for request in event.origin.requests if request.target == wanted]


def test_a_media_playlist_with_an_unusual_uri_is_served(event):
    event.origin.on("/live/demo/master.m3u8", ok(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000000\nmy v1/index%2f.m3u8?t=%7e[1]\n", KIND))
    event.origin.on("/live/demo/my%20v1/index%2f.m3u8", ok(event.live.media("v1"), KIND))
    for msn in event.live.listed:
        event.origin.on(f"/live/demo/my%20v1/{event.live.name_of(msn)}", ok(event.live.bytes_of("v1", msn), "video/mp2t"))
    event.start()
    player = event.player().open()
    playlist = player.refresh()
    player.play(playlist.last_msn, event.live.bytes_of("v1", playlist.last_msn))
    assert "/live/demo/my%20v1/index%2f.m3u8?t=%7e[1]" in [request.target for request in event.origin.requests]


ENORMOUS = (1 << 60) - 6


@pytest.mark.parametrize("when", ["first", "later", "after a restart of the balancer"])
def test_a_media_sequence_that_is_once_enormous_is_ignored(event, when):
    good = ok(lambda: event.live.media("v1"), KIND)
    bad = ok(lambda: event.live.media("v1").replace(b"MEDIA-SEQUENCE:%d" % event.live.listed.start, b"MEDIA-SEQUENCE:%d" % ENORMOUS), KIND)
    if when == "first":
        event.origin.on(MEDIA, in_turn(bad, good))
    event.start()
    player = event.player().open()
    if when != "first":
        player.refresh()
        if when != "later":
            event.balancer.kill()
            event.balancer.start()
        event.origin.on(MEDIA, in_turn(bad, good))
    asked = event.origin.count(MEDIA)
    wait_until(lambda: player.try_refresh() and event.origin.count(MEDIA) > asked, 8, "the balancer has met them")
    event.origin.on(MEDIA, good)
    event.live.advance()
    wait_until(lambda: player.try_refresh().status == 200, 8, "the channel goes on")
    segment = player.wait_for_msn(event.live.next_msn - 1)
    player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    assert_throughout(lambda: player.refresh().last_msn < 1000, 1)
