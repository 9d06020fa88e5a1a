"""Many viewers of one new segment: each node sends one request to the origin."""
import threading

from harness.concurrent_clients import fetch_all
from harness.origin import head, held, raw
from harness.waiting import wait_until

NODES = ("stadium", "city")


def test_300_clients_of_one_new_segment_on_two_nodes_cause_one_request_per_node(event):
    event.live.size = 400_000
    event.start(nodes=NODES, node={"cache_node": {"origin": {"first_byte_timeout": "20s"}}})   # the response waits until all clients have asked
    for _ in range(3):
        gate = event.origin.gate()
        msn = event.live.next_msn
        event.live.advance()
        path, body = event.live.path_of("v1", msn), event.live.bytes_of("v1", msn)
        event.origin.on(path, held(gate, raw(head(200, {"Content-Type": "video/mp2t"}, len(body)) + body, "keep")))
        player = event.player().open()
        link = player.wait_for_msn(msn).uri
        target = link.split("/", 3)[3]
        urls = [f"{event.nodes[NODES[i % 2]].url}/{target}" for i in range(300)]
        results = []
        crowd = threading.Thread(target=lambda: results.extend(fetch_all(urls, within=40)))
        crowd.start()
        wait_until(lambda: event.origin.count(path) == 2, 10, "each node asks")
        gate.open()
        crowd.join()
        assert [v.error for v in results if v.error] == []
        assert all(v.status == 200 and v.body == body for v in results) and len(results) == 300
        assert event.origin.count(path) == 2, "each node asked once"
        wait_until(lambda: all(logged_requests(event.nodes[n], path) >= 150 for n in NODES), 5)


def logged_requests(node, path):
    return len([a for a in node.access_log() if a["path"].endswith(path.rsplit("/", 1)[1])])


def test_300_viewers_share_one_playlist_and_one_refresh(event):
    event.start(nodes=NODES)
    players = [event.player().open() for _ in range(40)]
    before = event.origin.count(event.live.prefix + "/v1/index.m3u8")
    results = fetch_all([players[i % 40].media_url for i in range(300)])
    assert all(v.status == 200 and v.body.startswith(b"#EXTM3U") for v in results)
    assert event.origin.count(event.live.prefix + "/v1/index.m3u8") - before <= 4
    texts = {v.body for v in results}
    assert len(texts) <= 4, "viewers with the same pins share the text"


def test_each_segment_that_many_viewers_play_is_requested_once_per_node(event):
    event.channels = [event.channel_config("demo", event.live.source, links="redirect")]
    event.start(nodes=NODES)
    for _ in range(5):
        event.live.advance()
        msn = event.live.next_msn - 1
        player = event.player().open()
        player.wait_for_msn(msn)
        players = [event.player().open() for _ in range(8)]

        def play(one):
            one.wait_for_msn(msn)
            one.play(msn, event.live.bytes_of("v1", msn))

        threads = [threading.Thread(target=play, args=(p,)) for p in players]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        used = {n for p in players for n in p.nodes}
        assert used and event.origin.count(event.live.path_of("v1", msn)) == len(used)
