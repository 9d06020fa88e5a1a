"""The viewer page's own rules, without a browser."""
import subprocess

from packaged_event import ROOT


def test_the_pages_rules_hold(viewer_page):
    ran = subprocess.run(["npm", "test", "--silent"], cwd=ROOT / "web", capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "# fail 0" in ran.stdout and "# pass 0" not in ran.stdout, ran.stdout
