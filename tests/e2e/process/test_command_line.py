"""The command line: the check of a configuration and the place of its errors."""
import json
import os
import socket
import subprocess

import pytest
from harness.event import KEYS, merged, process_config
from harness.tribune_process import BINARY
from harness.waiting import stretched


def run(*arguments, folder=None):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=stretched(10), cwd=folder)


def balancer_config(folder):
    return process_config(0, {"event": {"keys": KEYS, "channels": [{"id": "demo", "source": "http://127.0.0.1:1/live/master.m3u8"}]},
                     "balancer": {"nodes": [], "state_dir": str(folder / "state")}})


def test_version_help_and_reference_are_printed():
    assert run("--version").stdout.startswith("tribune ")
    assert "serve" in run("--help").stdout
    reference = run("reference")
    assert reference.returncode == 0 and "max_head_bytes" in reference.stdout


def test_an_unknown_command_is_reported_with_the_nearest_known_one():
    for words, wrong, meant in ((("serv", "x.json"), '"serv"', "serve"), (("ctl", "purg"), '"purg"', "purge"), (("ctl", "queue_open", "demo"), '"queue_open"', "queue-open")):
        result = run(*words)
        assert result.returncode == 2 and wrong in result.stderr and meant in result.stderr, result
    assert "subcommand" in run().stderr


def test_a_valid_configuration_passes_the_check(folder):
    file = folder / "good.json"
    file.write_text("// comments are allowed\n" + json.dumps(balancer_config(folder)))
    result = run("check", str(file))
    assert result.returncode == 0, result.stderr
    assert "OK" in result.stdout


def test_the_check_lists_every_error_with_file_line_column_key_and_the_nearest_known_key(folder):
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


def checked(folder, config=None, text=None, *options):
    file = folder / "checked.json"
    file.write_bytes(text if text is not None else json.dumps(config, indent=1).encode())
    done = run("check", *options, str(file), folder=folder)
    return done.returncode, done.stdout + done.stderr


def test_the_check_opens_the_files_and_folders_that_the_configuration_names(folder):
    config = balancer_config(folder)
    (folder / "plain").write_text("")
    secret = {"id": "k2", "secret_file": str(folder / "none.secret")}
    wrong = {"event": {"keys": [KEYS[0], secret]}, "web": {"folder": str(folder / "page")},
             "balancer": {"state_dir": str(folder / "plain" / "state"), "slate_folder": str(folder / "slates"), "routing": {"zones_file": str(folder / "zones.json")}},
             "cache_node": {"id": "n", "store_dir": str(folder / "plain"), "balancers": ["http://127.0.0.1:1"], "public_url": "http://127.0.0.1:2"},
             "log": {"file": str(folder / "logs" / "tribune.log")}}
    code, text = checked(folder, merged(config, wrong))
    assert code == 1 and "OK" not in text
    for key in ("event.keys[1].secret_file", "web.folder", "balancer.state_dir", "balancer.slate_folder", "balancer.routing.zones_file",
                "cache_node.store_dir", "log.file"):
        assert any(f"checked.json: {key}: " in line for line in text.splitlines()), (key, text)
    assert "No such file" in text
    assert checked(folder, merged(config, wrong), None, "--offline")[0] == 0
    os.mkfifo(folder / "pipe")
    code, text = checked(folder, merged(config, {"event": {"keys": [{"id": "k1", "secret_file": str(folder / "pipe")}]}}))
    assert code == 1 and "no data was written to it" in text


@pytest.mark.parametrize("change, said", [
    ({"admin": {"listen": ["127.0.0.1:8099"]}, "front": {"listen": ["0.0.0.0:8099"]}}, "use the same port"),
    ({"front": {"listen": ["127.0.0.1:8099", "127.0.0.1:8099"]}}, "the same address"),
    ({"event": {"keys": [{"id": "k1", "secret": "${TRIBUNE_SECRET_KEY}"}]}}, "${TRIBUNE_SECRET_KEY}"),
    ({"event": {"keys": [{**KEYS[0], "not_after": "2020-01-01T00:00:00Z"}]}}, "no key is valid for signing"),
    ({"process": {"workers": 2e0}}, "write it without a decimal point"),
])
def test_contradictory_values_are_rejected(folder, change, said):
    code, text = checked(folder, merged(balancer_config(folder), change))
    assert code == 1 and said in text


def test_a_repeated_id_is_reported_with_its_line(folder):
    config = balancer_config(folder)
    config["event"]["channels"] *= 2
    code, text = checked(folder, config)
    lines = json.dumps(config, indent=1).splitlines()
    number = [i + 1 for i, line in enumerate(lines) if '"id": "demo"' in line][1]
    assert code == 1 and f"checked.json:{number}:" in text and "event.channels[1].id" in text and "channels[0]" in text


@pytest.mark.parametrize("text, said", [
    (b"\xef\xbb\xbf{}", "byte order mark"), ("{}".encode("utf-16"), "UTF-16"), (b"front:\n  listen: [x]\n", "YAML"), (b"---\na: 1\n", "YAML"),
    (b"", "empty"), (b'{"event": {"keys": [{"id": "k1", "secret": }]}}', "event.keys[0].secret: "),
])
def test_a_file_that_is_not_json_is_reported_with_its_likely_format(folder, text, said):
    code, answer = checked(folder, None, text)
    assert code == 1 and said in answer


def test_a_configuration_is_read_from_a_pipe_and_a_pipe_without_a_writer_is_an_error(folder):
    os.mkfifo(folder / "config.json")
    done = run("check", "config.json", folder=folder)
    assert done.returncode == 1 and "pipe" in done.stdout + done.stderr
    text = json.dumps(balancer_config(folder)).replace("'", "")
    done = subprocess.run(["bash", "-c", f"{BINARY} check <(echo '{text}')"], capture_output=True, text=True, timeout=stretched(10), cwd=folder)
    assert done.returncode == 0, done.stderr


def test_serve_rejects_an_invalid_configuration_and_a_missing_file(folder):
    file = folder / "bad.json"
    file.write_text('{"balancr": {}}')
    result = run("serve", str(file))
    assert result.returncode != 0 and "balancr" in result.stdout + result.stderr
    result = run("serve", str(folder / "none.json"))
    assert result.returncode != 0 and "none.json" in result.stdout + result.stderr


def test_a_port_in_use_is_reported_and_the_process_does_not_start(programs, folder):
    first = programs(balancer_config(folder))
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
