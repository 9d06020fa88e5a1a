#!/usr/bin/env python3
"""The CSV of bench/simulate as a picture: simulate --csv run.csv && bench/plot_simulation.py run.csv docs/images/routing.svg"""
import csv
import sys

LEFT, WIDTH, HEIGHT, GAP, TOP = 70, 640, 110, 44, 30
LOSS, RETURN = 180, 240
PANELS = [
    ("viewers, in thousands", [("viewers", 1e-3, "#1f6feb", "all")]),
    ("peak load to mean load of a node (cut at 4: few viewers fill few nodes)", [("peak_to_mean", 1, "#8250df", "all nodes (sites differ by a factor of three)"), ("group_peak_to_mean", 1, "#1a7f37", "within the worst group")]),
    ("highest load of a node, in % of its capacity", [("highest_load", 100, "#bc4c00", "")]),
    ("viewers of the lost site, in thousands", [("away", 1e-3, "#cf222e", "served by another site"), ("on_silent", 1e-3, "#57606a", "still on silent nodes")]),
]


def panel(rows, top, title, series):
    values = {key: [min(float(row[key]) * scale, 4 if "peak" in key else 1e9) for row in rows] for key, scale, _, _ in series}
    highest = max(max(v) for v in values.values()) * 1.1 or 1

    def x(i):
        return LEFT + WIDTH * i / (len(rows) - 1)

    def y(v):
        return top + HEIGHT * (1 - v / highest)

    out = [f'<text x="{LEFT}" y="{top - 8}" class="t">{title}</text>', f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" class="f"/>']
    for share in (0, 0.5, 1):
        at = highest / 1.1 * share
        out.append(f'<text x="{LEFT - 6}" y="{y(at) + 4:.1f}" class="a" text-anchor="end">{at:.4g}</text>')
    for second in (LOSS, RETURN):
        out.append(f'<line x1="{x(second):.1f}" x2="{x(second):.1f}" y1="{top}" y2="{top + HEIGHT}" class="m"/>')
    for n, (key, _, colour, name) in enumerate(series):
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(values[key]))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        out.append(f'<text x="{LEFT + WIDTH - 8}" y="{top + HEIGHT / 2 - 14 * n}" class="a" text-anchor="end" style="fill:{colour}">{name}</text>')
    return out


def main(source, target):
    with open(source, newline="") as file:
        rows = list(csv.DictReader(file))
    body, top = [], TOP
    for title, series in PANELS:
        body += panel(rows, top, title, series)
        top += HEIGHT + GAP
    for second, name in ((0, "0 s"), (LOSS, "site lost"), (RETURN, "returns"), (len(rows) - 1, f"{len(rows)} s")):
        body.append(f'<text x="{LEFT + WIDTH * second / (len(rows) - 1):.1f}" y="{top - GAP + 16}" class="a" text-anchor="middle">{name}</text>')
    style = "text{font-family:sans-serif}.t{font-size:13px;fill:#24292f}.a{font-size:11px;fill:#57606a}.f{fill:#f6f8fa;stroke:#d0d7de}.m{stroke:#cf222e;stroke-dasharray:3 3}"
    with open(target, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 30} {top - GAP + 30}" role="img">'
                   f"<title>1,000,000 viewers over 1,000 nodes</title><style>{style}</style>" + "\n".join(body) + "</svg>\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
