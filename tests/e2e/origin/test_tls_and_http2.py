"""An origin behind TLS: it is requested over HTTP/2, and only when its certificate is trusted."""
import socket
import subprocess

import pytest
from harness.raw_client import fetch
from harness.waiting import wait_until

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  log_format protocol '$server_protocol $request_uri';
  access_log {folder}/access.log protocol;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{ proxy_pass {behind}; }}
  }}
}}
"""


class TlsProxy:
    """nginx with a certificate of its own in front of the scripted origin."""

    def __init__(self, folder, behind):
        self.folder = folder
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.certificate = folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-keyout", folder / "key.pem", "-out", self.certificate, "-subj", "/CN=origin",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=self.port, behind=behind))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-p", folder, "-c", config, "-e", folder / "error.log"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: (folder / "nginx.pid").exists(), 10, "nginx runs")

    def protocols(self):
        return {line.split()[0] for line in (self.folder / "access.log").read_text().splitlines()}

    def close(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def tls(event, tmp_path):
    front = TlsProxy(tmp_path / "tls", event.origin.url)
    event.channels = [event.channel_config("demo", f"{front.url}{event.live.prefix}/master.m3u8")]
    yield front
    front.close()


def test_an_origin_that_supports_http2_is_requested_over_http2(event, tls):
    trust = {"client": {"ca_file": str(tls.certificate)}}
    event.start(balancer=trust, node=trust)
    msn, url, expected = event.link()
    assert fetch(url).body == expected
    wait_until(lambda: tls.protocols() == {"HTTP/2.0"}, 5, "every request came by HTTP/2")


def test_an_origin_with_an_untrusted_certificate_receives_no_request(event, tls):
    event.start()
    answer = fetch(f"{event.balancer.url}/live/demo/index.m3u8")
    assert answer.status in (502, 503, 504), answer  # 504: a slow machine's handshake outlasted the viewer's wait
    assert event.origin.count(event.live.prefix + "/master.m3u8") == 0
