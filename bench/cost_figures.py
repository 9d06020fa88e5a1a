"""The figures of scripts/bench cost: the file that keeps them, the comparison with it, and the reports."""
import json
import re
import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path

FILE = Path(__file__).with_name("costs.json")
TOLERANCE = 0.03


def compiler_of(binary):
    """The compiler that a program names in its section .comment, or "unknown"."""
    out = subprocess.run(["readelf", "-p", ".comment", str(binary)], check=False, capture_output=True, text=True).stdout
    named = re.findall(r"^ *\[ *[0-9a-f]+\] +(.*(?:GCC:|clang version).*)$", out, re.MULTILINE)
    # What clang compiled names GCC too, for the files of libc that start a program.
    return next((name for name in named if "clang" in name), named[0] if named else "unknown")


def subject_of(binary):
    """What the figures of a program hold for: its compiler, and the instructions that valgrind lets libc choose from."""
    has_avx2 = re.search(r"^flags\s*:.*\bavx2\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return compiler_of(binary) + ("" if has_avx2 else ", on a processor without AVX2")


def read(file=FILE):
    try:
        kept = json.loads(Path(file).read_text())
        return {"compiler": str(kept["compiler"]), "instructions": {str(case): int(figure) for case, figure in kept["instructions"].items()}}
    except FileNotFoundError:
        return {"compiler": "", "instructions": {}}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise RuntimeError(f"{file} cannot be read ({error!r}); scripts/bench cost --write makes a new one") from error


def write(measured, compiler, file=FILE):
    Path(file).write_text(json.dumps({"compiler": compiler, "instructions": measured}, indent=2) + "\n")


def table(measured, kept):
    lines = [f"{'case':<12} {'instructions':>14} {'in the file':>14} {'change':>9}"]
    for case, figure in measured.items():
        before = kept["instructions"].get(case)
        change = f"{100 * (figure / before - 1):+.1f} %" if before else "-"
        lines.append(f"{case:<12} {figure:>14,} {before or '-':>14{',' if before else ''}} {change:>9}")
    return "\n".join(lines)


class Comparison:
    """What differs from the file, as sentences by case: `grew` fails a check, `shrank` asks for a new file. `void`: why nothing was compared."""

    def __init__(self, measured, kept, compiler):
        self.grew, self.shrank, self.void = {}, {}, ""
        if kept["instructions"] and kept["compiler"] != compiler:
            self.void = f"the figures in {FILE.name} hold for {kept['compiler']}, not for {compiler}"
            return
        for case, figure in measured.items():
            before = kept["instructions"].get(case)
            if not before:
                self.grew[case] = f"{case}: {FILE.name} has no figure; scripts/bench cost --write adds it"
            elif figure > before * (1 + TOLERANCE):
                self.grew[case] = f"{case} grew by {100 * (figure / before - 1):.1f} %: {figure:,} instructions, {before:,} in {FILE.name}"
            elif figure < before * (1 - TOLERANCE):
                self.shrank[case] = f"{case} shrank by {100 * (1 - figure / before):.1f} %: {figure:,} instructions, {before:,} in {FILE.name}"


def write_junit(file, measured, comparison):
    suite = xml.Element("testsuite", name="cost")
    for case in measured:
        own = xml.SubElement(suite, "testcase", classname="cost", name=f"instructions per request: {case}")
        if comparison.void:
            xml.SubElement(own, "skipped", message=comparison.void)
        elif case in comparison.grew:
            xml.SubElement(own, "failure", message=comparison.grew[case])
    xml.ElementTree(suite).write(file, encoding="unicode")
