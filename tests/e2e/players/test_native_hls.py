"""Chromium's native HLS player (`<video src>`): with the attribute `crossorigin` on nodes of another origin, and without it on nodes under a path
of the page's own origin."""
import subprocess

import pytest
from harness.waiting import in_gate, wait_until
from packaged_event import free_port

SECONDS = 8


def assert_played(viewer):
    viewer.wait_playing()
    seen = viewer.wait_done()
    assert (seen["after"]["error"], seen["causes"], seen["complaints"]) == (None, [], [])
    assert seen["after"]["shownFrames"] > seen["before"]["shownFrames"]


@pytest.mark.parametrize("channel, links", in_gate([("demo-ts", "redirect")], [("demo", "direct"), ("demo-ts", "redirect")]))
def test_chromium_native_hls_plays_from_another_origin_with_crossorigin(packaged_event, watch, channel, links):
    packaged_event.channels = [packaged_event.channel_config(channel, f"{packaged_event.origin.url}/{channel}/index.m3u8", links=links)]
    packaged_event.start(nodes=("stadium",))
    assert_played(watch(packaged_event.playlist_url(channel) + "#crossorigin", SECONDS, script="native.mjs"))
    assert packaged_event.segments_served("stadium")


@pytest.fixture
def front_proxy(folder):
    """Starts nginx with the balancer at / and the node at /nodes/stadium/."""
    processes = []

    def start(port, balancer, node):
        work = folder / "front_proxy"
        work.mkdir()
        temporary = " ".join(f"{kind}_temp_path {work};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (work / "nginx.conf").write_text(f"""
            daemon off; pid {work}/nginx.pid; error_log {work}/error.log; events {{}}
            http {{ access_log off; {temporary} proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
              server {{ listen 127.0.0.1:{port};
                location / {{ proxy_pass {balancer}; }}
                location /nodes/stadium/ {{ proxy_pass {node}/; }} }} }}""")
        processes.append(subprocess.Popen(["nginx", "-p", str(work), "-e", str(work / "error.log"), "-c", str(work / "nginx.conf")]))
        wait_until(lambda: (work / "nginx.pid").exists() and (work / "nginx.pid").read_text().strip(), 20, "the proxy runs")

    yield start
    for process in processes:
        process.terminate()
        process.wait(20)


def test_chromium_native_hls_plays_from_a_node_under_a_path_of_a_proxy(packaged_event, watch, front_proxy):
    event, port = packaged_event, free_port()
    front = f"http://127.0.0.1:{port}"
    event.channels = [event.channel_config("demo", f"{event.origin.url}/demo/index.m3u8", links="direct")]
    under_a_path = f"{front}/nodes/stadium"
    front_proxy(port, event.url("balancer"), event.url("stadium"))
    event.start(nodes=("stadium",), node={"cache_node": {"public_url": under_a_path}},
                balancer={"balancer": {"nodes": [{"id": "stadium", "url": under_a_path}]}})
    assert_played(watch(f"{front}/live/demo/index.m3u8", SECONDS, script="native.mjs"))
    assert event.segments_served("stadium")
