"""Sums up JUnit reports: what took longest, a line per suite, what failed by name, and one closing line `N passed, N failed`.

A CTest report has one case per program; where the program is a doctest runner, its own count is taken. Exits with 1 when
anything failed or nothing ran.

A test with real processes and deadlines may fail only because of what else the machine did. Such a test is looked at again, alone, and
passes when it passes each of those times (`SUITE_alone_N.xml`); it is named UNSTEADY then, because somebody should mend it. Not
looked at again: what a sanitizer reported, a program that died or did not stop, and more than a few tests of one suite.
"""
import re
import sys
import xml.etree.ElementTree as xml
from itertools import pairwise
from pathlib import Path

DOCTEST = re.compile(r"\[doctest\] test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")
ALONE = "_alone_"
LOOKS = 3
FEW = 3
SLOWEST = 10


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


def cases_of(report):
    return list(xml.parse(report).getroot().iter("testcase"))


def own_name(case):
    """Without the group that pytest-xdist appends where tests of one group share a worker."""
    return re.sub(r"@\w+$", "", case.get("name", ""))


def name_of(case):
    return f"{case.get('classname', '')} {own_name(case)}".strip()


def may_be_looked_at_again(case):
    failure = case.find("failure")
    return failure is not None and case.find("error") is None and "Sanitizer" not in xml.tostring(case, "unicode")


def worth_a_second_look(report):
    """The pytest ids of what failed in a report, when each of them may be looked at again and they are few."""
    try:
        failed = [case for case in cases_of(report) if outcome_of(case)[1]]
    except (xml.ParseError, OSError):
        return []
    if len(failed) > FEW or not all(map(may_be_looked_at_again, failed)):
        return []
    return [f"tests/{case.get('classname').replace('.', '/')}.py::{own_name(case)}" for case in failed]


def passed_alone(report, case):
    looks = [report.with_name(f"{report.stem}{ALONE}{number}.xml") for number in range(1, LOOKS + 1)]
    try:
        return all((1, 0, 0) in [outcome_of(other) for other in cases_of(look) if name_of(other) == name_of(case)] for look in looks)
    except (xml.ParseError, OSError):
        return False


def read(report):
    """Totals of one report, the names of what failed, and of what passed only alone."""
    try:
        cases = cases_of(report)
    except (xml.ParseError, OSError) as error:
        return (0, 1, 0), [f"{report.name}: cannot be read ({error})"], []
    totals, failed, unsteady = [0, 0, 0], [], []
    for case in cases:
        outcome = outcome_of(case)
        if outcome[1] and passed_alone(report, case):
            outcome = (1, 0, 0)
            unsteady.append(f"{report.stem}: {name_of(case)}")
        elif outcome[1]:
            failed.append(f"{report.stem}: {name_of(case)}")
        totals = [a + b for a, b in zip(totals, outcome, strict=True)]
    return tuple(totals), failed, unsteady


def duration(seconds):
    return f"{int(seconds) // 60:3} min {int(seconds) % 60:02} s"


def longest_steps(steps):
    """(seconds, step) of each step but the last, longest first. A line of the file: the second at which a step began, a tab, the step."""
    begun = [line.split("\t", 1) for line in Path(steps).read_text().splitlines()]
    return sorted(((int(end) - int(begin), step) for (begin, step), (end, _) in pairwise(begun)), key=lambda row: -row[0])


def slowest_tests(folder):
    """(seconds, report, test) of the tests that took longest; a program of unit tests counts as one test."""
    rows = []
    for report in Path(folder).glob("*.xml"):
        try:
            rows += [(float(case.get("time") or 0), report.stem, name_of(case)) for case in cases_of(report)]
        except (xml.ParseError, OSError, ValueError):
            continue
    return sorted(rows, key=lambda row: -row[0])[:SLOWEST]


def print_durations(folder, steps):
    print("Steps, longest first:")
    for seconds, step in longest_steps(steps):
        print(f"{duration(seconds)}  {step}")
    print("Slowest tests:")
    for seconds, report, test in slowest_tests(folder):
        print(f"{duration(seconds)}  {report}: {test}")


def main(folder, steps=None):
    if steps is not None and Path(steps).exists():
        print_durations(folder, steps)
    total, failures, unsteady = [0, 0, 0], [], []
    for report in sorted(Path(folder).glob("*.xml")):
        if ALONE in report.stem:
            continue
        counts, failed, shaky = read(report)
        failures += failed
        unsteady += shaky
        total = [a + b for a, b in zip(total, counts, strict=True)]
        skipped = f", {counts[2]} skipped" if counts[2] else ""
        print(f"{report.stem:28} {counts[0]:5} passed, {counts[1]:3} failed{skipped}")
    for name in unsteady:
        print(f"UNSTEADY {name}: failed once beside others, passed {LOOKS} of {LOOKS} times alone")
    for name in failures:
        print(f"FAILED {name}")
    print(f"{total[0]} passed, {total[1]} failed")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    if sys.argv[1] == "--second-look":
        print("\n".join(worth_a_second_look(Path(sys.argv[2]))))
    else:
        sys.exit(main(*sys.argv[1:]))
