"""A paid channel is watched by accounts that own it: every URL without the entitlement, the ends of an entitlement, and what a copied URL opens."""
import json
import re
import time
from urllib.parse import urljoin

import pytest
from harness.access_api import request_access
from harness.accounts_api import log_out, new_login
from harness.live_channel import segment_bytes
from harness.origin import ok
from harness.operator_cli import ctl_of
from harness.paid_channel import PRICE, PRODUCT, problem_at, urls_of
from harness.raw_client import fetch
from harness.shop import add_channel, bought
from harness.waiting import wait_until

REQUIRED, ENDED = "/problems/purchase-required", "/problems/entitlement-ended"


def wait_offers(paid):
    wait_until(lambda: fetch(f"{paid.event.balancer.url}/live/cup/index.m3u8").json.get("products") == [PRODUCT], 20, "the balancer knows the products")


def refund(paid, login):
    [purchase] = [line.split()[0] for line in ctl_of(paid.api, "purchases", "list", login).splitlines() if PRODUCT in line]
    ctl_of(paid.api, "purchases", "refund", purchase, "--reason", "rain")


@pytest.mark.every_build
def test_only_an_account_that_owns_the_channel_gets_a_session_and_it_plays(paid):
    paid.start()
    wait_offers(paid)
    bare = fetch(f"{paid.event.balancer.url}/live/cup/index.m3u8")
    assert (bare.status, bare.json["type"], bare.json["products"]) == (403, REQUIRED, [PRODUCT])
    visitor, owner = paid.visitor("bob"), paid.owner("ann")
    for answer in (paid.request_access(), paid.request_access(visitor)):
        assert answer.status == 403 and answer.json["type"] == REQUIRED and answer.json["products"] == [PRODUCT], (answer, answer.body)
    player = paid.watch(owner)
    for _ in range(3):
        paid.play_newest(player)
    assert set(player.nodes) == {paid.event.url("stadium").split("/")[2]}, "the node serves the segments"
    free = paid.event.player().open()
    assert free.refresh(), "a free channel needs no account"
    assert paid.request_access(visitor, "demo").json["status"] == "granted"


def test_an_access_token_that_is_not_valid_opens_nothing(paid):
    paid.start(offers=False)
    tokens = paid.visitor("ann")
    forged = {"access_token": tokens["access_token"][:-2] + ("AA" if tokens["access_token"][-2:] != "AA" else "BB")}
    assert paid.request_access(forged, "demo").status == 401
    log_out(paid.api, tokens["access_token"])
    answer = paid.request_access(tokens, "demo")
    assert answer.status == 401 and answer.json["type"] == "/problems/logged-out", (answer, answer.body)


def test_an_account_watches_on_as_many_devices_as_it_may_and_learns_their_names(paid):
    paid.start({"access": {"max_sessions_per_account": 1}})
    owner = paid.owner("ann")
    paid.watch(owner)
    other = paid.request_access(new_login(paid.api, "ann", device="TV"))
    assert other.status == 403 and other.json["type"] == "/problems/account-full" and "ann's phone" in other.json["detail"], (other, other.body)


def with_documents(paid):
    """The source has a key, session data, and a list of interstitial assets, too."""
    live, origin = paid.live, paid.event.origin
    date = '#EXT-X-DATERANGE:ID="ad",CLASS="com.apple.hls.interstitial",START-DATE="2026-06-01T18:00:00Z",X-ASSET-LIST="../ads/list.json"'
    live.extra_tags = f'#EXT-X-KEY:METHOD=AES-128,URI="key.bin"\n{date}'
    for variant in live.variants:
        origin.on(f"{live.prefix}/{variant}/key.bin", ok(b"0123456789abcdef", "application/octet-stream"))
    data = b'#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID="a",URI="data.json"\n'
    origin.on(f"{live.prefix}/master.m3u8", ok(lambda: live.multivariant().replace(b"#EXTM3U\n", data, 1), "application/vnd.apple.mpegurl"))
    origin.on(f"{live.prefix}/data.json", ok(b'{"a": 1}', "application/json"))
    origin.on(f"{live.prefix}/ads/list.json", ok(b'{"ASSETS":[{"URI":"ad.mp4","DURATION":5}]}', "application/json"))
    origin.on(f"{live.prefix}/ads/ad.mp4", ok(b"the advertisement", "video/mp4"))


