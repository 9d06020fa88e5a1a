"""The unit tests of the viewer page, which need no browser."""
import subprocess

from packaged_event import ROOT


def test_the_unit_tests_of_the_viewer_page_pass(viewer_page):
    ran = subprocess.run(["npm", "test", "--silent"], cwd=ROOT / "web", capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "# fail 0" in ran.stdout and "# pass 0" not in ran.stdout, ran.stdout
