"""Supervision of processes by the harness: reserved ports, exit codes and sanitizer reports."""
import socket
import sys

import pytest
from harness.raw_client import Connection
from harness.tribune_process import TribuneProcess, reserve_port


def test_a_reserved_port_cannot_be_taken_and_refuses_connections():
    holder = reserve_port()
    port = holder.getsockname()[1]
    with pytest.raises(OSError):
        Connection(f"127.0.0.1:{port}", timeout=1)
    beside = socket.socket()
    beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    beside.bind(("127.0.0.1", port))
    beside.listen()
    Connection(f"127.0.0.1:{port}", timeout=1).close()
    beside.close()


def test_a_process_that_dies_or_leaves_a_sanitizer_report_fails_its_test(folder):
    """Another program replaces Tribune: it exits with the wrong code on SIGTERM, or leaves a sanitizer's report."""
    stand_in = """if True:
        import os, signal, sys
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        if {report}: open(os.environ["ASAN_OPTIONS"].split("log_path=")[1] + ".77", "w").write("boom")
        print('{{"event":"ready"}}', flush=True)
        signal.sigwait([signal.SIGTERM])
        sys.exit({code})"""
    for code, report, wrong in ((3, False, "ended with 3"), (0, True, "boom")):
        program = TribuneProcess(folder, {}, wrong.split()[0], wrapper=[sys.executable, "-c", stand_in.format(code=code, report=report)])
        program.start()
        with pytest.raises(AssertionError, match=wrong):
            program.stop_and_check()
    program = TribuneProcess(folder, {}, "early", wrapper=[sys.executable, "-c", "raise SystemExit(1)"])
    with pytest.raises(AssertionError, match="ended at once"):
        program.start()