def all_urls(player):
    """Those of urls_of(), and what the playlists refer to besides."""
    text = fetch(player.media_url).text

    def named(tag, attribute, of, base):
        return urljoin(base, re.search(f'#{tag}:[^\n]*{attribute}="([^"]+)"', of).group(1))

    assets = named("EXT-X-DATERANGE", "X-ASSET-LIST", text, player.media_url)
    asset = urljoin(assets, json.loads(fetch(assets).body)["ASSETS"][0]["URI"])
    return {**urls_of(player), "key": named("EXT-X-KEY", "URI", text, player.media_url), "assets": assets, "asset": asset,
            "data": named("EXT-X-SESSION-DATA", "URI", player.multivariant.text, player.url)}


def test_every_kind_of_url_is_refused_without_the_entitlement(paid):
    """The session was opened while the channel was free. Its media playlist is that of a pathway."""
    with_documents(paid)
    paid.start(channel={"steering": True}, access="free", offers=False)
    player = paid.event.player(channel="cup").open()
    player.refresh()
    session = player.media_url.split("/~")[1].split("/")[0]
    urls = {**all_urls(player), "session": f"{player.url}?session={session}",
            "steering": f"{paid.event.balancer.url}/steering/cup?session={session}", "steering without": f"{paid.event.balancer.url}/steering/cup"}
    for kind, url in urls.items():
        assert fetch(url).status in (200, 307), kind
    paid.event.channels[1]["access"] = "paid"
    config = paid.event.balancer.config
    paid.event.balancer.reload({**config, "event": paid.event.event_section()})
    for kind, url in urls.items():
        assert problem_at(url) == REQUIRED, kind
    report = paid.api.get(f"/api/v1/sessions/{session}/reports", method="POST", body=b'{"cache":"stadium"}')
    assert report.status == 403 and report.json["type"] == REQUIRED, (report, report.body)


@pytest.mark.every_build
def test_a_refund_ends_the_session_at_a_segment_and_then_refuses_every_url(paid):
    with_documents(paid)
    paid.start()
    owner = paid.owner("ann")
    player = paid.watch(owner)
    urls = {**all_urls(player), "session": player.url}
    refund(paid, "ann")
    last = paid.wait_playlist_end(player)
    player.play(last.last_msn, paid.live.bytes_of("v1", last.last_msn))
    problem = paid.wait_refused(player)
    assert (problem["type"], problem["reason"]) == (ENDED, "withdrawn")
    for kind, url in urls.items():
        assert problem_at(url) == (REQUIRED if kind == "bare" and "session=" not in url else ENDED), kind
    session = player.media_url.split("/~")[1].split("/")[0]
    report = paid.api.get(f"/api/v1/sessions/{session}/reports", method="POST", body=b'{"cache":"stadium"}')
    assert report.status == 403 and (report.json["type"], report.json["reason"]) == (ENDED, "withdrawn"), (report, report.body)
    assert paid.event.balancer.admin("/queues").json["access"]["sessions"] == 0, "its place is free"
    assert paid.request_access(owner).json["type"] == REQUIRED


def test_a_pass_that_ends_ends_the_session_and_one_that_is_renewed_before_interrupts_nothing(paid):
    paid.start(offers=False)
    add_channel(paid.api, PRODUCT, "cup", valid_for="6s")
    renewed, other = paid.owner("ann"), paid.owner("bob")
    players = [paid.watch(renewed), paid.watch(other)]
    began = time.monotonic()
    for _ in range(4):
        bought(paid.api, renewed, PRODUCT, PRICE)
    problem = paid.wait_refused(players[1], 20)
    assert (problem["type"], problem["reason"]) == (ENDED, "expired")
    wait_until(lambda: time.monotonic() > began + 10, 12, "a time after the first pass")
    paid.play_newest(players[0])
    assert "#EXT-X-ENDLIST" not in fetch(players[0].media_url).text


def test_a_device_that_logs_out_ends_its_session_and_no_other(paid):
    paid.start()
    phone = paid.owner("ann")
    tv = new_login(paid.api, "ann", device="TV")
    players = [paid.watch(phone), paid.watch(tv)]
    assert log_out(paid.api, phone["access_token"]).status == 204
    assert paid.wait_refused(players[0])["reason"] == "logged_out"
    paid.play_newest(players[1])


