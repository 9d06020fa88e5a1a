"""`scripts/test --changed` chooses tests that exist, for each folder of the source tree."""
import sys

import pytest
from rules import ROOT, declared_libraries, libraries_in

sys.path.insert(0, str(ROOT / "tests"))

from changed import PLAYERS, SCENARIOS, changed_files, plan

DECLARED = declared_libraries(ROOT)


@pytest.mark.parametrize("folder", SCENARIOS | PLAYERS)
def test_a_folder_of_the_tables_and_its_tests_exist(folder):
    assert (ROOT / folder).is_dir()
    named = [ROOT / "tests/e2e" / p for p in SCENARIOS.get(folder, [])] + [ROOT / "tests/e2e/players" / p for p in PLAYERS.get(folder, [])]
    assert [p for p in named if not p.exists()] == []


def test_each_library_has_scenarios():
    assert {f"src/{name}" for name in libraries_in(ROOT)} - set(SCENARIOS) == set()


def test_a_changed_library_comes_before_those_that_link_it():
    units = [line.split()[1] for line in plan(["src/http/range.h"], DECLARED) if line.startswith("unit ")]
    assert units[0] == "http"
    assert {"net", "cache_node", "balancer"} <= set(units)
    assert "base" not in units and len(units) == len(set(units))


def test_a_file_belongs_to_its_nearest_folder_in_the_table():
    lines = plan(["src/cache_node/disk/store.cpp"], DECLARED)
    assert "scenario tests/e2e/cache_node/test_disk_faults.py" in lines and "scenario tests/e2e/cache_node" not in lines
    # The whole folder contains its files.
    lines = plan(["src/cache_node/disk/store.cpp", "src/cache_node/filling/fill.cpp"], DECLARED)
    assert "scenario tests/e2e/cache_node" in lines and "scenario tests/e2e/cache_node/test_disk_faults.py" not in lines


def test_a_changed_test_runs_itself():
    assert plan(["tests/e2e/routing/test_node_health.py"], DECLARED) == ["scenario tests/e2e/routing/test_node_health.py"]
    assert plan(["tests/e2e/players/test_gaps.py"], DECLARED) == ["players tests/e2e/players/test_gaps.py"]
    assert plan(["tests/hls/cut_test.cpp"], DECLARED) == ["unit hls"]
    assert "unit balancer" in plan(["tests/support/fake_exchange.h"], DECLARED)


def test_documents_and_the_build_choose_no_scenario_of_their_own():
    assert plan(["docs/playlists.md"], DECLARED) == []
    assert plan(["CMakeLists.txt"], DECLARED) == ["program"]


def test_a_commit_that_git_does_not_know_is_named():
    with pytest.raises(SystemExit, match="not 'no-such-commit'"):
        changed_files("no-such-commit")
