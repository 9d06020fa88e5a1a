"""Documents that playlists of a private origin reference: asset lists of interstitials, session data, a steering manifest."""
import json
import re
from urllib.parse import urljoin

from harness.live_channel import segment_bytes
from harness.origin import ok, status
from harness.parsing import variant_uris
from harness.raw_client import fetch

KIND = "application/vnd.apple.mpegurl"
ADS = "/live/demo/ads"
LIST = f"{ADS}/list.json"
STEER = "/live/demo/steer"
DATE_RANGE = '#EXT-X-DATERANGE:ID="ad",CLASS="com.apple.hls.interstitial",START-DATE="2026-06-01T18:00:00Z",X-ASSET-LIST="../ads/list.json?who=a%2fb"\n'


def start_event(event, **settings):
    """Starts an event whose playlists reference documents, by relative and by absolute URIs of the origin; a player."""
    live, origin = event.live, event.origin
    multivariant = live.multivariant().decode().replace(
        "#EXT-X-INDEPENDENT-SEGMENTS\n",
        '#EXT-X-SESSION-DATA:DATA-ID="a",URI="data.json"\n#EXT-X-SESSION-DATA:DATA-ID="b",FORMAT=RAW,URI="%s/live/demo/data.bin"\n' % origin.url
        + f'#EXT-X-CONTENT-STEERING:SERVER-URI="{origin.url}{STEER}?s=1",PATHWAY-ID="A"\n').replace("CODECS", 'PATHWAY-ID="A",CODECS')
    origin.on("/live/demo/master.m3u8", ok(multivariant.encode(), KIND))
    origin.on("/live/demo/v1/index.m3u8", ok(lambda: live.media("v1").replace(b"#EXTINF", DATE_RANGE.encode() + b"#EXTINF", 1), KIND))
    assets = {"ASSETS": [{"URI": "one/main.m3u8", "DURATION": 4, "X-OWN": {"a": [1]}}, {"URI": f"{origin.url}{ADS}/two.mp4", "DURATION": 5},
                         {"URI": "https://elsewhere.example/three.m3u8", "DURATION": 6}], "X-MORE": None}
    origin.on(LIST, ok(json.dumps(assets).encode(), "application/json"))
    origin.on(f"{ADS}/one/main.m3u8", ok(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000000\nmedia.m3u8\n", KIND))
    origin.on(f"{ADS}/one/media.m3u8", ok(b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nad.ts\n#EXT-X-ENDLIST\n", KIND))
    origin.on(f"{ADS}/one/ad.ts", ok(segment_bytes("ad", 9_000), "video/mp2t"))
    origin.on(f"{ADS}/two.mp4", ok(segment_bytes("two", 7_000), "video/mp4"))
    origin.on("/live/demo/data.json", ok(b'{"a": 1}', "text/html"))
    origin.on("/live/demo/data.bin", ok(b"\x00\x01\xff", "text/html"))
    manifest = {"VERSION": 1, "TTL": 7, "RELOAD-URI": f"{origin.url}{STEER}?s=2", "PATHWAY-PRIORITY": ["A"], "X-OWN": 1,
                "PATHWAY-CLONES": [{"BASE-ID": "A", "ID": "B", "URI-REPLACEMENT": {"HOST": f"127.0.0.1:{origin.port}"}}]}
    origin.on(STEER, ok(json.dumps(manifest).encode(), "application/json"))
    event.channels = [event.channel_config("demo", live.source, **settings)]
    event.start()
    player = event.player().open()
    player.refresh()
    return player


def named(text, attribute, base):
    return [urljoin(base, uri) for uri in re.findall(f'{attribute}="([^"]+)"', text)]


def asset_list_of(player):
    return named(player.playlist.text, "X-ASSET-LIST", player.media_url)[0]


def test_asset_lists_name_no_origin_host_and_their_assets_play(event):
    player = start_event(event)
    host = f":{event.origin.port}"
    assert host not in player.multivariant.text and host not in player.playlist.text
    url = asset_list_of(player)
    answer = fetch(url + "&_HLS_primary_id=F3C1&_HLS_start_offset=1.5&_HLS_msn=99999999")
    assert answer.status == 200, (answer, answer.body)
    assert host not in answer.text and answer.header("Content-Type") == "application/json" and answer.header("Cache-Control") == "no-store"
    listed = json.loads(answer.text)
    assert listed["X-MORE"] is None and listed["ASSETS"][0]["X-OWN"] == {"a": [1]} and [a["DURATION"] for a in listed["ASSETS"]] == [4, 5, 6]
    assert [r.target for r in event.origin.seen(LIST)] == [f"{LIST}?who=a%2fb&_HLS_start_offset=1.5"]
    one, two, three = (urljoin(url, asset["URI"]) for asset in listed["ASSETS"])
    assert three == "https://elsewhere.example/three.m3u8"
    main = fetch(one + "?_HLS_primary_id=F3C1")
    media = variant_uris(main.text, one)[0]
    segment = re.search(r"^[^#].*ad\.ts.*$", fetch(media).text, re.M).group(0)
    assert player.follow(urljoin(media, segment)).body == segment_bytes("ad", 9_000)
    assert player.follow(two).body == segment_bytes("two", 7_000)
    # On a page of another site hls.js resolves the URIs of the list against the page.
    foreign = json.loads(fetch(url, headers={"Origin": "https://page.example"}).text)["ASSETS"][0]["URI"]
    assert foreign.startswith(f"//127.0.0.1:{event.port('balancer')}/live/demo/~") and fetch("http:" + foreign).text == main.text


def test_session_data_is_served_unchanged_and_the_steering_manifest_of_the_source_without_its_hosts(event):
    player = start_event(event)
    text, url = player.multivariant.text, player.url
    data, raw = (fetch(uri) for uri in named(text, "[^-]URI", url)[:2])
    assert (data.body, data.header("Content-Type")) == (b'{"a": 1}', "application/json")
    assert (raw.body, raw.header("Content-Type"), raw.header("X-Content-Type-Options")) == (b"\x00\x01\xff", "application/octet-stream", "nosniff")
    server = named(text, "SERVER-URI", url)[0]
    answer = fetch(server + "&_HLS_pathway=A&_HLS_throughput=5140000")
    assert json.loads(answer.text) == {"VERSION": 1, "TTL": 7, "PATHWAY-PRIORITY": ["A"], "X-OWN": 1}
    assert [r.target for r in event.origin.seen(STEER)] == [f"{STEER}?s=1&_HLS_pathway=A"]
    assert 'PATHWAY-ID="A"' in text


def test_documents_are_fetched_once_and_errors_name_no_origin(event):
    player = start_event(event)
    event.origin.on(LIST, ok(b'{"ASSETS":[]}', "application/json", fields=[("Cache-Control", "max-age=60")]))
    for _ in range(5):
        other = event.player().open()
        other.refresh()
        assert fetch(asset_list_of(other)).text == '{"ASSETS":[]}'
    assert event.origin.count(LIST) == 1
    url = asset_list_of(player)
    for script, expected in ((status(500), 503), (status(404), 404), (ok(b"<html>"), 502), (ok(b'{"ASSETS":[' + b" " * 300_000 + b"]}"), 502)):
        event.origin.on(LIST, script)
        answer = fetch(url + f"&_HLS_start_offset={expected}.{len(event.origin.requests)}")
        assert answer.status == expected, (answer, answer.body)
        assert str(event.origin.port) not in answer.text and "/problems/" in answer.text
    asked = len(event.origin.seen(LIST))
    for forged in (url.replace("list.json", "other.json"), url.replace("/assets/", "/raw/"), url.split("?")[0], url.replace("tl=doc", "tl=ep")):
        assert fetch(forged).status in (403, 404), forged
    stranger = re.sub(r"~[^/]+/", "~forged/", url, count=1)
    assert fetch(stranger).status == 403 and len(event.origin.seen(LIST)) == asked


def test_documents_stay_at_the_origin_when_configured(event):
    player = start_event(event, origin_documents="leave")
    at_origin = f"{event.origin.url}/live/demo/"
    assert f'X-ASSET-LIST="{at_origin}ads/list.json?who=a%2fb"' in player.playlist.text
    assert f'SERVER-URI="{event.origin.url}{STEER}?s=1"' in player.multivariant.text and f'URI="{at_origin}data.json"' in player.multivariant.text


def test_documents_listed_before_a_restart_of_the_balancer_are_served_after_it(event):
    player = start_event(event)
    url = asset_list_of(player)
    event.balancer.kill()
    event.balancer.start()
    assert "ASSETS" in fetch(url).text
    one = urljoin(url, json.loads(fetch(url).text)["ASSETS"][0]["URI"])
    assert fetch(one).status == 200
