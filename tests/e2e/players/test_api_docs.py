"""The page /api/docs in a real browser: it shows each operation of the description, on wide and narrow screens."""
import json
import subprocess
from urllib.parse import urlsplit

import pytest
from harness.api_description import DOCUMENT
from harness.event import KEYS, merged, process_config
from harness.waiting import stretched
from packaged_event import PLAYERS, ROOT


def opened_pages(url, screenshots):
    """What api_docs.mjs says about the page, by event."""
    ran = subprocess.run(["node", "api_docs.mjs", url, screenshots], cwd=PLAYERS, check=False, capture_output=True, text=True, timeout=stretched(120))
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0 and lines[-1]["event"] == "done", (ran.stdout, ran.stderr)
    return [line for line in lines if line["event"] == "shown"], lines[-1]


@pytest.mark.xdist_group("browser")
def test_the_page_shows_each_operation_and_loads_nothing_from_other_hosts(programs, viewer_page, playwright, folder):
    channel = {"id": "demo", "source": "http://127.0.0.1:1/index.m3u8"}
    server = programs(merged(process_config(), {"event": {"keys": KEYS, "channels": [channel]}, "api": {"caches": []},
                                                "web": {"folder": str(ROOT / "web" / "dist")}}))
    assert "default-src 'self'" in server.get("/api/docs/").header("Content-Security-Policy")
    pages, done = opened_pages(server.url + "/api/docs", folder)
    described = {f"{method.upper()} {path}" for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert [page["width"] for page in pages] == [1280, 390]
    for page in pages:
        assert sorted(page["operations"]) == sorted(described), page["width"]
        assert page["url"].startswith(server.url + "/api/docs/")
        assert "playback_url" in page["opened"] and "/problems/ticket-expired" in page["opened"], page["opened"]
        assert page["overflow"] <= 0, f"the page scrolls sideways at {page['width']} px"
        assert page["gap"] >= 8, f"the columns of the headers touch at {page['width']} px"
    assert done["complaints"] == []
    others = [url for url in done["requests"] if urlsplit(url).scheme not in ("data", "blob") and not url.startswith(server.url + "/")]
    assert done["requests"] and others == []


def test_without_the_viewer_page_there_is_no_page_for_the_description(programs):
    channel = {"id": "demo", "source": "http://127.0.0.1:1/index.m3u8"}
    server = programs(merged(process_config(), {"event": {"keys": KEYS, "channels": [channel]}, "api": {"caches": []}}))
    assert server.get("/api/v1/openapi.json").json == DOCUMENT
    assert server.get("/api/docs").status == 404
