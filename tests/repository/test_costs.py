"""The comparison of scripts/bench cost: which change of a figure fails a check."""
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import cost_figures
import summary

BENCH = Path(__file__).parents[2] / "bench"
KEPT = {"compiler": "GCC 12", "instructions": {"playlist": 10_000, "segment": 50_000}}


def compared(playlist=10_000, segment=50_000, compiler="GCC 12", **more):
    return cost_figures.Comparison({"playlist": playlist, "segment": segment, **more}, KEPT, compiler)


@pytest.mark.parametrize("playlist", [9_700, 10_000, 10_300])
def test_a_change_of_three_percent_passes(playlist):
    comparison = compared(playlist=playlist)
    assert (comparison.grew, comparison.shrank, comparison.void) == ({}, {}, "")


def test_a_figure_that_grew_fails_and_one_that_shrank_does_not():
    comparison = compared(playlist=10_301, segment=48_000)
    assert comparison.grew == {"playlist": "playlist grew by 3.0 %: 10,301 instructions, 10,000 in costs.json"}
    assert comparison.shrank == {"segment": "segment shrank by 4.0 %: 48,000 instructions, 50,000 in costs.json"}


def test_a_case_without_a_figure_fails():
    assert "has no figure" in compared(admission=1).grew["admission"]


def test_figures_of_another_compiler_are_not_compared():
    comparison = compared(playlist=20_000, compiler="clang 14")
    assert comparison.void and not comparison.grew


def test_a_written_file_is_read_back_and_a_damaged_one_is_an_error(tmp_path):
    file = tmp_path / "costs.json"
    cost_figures.write(KEPT["instructions"], KEPT["compiler"], file)
    assert cost_figures.read(file) == KEPT
    file.write_text('{"instructions": []}')
    with pytest.raises(RuntimeError, match="cannot be read"):
        cost_figures.read(file)


def test_the_closing_line_of_the_tests_counts_each_case(tmp_path):
    measured = {"playlist": 11_000, "segment": 50_000}
    cost_figures.write_junit(tmp_path / "cost.xml", measured, compared(**measured))
    assert summary.read(tmp_path / "cost.xml") == ((1, 1, 0), ["cost: cost instructions per request: playlist"], [])
    cost_figures.write_junit(tmp_path / "cost.xml", measured, compared(**measured, compiler="clang 14"))
    assert summary.read(tmp_path / "cost.xml")[0] == (0, 0, 2)


@pytest.mark.parametrize("script", [p.name for p in BENCH.glob("*.py") if "argparse" in p.read_text()])
def test_each_measurement_explains_its_options(script):
    made = subprocess.run([sys.executable, BENCH / script, "--help"], check=False, capture_output=True, text=True)
    assert made.returncode == 0 and "options:" in made.stdout, made.stderr
