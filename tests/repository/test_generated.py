"""What is generated from the settings' tables says what the program says."""
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BINARY = os.environ.get("TRIBUNE_BINARY", str(ROOT / "build" / "tribune"))
SAMPLES = ["all-in-one", "balancer", "cache-node"]


def run(*arguments):
    return subprocess.run([BINARY, *arguments], check=False, capture_output=True, text=True, timeout=30)


def compare(file, command):
    made = run(*command)
    assert made.returncode == 0, made.stderr
    assert file.exists(), f"write it: build/tribune {' '.join(command)} > {file.relative_to(ROOT)}"
    assert file.read_text() == made.stdout, f"differs; write it anew: build/tribune {' '.join(command)} > {file.relative_to(ROOT)}"


def test_the_settings_reference_is_up_to_date():
    compare(ROOT / "docs" / "configuration.md", ["reference"])


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sample_is_up_to_date(name):
    compare(ROOT / "conf" / f"{name}.json", ["reference", "--sample", name])


def test_every_sample_that_the_program_knows_is_compared():
    said = re.search(r"Print a sample configuration instead: ([^.]*)\.", re.sub(r"\s+", " ", run("reference", "--help").stdout)).group(1)
    assert sorted(said.split(", ")) == SAMPLES
    assert sorted(p.stem for p in (ROOT / "conf").glob("*.json")) == SAMPLES


def test_every_sample_passes_the_check_once_its_secret_is_there(tmp_path):
    secret = tmp_path / "k1.secret"
    secret.write_text("0123456789abcdef0123456789abcdef")
    for name in SAMPLES:
        file = tmp_path / f"{name}.json"
        file.write_text(run("reference", "--sample", name).stdout.replace("/etc/tribune/k1.secret", str(secret)))
        checked = run("check", "--offline", str(file))   # its folders are another machine's
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_reference_names_every_bound_of_the_front_door():
    text = run("reference").stdout
    for key in ("max_head_bytes", "max_header_fields", "head_timeout", "min_send_rate_bps", "max_connections_per_address", "stop_deadline"):
        assert key in text


def test_a_difference_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("test_generated.ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "configuration.md").write_text(run("reference").stdout + "one more line\n")
    with pytest.raises(AssertionError, match="differs"):
        test_the_settings_reference_is_up_to_date()


def test_every_problem_type_is_documented():
    """docs/problems.md names each stable type that an answer may carry."""
    text = (ROOT / "docs" / "problems.md").read_text()
    slugs = set()
    for path in (ROOT / "src").rglob("*.cpp"):
        slugs |= set(re.findall(r'ProblemType \w+\{\s*"([a-z0-9-]+)"', path.read_text()))
    assert len(slugs) >= 15
    missing = sorted(slug for slug in slugs if slug not in text)
    assert not missing, missing
