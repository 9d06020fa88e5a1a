"""What a change can break: prints what `scripts/test --changed [BASE]` runs, the most likely to fail first.

    unit LIBRARY      the unit tests of a library, those of changed folders before those that depend on them
    scenario PATH     a folder or file of scenario tests
    players PATH      a file of player tests
    program           the program or its build changed: the scenarios of every build run

A path of the tree belongs to the longest prefix in SCENARIOS and PLAYERS.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/repository"))

from rules import declared_libraries  # noqa: E402

# Source folder -> the scenario tests (in tests/e2e/) that are most likely to see a fault in it. A folder without any is tested by the set that runs in
# every build (mark every_build), which runs after each change of src/.
SCENARIOS = {
    "src/access": ["admission", "live_event/test_expired_sessions.py"],
    "src/accounts": ["accounts"],
    "src/api": ["accounts", "shop", "paid", "harness_checks/test_api_description.py", "routing/test_client_reports.py", "process/test_reload_and_shutdown.py"],
    "src/app": ["process"],
    "src/balancer": ["live_event", "routing/test_node_selection.py"],
    "src/balancer/access_http": ["admission"],
    "src/balancer/entitlements": ["paid"],
    "src/balancer/node_push": ["cache_node/test_segment_announcements.py", "cache_node/test_purge_and_warm_up.py"],
    "src/balancer/nodes": ["routing/test_node_health.py", "routing/test_node_selection.py", "live_event/test_process_failures.py"],
    "src/balancer/routing": ["routing"],
    "src/balancer/sessions": ["live_event/test_sessions_and_links.py", "live_event/test_expired_sessions.py", "admission/test_account_devices.py"],
    "src/balancer/settings": ["process/test_command_line.py", "process/test_reload_and_shutdown.py"],
    "src/balancer/slate": ["origin/test_source_faults.py", "process/test_command_line.py"],
    "src/balancer/sources": ["origin", "playlists"],
    "src/balancer/steering": ["routing/test_content_steering.py", "routing/test_client_reports.py"],
    "src/balancer/timeline": ["origin/test_source_faults.py", "playlists/test_playlist_repair.py", "live_event/test_balancer_restart_time.py"],
    "src/balancer/viewer": ["live_event/test_delivery_to_viewers.py", "live_event/test_sessions_and_links.py", "playlists"],
    "src/base": [],
    "src/cache_node": ["cache_node"],
    "src/cache_node/balancer_link": ["cache_node/test_segment_announcements.py", "cache_node/test_purge_and_warm_up.py", "routing/test_node_health.py"],
    "src/cache_node/disk": ["cache_node/test_disk_faults.py", "cache_node/test_store_faults.py"],
    "src/cache_node/load": ["routing/test_node_health.py", "http_server/test_send_rate_limits.py"],
    "src/config": ["process/test_command_line.py", "process/test_reload_and_shutdown.py"],
    "src/contracts": ["live_event/test_sessions_and_links.py", "cache_node/test_group_fills.py", "cache_node/test_segment_announcements.py"],
    "src/hls": ["playlists", "live_event/test_delivery_to_viewers.py"],
    "src/http": ["http_server/test_request_validation.py", "cache_node/test_cache_semantics.py", "http_cache/test_forwarding_and_storage.py"],
    "src/http_cache": ["http_cache"],
    "src/net": ["http_server", "origin/test_name_resolution.py", "origin/test_tls_and_http2.py"],
    "src/net/client": ["origin", "cache_node/test_fill_faults.py"],
    "src/net/server": ["http_server"],
    "src/runtime": ["process"],
    "src/shop": ["shop", "accounts"],
    "src/store": ["cache_node/test_store_faults.py", "live_event/test_process_failures.py"],
    "src/web": ["live_event/test_delivery_to_viewers.py"],
    "conf": ["process/test_command_line.py"],
    "tests/e2e/harness": ["harness_checks"],
}
PLAYERS = {
    "web": ["test_page_unit_tests.py", "test_api_docs.py", "test_media_playlist_source.py", "test_page_in_the_queue.py"],
    "src/web": ["test_media_playlist_source.py"],
}


def changed_files(base):
    """Files that differ from the commit, and those that git does not know yet."""
    def git(*words):
        made = subprocess.run(["git", *words], cwd=ROOT, check=False, capture_output=True, text=True)
        if made.returncode != 0:
            sys.exit(f"--changed wants a commit that git knows, not {base!r}: {made.stderr.strip()}")
        return made.stdout.splitlines()

    commit = git("rev-parse", "--verify", "--end-of-options", base + "^{commit}")[0]
    return sorted({*git("diff", "--name-only", commit), *git("ls-files", "--others", "--exclude-standard")})


def entry_of(path, table):
    """The tests of the longest prefix of the path; None without one."""
    folders = [str(p) for p in Path(path).parents]
    return next((table[f] for f in folders if f in table), None)


def with_dependents(libraries, declared):
    """The libraries, then the others that link any of them, the lowest first."""
    return [*sorted(libraries), *(name for name, (linked, _) in declared.items() if name not in libraries and linked & libraries)]


def users_of_support(path):
    """The libraries whose tests include a file of tests/support/."""
    name = "support/" + Path(path).name
    return {p.relative_to(ROOT / "tests").parts[0] for p in (ROOT / "tests").glob("*/**/*.[ch]*") if name in p.read_text(errors="replace")}


def plan(files, declared):
    """The lines described above, for a list of changed files."""
    sources, own_tests, scenarios, players = set(), set(), [], []
    for path in files:
        top, *rest = path.split("/")
        if top == "src" and len(rest) > 1:
            sources.add(rest[0])
        elif top == "tests" and rest[0] in declared:
            own_tests.add(rest[0])
        elif top == "tests" and rest[0] == "support":
            own_tests |= users_of_support(path) & set(declared)
        if match := re.fullmatch(r"tests/e2e/((players/)?(?:\w+/)*test_\w+\.py)", path):
            if (ROOT / path).exists():
                (players if match[2] else scenarios).append(match[1].removeprefix("players/"))
        else:
            scenarios += entry_of(path, SCENARIOS) or []
            players += entry_of(path, PLAYERS) or []
    units = dict.fromkeys([*sorted(own_tests), *with_dependents(sources, declared)])
    lines = [f"unit {name}" for name in units if (ROOT / "tests" / name).is_dir()]
    lines += [f"scenario tests/e2e/{path}" for path in without_contained(scenarios)]
    lines += [f"players tests/e2e/players/{path}" for path in dict.fromkeys(players)]
    if sources or "CMakeLists.txt" in files:
        lines.append("program")
    return lines


def without_contained(paths):
    """Without repetitions, and without files of a folder that is in the list itself."""
    kept = dict.fromkeys(paths)
    return [p for p in kept if not any(str(parent) in kept for parent in Path(p).parents)]


if __name__ == "__main__":
    print("\n".join(plan(changed_files(sys.argv[1] if len(sys.argv) > 1 else "HEAD"), declared_libraries(ROOT))))
