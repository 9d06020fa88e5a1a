"""The switch of the overload drill in a real browser: what a page of another site can do, and the page on which an operator confirms."""
import json
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from harness.access_api import request_access
from harness.waiting import stretched
from packaged_event import PLAYERS


class ForeignPage(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>Another site</title><body>")

    def log_message(self, *_):
        pass


@pytest.fixture
def foreign_url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), ForeignPage)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://foreign.example:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


class DrillBrowser:
    """drill.mjs: next() is the next thing that it says, go_on() lets it continue."""

    def __init__(self, process):
        self.process = process

    def next(self, event):
        line = self.process.stdout.readline()
        said = json.loads(line) if line else {"event": "ended"}
        assert said["event"] == event, (said, self.process.stderr.read())
        return said

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def drill_browser(*arguments):
    with subprocess.Popen(["node", "drill.mjs", *map(str, arguments)], cwd=PLAYERS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        watchdog = threading.Timer(stretched(90), process.terminate)
        watchdog.start()
        try:
            yield DrillBrowser(process)
            assert process.wait(stretched(20)) == 0
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.terminate()


@pytest.mark.xdist_group("browser")
def test_a_page_of_another_site_switches_nothing_and_an_operator_confirms_with_one_button(event, foreign_url, playwright, folder):
    event.start(balancer={"admin": {"names": ["ops.example"]}, "api": {"caches": []}, "access": {"max_sessions": 100}})
    balancer = event.balancer

    def count(result):
        return balancer.metric("tribune_balancer_drill_requests_total", result=result)

    def status():
        return request_access(event).json["status"]

    switch = f"http://ops.example:{balancer.address.rsplit(':', 1)[1]}/access_queue_switch?state=on"
    with drill_browser(switch, foreign_url, folder) as browser:
        framed = browser.next("attacked")["framed"]
        assert "drill" not in framed, "the button of a frame could be pressed by a viewer who believes to press another one"
        assert count("used") == 0 and status() == "granted"
        assert count("unconfirmed") == 6, "picture, style, script, frame, fetch and link arrived, without a sign of their cause"
        assert count("refused") == 2, "the form and the fetch that sent POST have an Origin"
        browser.go_on()
        for width in (1280, 390):
            page = browser.next("asked")
            assert page["width"] == width and page["overflow"] <= 0, page
            assert page["title"] == "Start the overload drill?" and "all channels" in page["facts"] and "No new viewer is admitted" in page["facts"], page
            assert page["button"]["text"] == "Start the drill for all channels" and page["button"]["height"] >= 44 and page["focused"] == "BUTTON", page
            assert page["contrast"] >= 4.5, page
        pressed = browser.next("pressed")
        assert pressed["title"] == "The overload drill is on" and count("used") == 1 and status() != "granted", pressed
        browser.go_on()
        assert browser.next("done")["complaints"] == []