def test_a_link_of_a_playlist_opens_nothing_at_a_node_and_nothing_without_its_session(paid):
    paid.start()
    player = paid.watch(paid.owner("ann"))
    uri = player.playlist.segments[-1].uri
    at_node = fetch(uri).header("Location")
    assert fetch(at_node).status == 200 and at_node.startswith(paid.event.url("stadium"))
    epoch = re.search(r"tl=([a-z0-9]+)\.r", uri).group(1)
    copied = fetch(f"{paid.event.url('stadium')}/media/cup/{epoch}/{uri.split('/~')[1].split('/', 1)[1]}")
    assert copied.status == 403 and copied.json["type"] == "/problems/link-invalid", (copied, copied.body)
    other = paid.event.player(channel="demo").open()
    other.refresh()
    free_session = other.media_url.split("/~")[1].split("/")[0]
    session = uri.split("/~")[1].split("/")[0]
    assert problem_at(uri.replace(session, free_session)) == "/problems/session-invalid"


def test_with_direct_links_the_playlists_need_the_session_and_the_nodes_serve_the_segments(paid):
    paid.start(channel={"links": "direct"})
    owner = paid.owner("ann")
    player = paid.watch(owner)
    paid.play_newest(player)
    assert player.playlist.segments[-1].uri.startswith(paid.event.url("stadium") + "/media/")
    refund(paid, "ann")
    paid.wait_playlist_end(player)
    assert paid.wait_refused(player)["type"] == ENDED


def test_a_viewer_of_a_paid_channel_waits_with_a_ticket_that_keeps_the_entitlement(paid):
    paid.start({"access": {"max_sessions": 1, "refresh": "1s", "restart_grace": "1s"}})
    first = paid.session_of(paid.owner("ann"))
    bob = paid.owner("bob")
    waits = paid.request_access(bob)
    assert waits.json["status"] == "queued", waits.body
    assert paid.api.get(f"/api/v1/access/{first}", method="DELETE").status == 200
    ticket = {"ticket": waits.json["ticket"]}
    granted = wait_until(lambda: (answer := paid.request_access(None, **ticket)).json["status"] == "granted" and answer, 10, "bob's turn")
    player = paid.player(granted.json["session"]).open()
    player.refresh()
    paid.play_newest(player)


@pytest.mark.every_build
def test_sessions_outlive_kills_of_the_process_and_end_when_they_were_refunded_meanwhile(paid):
    paid.start({"access": {"restart_grace": "1s"}})
    player = paid.watch(paid.owner("ann"))
    wait_until(lambda: paid.event.balancer.admin("/queues").json["access"]["unsaved_sessions"] == 0, 5, "the session on disk")
    paid.event.balancer.kill()
    paid.event.balancer.start()
    paid.event.wait_registered("stadium")
    paid.play_newest(player)
    refund(paid, "ann")
    paid.event.balancer.kill()
    paid.event.balancer.start()
    paid.event.wait_registered("stadium")
    assert paid.wait_refused(player)["reason"] == "withdrawn"
    paid.event.balancer.kill()
    paid.event.balancer.start()
    assert paid.wait_refused(player)["type"] in (ENDED, "/problems/session-ended"), "its end may not have been on disk, and is found again"


def test_an_operators_token_names_no_owner_of_a_paid_channel(paid):
    paid.start({"api": {"operator_token": "operator-token-of-the-test"}}, offers=False)
    answer = request_access(paid.event, token="operator-token-of-the-test", channel="cup", account="ann", device="TV", client="127.0.0.1")
    assert answer.status == 403 and answer.json["type"] == REQUIRED, (answer, answer.body)


def test_a_warm_up_of_a_paid_channel_fills_the_node_and_opens_it_to_nobody(paid):
    paid.start()
    player = paid.watch(paid.owner("ann"))
    segment = player.playlist.segments[0]
    epoch = re.search(r"tl=([a-z0-9]+)\.r", segment.uri).group(1)
    wait_until(lambda: paid.event.balancer.metrics().sum("tribune_balancer_news_questions_total", result="accepted") >= 1, 5, "the node listens")
    ctl_of(paid.event.balancer, "warm", "--nodes", "stadium", f"cup/{epoch}/v1/{paid.live.name_of(segment.msn)}")
    paid.event.wait_stored("stadium", 1)
    asked = paid.event.origin.count(paid.live.path_of("v1", segment.msn))
    player.play(segment.msn, paid.live.bytes_of("v1", segment.msn))
    assert paid.event.origin.count(paid.live.path_of("v1", segment.msn)) == asked == 1
    assert problem_at(f"{paid.event.url('stadium')}/media/cup/{epoch}/v1/{paid.live.name_of(segment.msn)}") == "/problems/link-invalid"


