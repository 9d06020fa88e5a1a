"""Fixtures of the scenario tests. Every process that a test starts is stopped and checked at the end of the test."""
import os
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness.event import Event, merged, process_config  # noqa: E402
from harness.fake_dns import FakeDns  # noqa: E402
from harness.origin import Origin  # noqa: E402
from harness.tribune_process import BINARY, TribuneProcess  # noqa: E402

ARTEFACTS = Path(__file__).parents[1] / "artefacts"


def pytest_sessionstart(session):
    if not Path(BINARY).exists():
        pytest.exit(f"no program at {BINARY}: run scripts/build, or set TRIBUNE_BINARY", 2)


def is_in_gate(item, build):
    """Whether the gate runs a test in this build: one half of the tests under each sanitizer (the cases of a parametrised test stay together), and in
    release what a sanitizer cannot judge."""
    if item.get_closest_marker("every_build"):
        return True
    if build == "release":
        return item.get_closest_marker("release_only") or item.get_closest_marker("release_too")
    half = zlib.crc32(item.nodeid.split("[")[0].encode()) % 2
    return half == ("address", "thread").index(build)


def pytest_collection_modifyitems(config, items):
    """Leaves out what this build cannot run and, with TRIBUNE_SHARE=1, what the gate runs in another one."""
    build = os.environ.get("TRIBUNE_BUILD", "release")
    kept = [item for item in items if build == "release" or not item.get_closest_marker("release_only")]
    if os.environ.get("TRIBUNE_SHARE") == "1":
        kept = [item for item in kept if is_in_gate(item, build)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def pytest_runtest_setup(item):
    """Skips what has not begun at the time TRIBUNE_UNTIL (seconds since 1970), which `scripts/test --changed` sets."""
    until = os.environ.get("TRIBUNE_UNTIL")
    if until and time.time() > int(until):
        pytest.skip("no time is left for it")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    setattr(item, "failed_in_" + report.when, report.failed)


@pytest.fixture
def folder(request, tmp_path_factory):
    """The folder of the test's processes. It is kept in tests/artefacts when the test failed."""
    made = tmp_path_factory.mktemp("scenario", numbered=True)
    yield made
    if getattr(request.node, "failed_in_call", False) or getattr(request.node, "is_broken", False):
        kept = ARTEFACTS / os.environ.get("TRIBUNE_BUILD", "release") / request.node.name.replace("/", "_")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(made, kept, ignore=lambda d, names: [n for n in names if (Path(d) / n).is_socket() or n == "objects"])
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def origins():
    """Makes scripted origins."""
    made = []

    def make(host="127.0.0.1"):
        made.append(Origin(host))
        return made[-1]

    yield make
    for origin in made:
        origin.close()


@pytest.fixture
def origin(origins):
    return origins()


@pytest.fixture
def programs(request, folder, origins):
    """Makes Tribune processes; at the end each is stopped by SIGTERM, must exit with 0 and leave no sanitizer report."""
    made = []

    def make(config, name="tribune", start=True, **options):
        made.append(TribuneProcess(folder, config, name, **options))
        return made[-1].start() if start else made[-1]

    make.all = made
    yield make
    problems = []
    for program in reversed(made):
        try:
            program.stop_and_check()
        except AssertionError as error:
            problems.append(str(error))
    if problems:
        request.node.is_broken = True
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture
def event(folder, programs, origins):
    """An event with an origin, a balancer and cache nodes; see harness/event.py."""
    return Event(folder, programs, origins)


@pytest.fixture
def plain_cache(programs):
    """Makes plain caches, each a process in front of an origin; `settings` are those of the section `http_cache`."""

    def make(origin_url, process=None, front=None, **settings):
        return programs(merged(process_config(), {
            "process": process or {},
            "front": front or {},
            "http_cache": {"id": "plain", "listen": ["127.0.0.1:0"], "origin": origin_url, **settings},
        }), "plain")

    return make


@pytest.fixture(scope="session")
def resolver_library(tmp_path_factory):
    library = tmp_path_factory.mktemp("resolver") / "resolver.so"
    source = Path(__file__).parent / "harness" / "resolver.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


@pytest.fixture
def fake_dns(folder, resolver_library):
    return FakeDns(folder, resolver_library)
