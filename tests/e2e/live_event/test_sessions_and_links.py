"""Sessions, pins and links: one playlist URL per session, and text that never changes after it was listed."""
import re

from harness.event import KEYS, merged
from harness.origin import ok
from harness.parsing import MediaPlaylist
from harness.raw_client import fetch
from harness.waiting import assert_throughout, wait_until

HLS_JS = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"
MEDIA3 = "Demo/1.0 (Linux;Android 14) AndroidXMedia3/1.4.1"
VHS = "Demo/1.0 videojs-vhs/3.17"
AVPLAYER = "AppleCoreMedia/1.0.0.21A329 (iPhone; U; CPU OS 17_0 like Mac OS X; en_us)"


def direct_links(playlist, node):
    return all(s.text.startswith(node.url + "/media/") for s in playlist.segments)


def redirect_links(playlist, balancer):
    return all(s.uri.startswith(balancer.url + "/live/") for s in playlist.segments)


def test_the_session_token_is_in_the_playlist_path_and_in_no_segment_link(event):
    event.start()
    one, two = event.player().open(), event.player().open()
    session = re.compile(r"/live/demo/~([A-Za-z0-9_.-]+)/")
    tokens = [session.search(p.media_url).group(1) for p in (one, two)]
    assert tokens[0] != tokens[1]
    assert one.multivariant.header("Set-Cookie") is None
    a, b = one.refresh(), two.refresh()
    assert direct_links(a, event.nodes["stadium"])
    assert not any(token in s.text for token in tokens for s in a.segments)
    # The same pins share one rendered body.
    assert [s.text for s in a.segments if s.msn in b_msns(b)] == [s.text for s in b.segments if s.msn in b_msns(a)]


def b_msns(playlist):
    return {s.msn for s in playlist.segments}


def test_a_token_opens_the_same_session_again(event):
    event.start()
    player = event.player().open()
    token = re.search(r"/~([^/]+)/", player.media_url).group(1)
    answer = event.balancer.get(f"/live/demo/index.m3u8?session={token}")
    assert answer.status == 200 and f"~{token}/" in answer.text


def test_sessions_are_counted_and_released_when_idle(event):
    event.start(balancer={"balancer": {"session_idle": "2s"}})
    players = [event.player().open() for _ in range(5)]
    for player in players:
        player.refresh()
    balancer = event.balancer
    assert balancer.metric("tribune_access_sessions") == 5
    players[0].refresh()
    wait_until(lambda: balancer.metric("tribune_access_sessions") == 0, 10, "idle sessions released")
    # A viewer that returns late is accepted: the token proves that it was admitted.
    players[0].refresh()
    assert balancer.metric("tribune_access_sessions") == 1


def test_a_redirect_link_returns_307_to_the_node_and_keeps_its_text(event):
    event.channels = [event.channel_config("demo", event.live.source, links="redirect")]
    event.start()
    player = event.player().open()
    playlist = player.refresh()
    assert redirect_links(playlist, event.balancer)
    segment = playlist.segments[-1]
    hop = fetch(segment.uri)
    assert hop.status == 307 and hop.header("Location").startswith(event.nodes["stadium"].url + "/media/demo/")
    assert hop.header("Access-Control-Allow-Origin") == "*"
    player.play(segment.msn, event.live.bytes_of("v1", segment.msn))


def test_auto_links_are_direct_for_players_that_retry_segments_elsewhere_and_redirects_for_the_others(event):
    event.channels = [event.channel_config("demo", event.live.source, links="auto")]
    event.start()
    assert direct_links(event.player(agent=VHS).open().refresh(), event.nodes["stadium"])
    for agent in (MEDIA3, HLS_JS, AVPLAYER, "curl/7.88", None):
        assert redirect_links(event.player(agent=agent).open().refresh(), event.balancer), agent


def test_query_parameters_of_the_player_do_not_split_the_cache(event):
    event.start()
    msn, url, expected = event.link()
    for more in ("&CMCD=sid%3D1", "&_HLS_msn=9", "&x=" + "y" * 2000):
        answer = fetch(url + more)
        assert answer.status == 200 and answer.body == expected, more
    assert event.origin.count(event.live.path_of("v1", msn)) == 1
    player = event.player().open()
    assert fetch(player.media_url + "?CMCD=bl%3D100").status == 200


