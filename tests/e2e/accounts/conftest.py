"""A process with the role api and accounts."""
import pytest
from harness.accounts_api import QUICK_ACCOUNTS, WIDE_LIMITS
from harness.event import KEYS, merged, process_config


@pytest.fixture
def make_api(folder, programs):
    """Makes a process with accounts; `accounts` are settings of the section api.accounts, `changes` others of the whole configuration."""

    def make(accounts=None, changes=None, name="api", **options):
        return programs(merged(process_config(), merged({
            "event": {"keys": KEYS, "channels": [{"id": "demo", "source": "http://127.0.0.1:1/index.m3u8"}]},
            "api": {"accounts": {"state_dir": str(folder / f"accounts_{name}"), **QUICK_ACCOUNTS, **(accounts or {})}, "limits": WIDE_LIMITS},
        }, changes)), name, **options)

    return make


@pytest.fixture
def api(make_api):
    return make_api()
