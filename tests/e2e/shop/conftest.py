"""Processes with a shop."""
import pytest
from harness.event import merged
from harness.shop import shop_config
from harness.tribune_process import TribuneProcess


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """One process for the tests of a file; each uses accounts and products of its own."""
    folder = tmp_path_factory.mktemp("shop")
    program = TribuneProcess(folder, shop_config(folder / "accounts"), "shop").start()
    yield program
    program.stop_and_check()


@pytest.fixture
def make_shop(folder, programs):
    """Makes a process of the test's own; `settings` are those of the section api.shop, `changes` others of the whole configuration."""

    def make(settings=None, changes=None, **options):
        return programs(shop_config(folder / "accounts_shop", merged({"api": {"shop": settings or {}}}, changes)), "shop", **options)

    return make
