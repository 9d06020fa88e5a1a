"""The closing line of scripts/test: what counts as passed, as failed, and what may be looked at again."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import summary

PASSED, FAILED = "", '<failure message="not within 5.0 s"/>'
RACE, DEAD = '<failure>WARNING: ThreadSanitizer: data race</failure>', '<error message="failed on teardown: exited with 66"/>'


def report(folder, name, **cases):
    inner = "".join(f'<testcase classname="e2e.test_x" name="{case}">{outcome}</testcase>' for case, outcome in cases.items())
    file = folder / f"{name}.xml"
    file.write_text(f"<testsuites><testsuite>{inner}</testsuite></testsuites>")
    return file


def closing(folder, capsys):
    return summary.main(folder), capsys.readouterr().out.splitlines()


def test_a_failed_test_fails_the_whole(tmp_path, capsys):
    report(tmp_path, "scenario_release", a=PASSED, b=FAILED)
    assert closing(tmp_path, capsys)[1][-2:] == ["FAILED scenario_release: e2e.test_x b", "1 passed, 1 failed"]
    assert summary.main(tmp_path) == 1


def test_what_fails_beside_others_and_passes_each_time_alone_is_unsteady(tmp_path, capsys):
    suite = report(tmp_path, "players", a=PASSED, b=FAILED)
    assert summary.worth_a_second_look(suite) == ["tests/e2e/test_x.py::b"]
    for number in (1, 2, 3):
        report(tmp_path, f"players_alone_{number}", b=PASSED)
    status, lines = closing(tmp_path, capsys)
    assert status == 0 and lines[-1] == "2 passed, 0 failed" and lines[-2].startswith("UNSTEADY players: e2e.test_x b")


def test_a_group_of_tests_is_not_part_of_a_name(tmp_path):
    suite = tmp_path / "players.xml"
    suite.write_text(f'<testsuite><testcase classname="e2e.players.test_x" name="plays[demo]@browser">{FAILED}</testcase></testsuite>')
    assert summary.worth_a_second_look(suite) == ["tests/e2e/players/test_x.py::plays[demo]"]
    for number in (1, 2, 3):
        (tmp_path / f"players_alone_{number}.xml").write_text('<testsuite><testcase classname="e2e.players.test_x" name="plays[demo]"/></testsuite>')
    assert summary.main(tmp_path) == 0


def test_the_id_of_a_test_has_the_folder_of_its_area(tmp_path):
    suite = tmp_path / "scenario_release.xml"
    suite.write_text(f'<testsuite><testcase classname="e2e.routing.test_zones" name="a[1-x]">{FAILED}</testcase></testsuite>')
    assert summary.worth_a_second_look(suite) == ["tests/e2e/routing/test_zones.py::a[1-x]"]


@pytest.mark.parametrize("looks", [(PASSED, FAILED, PASSED), (PASSED, PASSED), (PASSED, PASSED, "<skipped/>")])
def test_one_bad_or_missing_look_is_a_failure(tmp_path, capsys, looks):
    report(tmp_path, "players", a=PASSED, b=FAILED)
    for number, outcome in enumerate(looks, 1):
        report(tmp_path, f"players_alone_{number}", b=outcome)
    status, lines = closing(tmp_path, capsys)
    assert status == 1 and lines[-1] == "1 passed, 1 failed"


@pytest.mark.parametrize("cases", [{"a": RACE}, {"a": DEAD}, {"a": FAILED, "b": RACE}, {"a": FAILED + DEAD},
                                   dict.fromkeys("abcd", FAILED), {"a": PASSED}])
def test_reports_deaths_and_many_failures_get_no_second_look(tmp_path, cases):
    assert summary.worth_a_second_look(report(tmp_path, "scenario_thread", **cases)) == []


def test_nothing_at_all_is_a_failure(tmp_path, capsys):
    assert closing(tmp_path, capsys) == (1, ["0 passed, 0 failed"])


def test_the_longest_steps_and_tests_come_first(tmp_path, capsys):
    (tmp_path / "x.xml").write_text('<testsuite><testcase classname="c" name="quick" time="1.5"/><testcase classname="c" name="slow" time="61"/></testsuite>')
    steps = tmp_path / "steps.tsv"
    steps.write_text("0\tpackages\n2\tbuild: release\n125\tunit tests: release\n130\tdone\n")
    assert summary.main(tmp_path, steps) == 0
    assert capsys.readouterr().out.splitlines()[:7] == [
        "Steps, longest first:",
        "  2 min 03 s  build: release",
        "  0 min 05 s  unit tests: release",
        "  0 min 02 s  packages",
        "Slowest tests:",
        "  1 min 01 s  x: c slow",
        "  0 min 01 s  x: c quick",
    ]
