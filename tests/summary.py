"""Sums up JUnit reports: a line per suite, what failed by name, and one closing line `N passed, N failed`.

A CTest report has one case per program; where the program is a doctest runner, its own count is taken. Exits with 1 when
anything failed or nothing ran.
"""
import re
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

DOCTEST = re.compile(r"\[doctest\] test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")


def outcome_of(case):
    """(passed, failed, skipped) of one <testcase>."""
    is_failed = case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail"
    if case.find("skipped") is not None or case.get("status") in ("disabled", "notrun"):
        return (0, 0, 1) if not is_failed else (0, 1, 0)
    counts = DOCTEST.findall(case.findtext("system-out") or "")
    if counts:
        passed, failed = int(counts[-1][1]), int(counts[-1][2])
        return passed, max(failed, 1 if is_failed else 0), 0
    return (0, 1, 0) if is_failed else (1, 0, 0)


def read(report):
    """Totals of one report and the names of what failed."""
    try:
        cases = list(xml.parse(report).getroot().iter("testcase"))
    except (xml.ParseError, OSError) as error:
        return (0, 1, 0), [f"{report.name}: cannot be read ({error})"]
    totals, failed = [0, 0, 0], []
    for case in cases:
        outcome = outcome_of(case)
        totals = [a + b for a, b in zip(totals, outcome)]
        if outcome[1]:
            failed.append(f"{report.stem}: {case.get('classname', '')} {case.get('name', '')}".strip())
    return tuple(totals), failed


def main(folder):
    total, failures = [0, 0, 0], []
    for report in sorted(Path(folder).glob("*.xml")):
        counts, failed = read(report)
        failures += failed
        total = [a + b for a, b in zip(total, counts)]
        skipped = f", {counts[2]} skipped" if counts[2] else ""
        print(f"{report.stem:28} {counts[0]:5} passed, {counts[1]:3} failed{skipped}")
    for name in failures:
        print(f"FAILED {name}")
    print(f"{total[0]} passed, {total[1]} failed")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
