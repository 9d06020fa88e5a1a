"""Fixtures of the admission tests: events with limits, with a waiting room and with accounts."""
import pytest
from harness.slate import write_slate


@pytest.fixture
def waiting_room_event(event):
    """Starts the event with a waiting room; `limit` sessions may watch."""

    def start_event(limit=1, nodes=("stadium",), access=None, balancer=None, **channel):
        event.channels = [event.channel_config("demo", event.live.source, **channel)]
        slates = write_slate(event.folder)
        changes = {"access": {"max_sessions": limit, "refresh": "1s", "reservation": "5s", **(access or {})},
                   "balancer": {"slate_folder": slates, "session_idle": "2s", **(balancer or {})},
                   "api": {"caches": []}}
        event.start(nodes=nodes, balancer=changes)
        return event

    return start_event


@pytest.fixture
def limited_event(event):
    """Starts the event without a waiting room; `limit` sessions may watch, and an address may hold any number of tickets."""

    def start_event(limit, access=None, balancer=None, log="info", idle="20s", node_environment=None, **options):
        changes = {"access": {"max_sessions": limit, "refresh": "1s", "reservation": "10s", "restart_grace": "1s", "lease_intervals": 20,
                              "max_tickets_per_address": 100_000, **(access or {})},
                   "balancer": {"session_idle": idle, **(balancer or {})}, "api": {"caches": []},
                   "front": {"limits": {"max_connections": 5000, "max_connections_per_address": 5000}}, "log": {"level": log, "access": False}}
        event.start_node("stadium", **({"environment": node_environment} if node_environment else {}))
        event.start_balancer(("stadium",), changes, **options)
        event.wait_registered("stadium")
        return event

    return start_event
