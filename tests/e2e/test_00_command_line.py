"""The command line: a configuration is checked before it is served, and its errors have a place."""
import json
import subprocess

from harness.event import KEYS, house
from harness.program import BINARY
from harness.waiting import stretched


def run(*arguments, folder=None):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=stretched(10), cwd=folder)


def balancer_config(folder):
    return house(0, {"event": {"keys": KEYS, "channels": [{"id": "demo", "source": "http://127.0.0.1:1/live/master.m3u8"}]},
                     "balancer": {"nodes": [], "state_dir": str(folder / "state")}})


def test_version_help_and_reference_are_printed():
    assert run("--version").stdout.startswith("tribune ")
    assert "serve" in run("--help").stdout
    reference = run("reference")
    assert reference.returncode == 0 and "max_head_bytes" in reference.stdout


def test_a_misspelt_command_is_named_and_the_nearest_one_told():
    for words, wrong, meant in ((("serv", "x.json"), '"serv"', "serve"), (("ctl", "purg"), '"purg"', "purge"), (("ctl", "queue_open", "demo"), '"queue_open"', "queue-open")):
        result = run(*words)
        assert result.returncode == 2 and wrong in result.stderr and meant in result.stderr, result
    assert "subcommand" in run().stderr


def test_a_good_configuration_is_ok(folder):
    file = folder / "good.json"
    file.write_text("// comments are allowed\n" + json.dumps(balancer_config(folder)))
    result = run("check", str(file))
    assert result.returncode == 0, result.stderr
    assert "OK" in result.stdout


def test_every_error_is_listed_with_file_line_column_key_and_the_nearest_known_key(folder):
    config = balancer_config(folder)
    config["front"]["limts"] = {}
    config["event"]["clock_skew"] = "twelve"
    config["event"]["channels"][0]["links"] = "sideways"
    file = folder / "bad.json"
    file.write_text(json.dumps(config, indent=1))
    result = run("check", str(file))
    text = result.stdout + result.stderr
    assert result.returncode != 0
    for line_of, key, allowed in (('"limts"', "front.limts", "limits"), ('"twelve"', "event.clock_skew", "ms"),
                                  ('"sideways"', "event.channels[0].links", "direct")):
        number = 1 + next(i for i, line in enumerate(file.read_text().splitlines()) if line_of in line)
        mine = [line for line in text.splitlines() if f"bad.json:{number}:" in line and key in line]
        assert mine and allowed in mine[0], text


def test_serve_refuses_a_bad_configuration_and_a_missing_file(folder):
    file = folder / "bad.json"
    file.write_text('{"balancr": {}}')
    result = run("serve", str(file))
    assert result.returncode != 0 and "balancr" in result.stdout + result.stderr
    result = run("serve", str(folder / "none.json"))
    assert result.returncode != 0 and "none.json" in result.stdout + result.stderr


def test_a_port_that_is_taken_is_said_and_ends_the_start(programs, folder):
    first = programs(balancer_config(folder))
    import socket
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    config = balancer_config(folder)
    config["front"]["listen"] = ["127.0.0.1:%d" % taken.getsockname()[1]]
    config["balancer"]["state_dir"] = str(folder / "other")
    file = folder / "taken.json"
    file.write_text(json.dumps(config))
    result = run("serve", str(file))
    assert result.returncode != 0 and str(taken.getsockname()[1]) in result.stdout + result.stderr
    assert first.is_running()
    taken.close()