def test_the_query_in_a_source_uri_stays_part_of_the_object(event):
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nseg.ts?part=a&k=1\n#EXTINF:1,\nseg.ts?part=b&k=1\n"
    event.origin.on("/q/index.m3u8", ok(text.encode(), "application/vnd.apple.mpegurl"))
    event.origin.on("/q/seg.ts", lambda request, wire: ok(request.target.encode(), "video/mp2t")(request, wire))
    event.channels = [event.channel_config("demo", event.origin.url + "/q/index.m3u8")]
    event.start()
    player = event.player().open()
    player.refresh()
    player.play(0, b"/q/seg.ts?part=a&k=1")
    player.play(1, b"/q/seg.ts?part=b&k=1")


def test_forged_session_tokens_are_rejected_with_a_problem(event):
    event.start()
    player = event.player().open()
    token = re.search(r"/~([^/]+)/", player.media_url).group(1)
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    sessions = event.balancer.metric("tribune_access_sessions")
    for bad in (changed, token[:-3], "x", token + "A", "A" * 48, token.upper(), "a" * 5000):
        answer = fetch(player.media_url.replace(token, bad))
        assert answer.status in (400, 403, 404), (bad, answer)
        assert answer.header("Content-Type").startswith("application/problem+json")
    assert fetch(player.media_url.replace(token, changed)).status == 403
    assert event.balancer.metric("tribune_access_sessions") == sessions


def test_a_token_is_rejected_for_another_channel(event):
    event.channels.append(event.channel_config("other", event.live.source))
    event.start()
    player = event.player().open()
    assert fetch(player.media_url.replace("/live/demo/", "/live/other/")).status == 403


def test_a_token_used_from_many_addresses_is_one_session(event):
    event.start()
    player = event.player().open()
    for i in range(2, 60):
        assert fetch(player.media_url, source=f"127.0.0.{i}").status == 200
    assert event.balancer.metric("tribune_access_sessions") == 1


def test_forged_links_are_rejected_and_never_reach_the_origin(event):
    event.channels.append(event.channel_config("other", event.live.source))
    event.start()
    _, url, _ = event.link()
    assert fetch(url).status == 200
    event.origin.requests.clear()
    epoch = re.search(r"/media/demo/([^/]+)/", url).group(1)
    signature = re.search(r"tl=([^&]*)", url).group(1)
    parts = signature.split(".")
    later = ".".join([parts[0], str(int(parts[1]) + 1) if parts[1].isdigit() else parts[1] + "1", *parts[2:]])
    other_mac = signature[:-1] + ("A" if signature[-1] != "A" else "B")
    forged = {
        "one bit": url.replace(signature, other_mac),
        "cut": url[:-4],
        "longer life": url.replace(signature, later),
        "other epoch": url.replace(f"/{epoch}/", "/abc/"),
        "other channel": url.replace("/media/demo/", "/media/other/"),
        "other path": url.replace("/v1/", "/v2/"),
        "no signature": url.split("?")[0],
        "two signatures": url.replace("?", "?tl=x&"),
        "foreign key": url.replace(f".{parts[2]}.", ".k9."),
        "query moved in": url.replace("?", "?evil=1&"),
    }
    for name, bad in forged.items():
        assert bad != url, name
        answer = fetch(bad)
        assert answer.status == 403, (name, answer)
        assert answer.json["type"] == "/problems/link-invalid", (name, answer.json)
    media = [r for r in event.origin.requests if r.path.endswith(".ts")]
    assert media == []


def test_links_of_a_rotated_key_stay_valid_until_its_end(event):
    event.start()
    _, url, expected = event.link()
    node, balancer = event.nodes["stadium"], event.balancer
    new = {"id": "k2", "secret": "another-scenario-secret-0123456789"}
    node.reload(merged(node.config, {"event": {"keys": [new, *KEYS]}}))
    balancer.reload(merged(balancer.config, {"event": {"keys": [new, *KEYS]}}))
    assert fetch(url).body == expected
    wait_until(lambda: event.is_up("stadium"), 5)
    fresh = event.player().open()
    playlist = fresh.refresh()
    # What is listed keeps its text; what is new is signed with the new key.
    event.live.advance()
    segment = fresh.wait_for_msn(event.live.next_msn - 1)
    fresh.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    assert playlist.segments
    ended = {**KEYS[0], "not_after": "2020-01-01T00:00:00Z"}
    node.reload(merged(node.config, {"event": {"keys": [new, ended]}}))
    old = re.sub(r"\.k2\.", ".k1.", url)
    assert fetch(old).status == 403