def test_a_channel_that_has_a_large_file_serves_all_of_it_from_a_node(paid):
    """A momentary URL is verified when a request begins, and a range has a request of its own."""
    paid.live.size = 3 * 1024 * 1024
    paid.live.advance(2)
    paid.start()
    player = paid.watch(paid.owner("ann"))
    segment = player.playlist.segments[-1]
    at_node = fetch(segment.uri).header("Location")
    ranged = fetch(at_node, headers={"Range": "bytes=1000-1999"})
    whole = segment_bytes(f"{paid.live.prefix}|v1|{segment.msn}|1", paid.live.size)
    assert ranged.status == 206 and ranged.body == whole[1000:2000]


def test_of_two_players_with_one_url_in_two_networks_the_later_one_is_refused(paid):
    paid.start({"access": {"handover": "5s"}}, channel={"blocking_reload": True})
    session = paid.session_of(paid.owner("ann"))
    first, second = (paid.player(session, source=source).open() for source in ("127.0.1.5", "127.0.2.5"))
    for player in (first, second):
        player.refresh()

    def fetch_next(player, msn):
        return fetch(f"{player.media_url}?_HLS_msn={msn}", source=player.source)

    def is_refused():
        """Each of them fetches the next version once, the second one after the first one."""
        paid.live.advance()
        msn = paid.live.next_msn - 1
        assert fetch_next(first, msn).status == 200, "the first one is served"
        return fetch_next(second, msn).status == 403
    wait_until(is_refused, 60, "the second player is refused")
    assert second.try_refresh().json["type"] == "/problems/session-shared"
    [line] = paid.event.balancer.logged("session_watched_twice")
    assert line["client"] in ("127.0.1.5", "127.0.2.5") and session not in str(line)
    first.refresh()
    msn = paid.live.next_msn - 1
    first.play(msn, paid.live.bytes_of("v1", msn))


def test_a_ticket_keeps_no_session_alive_after_a_refund(paid):
    paid.start({"access": {"max_sessions": 1, "refresh": "1s", "restart_grace": "1s", "reservation": "20s"}})
    first = paid.session_of(paid.owner("bob"))
    ann = paid.owner("ann")
    ticket = {"ticket": paid.request_access(ann).json["ticket"]}
    assert paid.api.get(f"/api/v1/access/{first}", method="DELETE").status == 200
    granted = wait_until(lambda: (answer := paid.request_access(None, **ticket)).json["status"] == "granted" and answer, 10, "ann's turn")
    player = paid.player(granted.json["session"]).open()
    player.refresh()
    refund(paid, "ann")

    def is_refused():
        """Each poll of the ticket names the session again."""
        paid.request_access(None, **ticket)
        return player.try_refresh().status == 403
    wait_until(is_refused, 10, "the session ends although its ticket is polled")
    answer = paid.request_access(None, **ticket)
    assert answer.status == 403 and answer.json["type"] in (ENDED, "/problems/session-ended"), (answer, answer.body)


def test_sessions_that_were_kept_in_reserve_end_with_the_first_one(paid):
    paid.start({"balancer": {"session_idle": "1s"}})
    owner = paid.owner("ann")
    sessions = [paid.session_of(owner) for _ in range(4)]
    player = paid.player(sessions[0]).open()
    player.refresh()
    wait_until(lambda: paid.event.balancer.admin("/queues").json["access"]["sessions"] <= 1, 10, "the others lapse")
    refund(paid, "ann")
    paid.wait_refused(player)
    for session in sessions[1:]:
        assert problem_at(f"{paid.event.balancer.url}/live/cup/index.m3u8?session={session}") == ENDED


def test_a_client_gets_no_origin_of_a_paid_channel_by_saying_that_it_reaches_no_cache(paid):
    paid.start(channel={"fallback": "origin"})
    session = paid.session_of(paid.owner("ann"))
    player = paid.player(session).open()
    player.refresh()
    report = paid.api.get("/api/v1/caches/pings", method="POST", body=json.dumps({"channel": "cup", "session": session, "reachable": []}).encode())
    assert report.status == 200 and report.json["reason"] != "origin", (report, report.body)
    assert fetch(player.playlist.segments[-1].uri).header("Location").startswith(paid.event.url("stadium"))
