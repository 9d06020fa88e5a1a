"""What one client can change for the others at the plain cache: nothing. The origin is nginx, which adds the fields to errors, too."""
import socket
import subprocess

import pytest
from harness.raw_client import fetch
from harness.waiting import wait_until

NGINX = """
user root; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_cookie $greeting {{ "" ""; default "user=alice"; }}
  server {{
    listen 127.0.0.1:{port};
    root {folder}/pages;
    add_header Cache-Control max-age=300 always;
    add_header Set-Cookie $greeting always;
  }}
}}
"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    """The URL of an nginx that serves /page.txt with a lifetime of five minutes."""
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "pages").mkdir()
    (folder / "pages" / "page.txt").write_text("hello")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port))
    process = subprocess.Popen(["/usr/sbin/nginx", "-p", folder, "-c", config, "-e", folder / "error.log"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: (folder / "nginx.pid").exists(), 10, "nginx runs")
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


ATTACKS = {
    "If-Match": ({"If-Match": '"x"'}, {412}),
    "If-Unmodified-Since": ({"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, {412}),
    "a range behind the end": ({"Range": "bytes=999999-"}, {416}),
    "a range of one byte": ({"Range": "bytes=0-0"}, {206}),
    "a large cookie": ({"Cookie": "a=" + "x" * 10_000}, {200, 400}),
    "a cookie and a reload": ({"Cookie": "a=1", "Cache-Control": "no-cache"}, {200}),
    "credentials and a reload": ({"Authorization": "Basic YTpi", "Cache-Control": "no-cache"}, {200}),
}


@pytest.mark.parametrize("is_filled", [False, True], ids=["on a miss", "over a stored response"])
def test_no_client_replaces_what_others_receive(plain_cache, nginx, is_filled):
    address = plain_cache(nginx, process={"workers": 1}).bound("http_cache")
    for number, (kind, (headers, expected)) in enumerate(ATTACKS.items()):
        url = f"http://{address}/page.txt?{number}"
        if is_filled:
            assert fetch(url).body == b"hello"
        assert fetch(url, headers=headers).status in expected, kind
        seen = fetch(url)
        assert (seen.status, seen.body, seen.header("Set-Cookie")) == (200, b"hello", None), kind
        if is_filled:
            assert "; hit" in seen.header("Cache-Status"), kind
