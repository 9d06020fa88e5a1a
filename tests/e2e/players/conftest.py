"""Fixtures of the player tests: the packager runs once for all of them."""
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from packaged_event import PLAYERS, ROOT, PackagedEvent, PackagedOrigin, Viewer  # noqa: E402

ARTEFACTS = ROOT / "tests" / "artefacts" / "players"


@pytest.hookimpl(tryfirst=True)   # before xdist looks at the marks
def pytest_collection_modifyitems(items):
    """One browser at a time (--dist loadgroup): two browsers that decode without a graphics card would stall each other."""
    for item in items:
        if "watch" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def viewer_page():
    with open(ROOT / "web" / "package.json") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        subprocess.run([ROOT / "scripts" / "build-web"], check=True)


@pytest.fixture(scope="session")
def playwright():
    lock, installed = PLAYERS / "package-lock.json", PLAYERS / "node_modules" / ".tribune-installed"
    with open(PLAYERS / "conftest.py") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)   # several workers begin at once
        if installed.exists() and installed.read_bytes() == lock.read_bytes():
            return
        subprocess.run(["npm", "ci", "--no-progress", "--loglevel=error"], cwd=PLAYERS, check=True)
        installed.write_bytes(lock.read_bytes())


@pytest.fixture(scope="session")
def packaged_origin(tmp_path_factory):
    origin = PackagedOrigin(tmp_path_factory.mktemp("origin"))
    yield origin
    origin.close()


@pytest.fixture
def packaged_event(folder, programs, packaged_origin, viewer_page):
    return PackagedEvent(folder, programs, packaged_origin)


@pytest.fixture
def watch(request, playwright):
    """Opens the page for `seconds` of playback; its last screenshot is kept."""
    viewers = []

    def make(page_url, seconds, screenshot="", **options):
        name = request.node.name.replace("[", "_").replace("]", "") + (f"_{screenshot}" if screenshot else "")
        viewers.append(Viewer(page_url, seconds, ARTEFACTS / f"{name}.png", **options))
        return viewers[-1]

    yield make
    for viewer in viewers:
        viewer.close()


@pytest.fixture
def tab(watch):
    """Opens the page in a tab that can be hidden, reloaded and closed: (viewer, state of the page when it has its place)."""

    def make(page_url):
        viewer = watch(page_url, 0, script="tab.mjs")
        return viewer, viewer.next("opened", 120)

    return make