def test_playlist_text_and_numbering_survive_a_killed_balancer(event):
    event.start()
    player = event.player().open()
    player.refresh()
    for _ in range(3):
        event.live.advance()
        player.wait_for_msn(event.live.next_msn - 1)
        event.balancer.kill()
        event.live.advance()
        event.balancer.start()
        # Player.take() fails on changed text and decreasing numbers.
        segment = player.wait_for_msn(event.live.next_msn - 1)
        player.play(segment.msn, event.live.bytes_of("v1", segment.msn), tries=3)


def restart_source(event, players, listed):
    """The packager begins again. Its next playlist confirms that: a single one might be a stale copy."""
    event.live.restart(first_msn=0, listed=listed)
    path = "/live/demo/v1/index.m3u8"
    asked = event.origin.count(path)

    def is_seen():
        for player in players:
            player.refresh()
        return event.origin.count(path) > asked
    wait_until(is_seen, 5, "the balancer has seen the new run once")
    event.live.advance()


def test_a_source_restart_never_decreases_the_numbers_of_a_player(event):
    event.start()
    player = event.player().open()
    event.live.advance(10)
    player.wait_for_msn(14)
    old = player.playlist.segments[-1]
    player.play(old.msn, event.live.bytes_of("v1", old.msn))
    restart_source(event, [player], listed=3)
    wait_until(lambda: player.refresh().last_msn > 14, 5, "segments of the new run under higher numbers")
    playlist = player.playlist
    assert "#EXT-X-DISCONTINUITY" in playlist.text
    # The reused file names of the new run lead to the new bytes: the epoch in the link differs.
    newest = playlist.segments[-1]
    assert player.follow(newest.uri).body == event.live.bytes_of("v1", event.live.next_msn - 1)
    assert epoch_of(newest.uri) != epoch_of(old.uri)
    # Its first new segment is the one marked as a discontinuity.
    first_new = next(s for s in playlist.segments if epoch_of(s.uri) == epoch_of(newest.uri))
    assert "#EXT-X-DISCONTINUITY" in first_new.tags
    # This also holds after a restart of the balancer.
    event.balancer.kill()
    event.balancer.start()
    event.live.advance()
    wait_until(lambda: player.refresh().last_msn > newest.msn, 5, "the numbering goes on after the balancer's restart")
    assert player.playlist.discontinuity >= 0


def epoch_of(uri):
    return re.search(r"/media/demo/([^/]+)/", uri).group(1)


def test_both_variants_use_the_same_numbers_after_a_source_restart(event):
    event.start()
    players = [event.player(variant=v).open() for v in (0, 1)]
    event.live.advance(4)
    for player in players:
        player.wait_for_msn(8)
    restart_source(event, players, listed=2)
    for player in players:
        wait_until(lambda p=player: p.refresh().last_msn > 8, 5)
    event.live.advance()
    wait_until(lambda: all("seg3.ts" in p.refresh().segments[-1].uri for p in players), 5, "the newest segment in both")
    msn = players[0].playlist.last_msn
    assert players[1].playlist.last_msn == msn, "both variants end at one MSN"
    for player, name in zip(players, event.live.variants):
        player.play(msn, event.live.bytes_of(name, 3))


def test_a_dead_node_is_in_no_new_link_and_listed_links_keep_their_text(event):
    event.start(nodes=("stadium", "city"))
    player = event.player().open()
    playlist = player.refresh()
    first = "stadium" if playlist.segments[-1].text.startswith(event.nodes["stadium"].url) else "city"
    other = "city" if first == "stadium" else "stadium"
    event.nodes[first].kill()
    wait_until(lambda: not event.is_up(first), 2.5, "the dead node dropped")
    event.live.advance()
    segment = player.wait_for_msn(event.live.next_msn - 1)
    assert segment.text.startswith(event.nodes[other].url), segment
    assert "#EXT-X-DISCONTINUITY" not in segment.tags
    player.play(segment.msn, event.live.bytes_of("v1", segment.msn))
    assert_throughout(lambda: all(event.nodes[other].url in s.text for s in player.refresh().segments if s.msn >= segment.msn), 0.5)


def test_a_media_playlist_path_without_a_session_token_is_rejected(event):
    event.start()
    player = event.player().open()
    bare = re.sub(r"/~[^/]+/", "/", player.media_url)
    answer = fetch(bare)
    assert answer.status in (403, 404), answer
    assert MediaPlaylist(fetch(player.media_url).text, player.media_url).segments
