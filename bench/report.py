"""The figures as Markdown, between two marks in docs/performance.md."""
import os
import re
import subprocess
import time

FIGURES = ("<!-- figures: begin (written by scripts/bench) -->", "<!-- figures: end -->")
API = ("<!-- api: begin (written by scripts/bench api) -->", "<!-- api: end -->")
PEERS = ("<!-- peers: begin (written by scripts/bench peers) -->", "<!-- peers: end -->")

# (table, the case of ours, the peer, at most so many times the peer's CPU time)
TARGETS = (
    ("segment", "Tribune cache node", "nginx, proxy_cache hit", 0.6),
    ("playlist", "Tribune balancer, a session's live playlist", "nginx, static file", 1.0),
)


def first_line(*command):
    out = subprocess.run(command, check=False, capture_output=True, text=True)
    return next((line for line in (out.stdout + out.stderr).splitlines() if line.strip()), "").strip()


def machine():
    with open("/proc/cpuinfo") as cpuinfo:
        model = re.search(r"model name\s*:\s*(.*)", cpuinfo.read())
    with open("/proc/meminfo") as meminfo:
        gib = int(re.search(r"MemTotal:\s+(\d+)", meminfo.read()).group(1)) / 1048576
    return f"{os.cpu_count()} cores ({model.group(1) if model else 'unknown model'}), {gib:.0f} GiB, Linux {os.uname().release}"


def versions(binary):
    nginx = first_line("/usr/sbin/nginx", "-v").replace("nginx version: ", "")
    varnish = re.search(r"varnish-([\d.]+)", first_line("/usr/sbin/varnishd", "-V"))
    return f"{first_line(binary, '--version')}; {nginx}; Varnish {varnish.group(1) if varnish else '?'}; {first_line('wrk', '-v').split(' [')[0]}"


def by_label(cases, label):
    return next(case for case in cases if case.label == label)


def table(cases, reference):
    base = by_label(cases, reference).cpu_us
    lines = [f"| | CPU µs per request (median) | least to most | requests/s | × {reference} |", "|---|---:|---:|---:|---:|"]
    for case in cases:
        cpu = sorted(r.cpu_us for r in case.rounds)
        rate = sorted(r.per_second for r in case.rounds)[len(case.rounds) // 2]
        lines.append(f"| {case.label} | {case.cpu_us:.1f} | {cpu[0]:.1f} to {cpu[-1]:.1f} | {rate:,.0f} | {case.cpu_us / base:.2f} |")
    return lines


def outcomes(segment, playlist):
    for name, ours, peer, bound in TARGETS:
        cases = segment if name == "segment" else playlist
        ratio = by_label(cases, ours).cpu_us / by_label(cases, peer).cpu_us
        yield name, ours, peer, bound, ratio


def missed(segment, playlist):
    return [f"{ours} takes {ratio:.2f} × {peer}, the target is {bound}" for _, ours, peer, bound, ratio in outcomes(segment, playlist) if ratio > bound]


def render(segment, playlist, playlist_bytes, options):
    command = f"scripts/bench --rounds {options.rounds} --seconds {options.seconds} --connections {options.connections}"
    lines = [
        f"Measured on {time.strftime('%Y-%m-%d')} by `{command}`.",
        "",
        f"- Machine: {machine()}.",
        f"- Versions: {versions(options.binary)}.",
        f"- Median of {options.rounds} rounds of {options.seconds} s, {options.connections} connections; server on core "
        f"{options.server_core}, wrk on core {options.client_core}.",
        f"- Load average when it began: {options.load_before:.1f}. Above about 0.3 something else was running and figures are too high.",
        "",
        "### A segment of 2 MiB, cached",
        "",
        *table(segment, "nginx, proxy_cache hit"),
        "",
        f"### A playlist of {playlist_bytes} bytes",
        "",
        *table(playlist, "nginx, static file"),
        "",
        "### Targets",
        "",
        "| target | measured | |",
        "|---|---:|---|",
    ]
    for name, ours, peer, bound, ratio in outcomes(segment, playlist):
        lines.append(f"| {name}: {ours} ≤ {bound} × {peer} | {ratio:.2f} × | {'met' if ratio <= bound else 'missed'} |")
    return "\n".join(lines) + "\n"


def write(path, marks, text):
    """Puts the text between the two marks of a page."""
    begin, end = marks
    page = path.read_text()
    assert begin in page and end in page, f"{path} has no marks to write between"
    head, rest = page.split(begin, 1)
    path.write_text(f"{head}{begin}\n{text}{end}{rest.split(end, 1)[1]}")
