"""A balancer in a process of its own learns which devices of accounts have ended."""
import pytest
from harness.accounts_api import log_out, new_account, new_login
from harness.event import KEYS, merged, process_config
from harness.tribune_process import reserve_port
from harness.waiting import wait_until

WITHIN = 5  # seconds, as docs/accounts.md promises


class SeparateProcesses:
    def __init__(self, folder, programs, make_api):
        self.folder, self.programs = folder, programs
        self.reserved = reserve_port()
        port = self.reserved.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.api = make_api(changes={"front": {"listen": [f"127.0.0.1:{port}"]}})
        self.keys = self.api.admin("/status").json["api"]["accounts"]["keys"]
        self.balancer = self.start_balancer(self.keys)

    def start_balancer(self, account_keys, name="balancer"):
        return self.programs(merged(process_config(), {
            "event": {"keys": KEYS, "account_keys": account_keys, "accounts_url": self.url,
                      "channels": [{"id": "demo", "source": "http://127.0.0.1:1/index.m3u8"}]},
            "balancer": {"nodes": [], "state_dir": str(self.folder / f"state_{name}")}}), name)

    def known(self, balancer=None):
        return (balancer or self.balancer).admin("/status").json["balancer"]["revocations"]

    def wait_known(self, devices, balancer=None):
        wait_until(lambda: self.known(balancer)["devices"] == devices, WITHIN, f"{devices} ended devices at the balancer")


@pytest.fixture
def apart(folder, programs, make_api):
    return SeparateProcesses(folder, programs, make_api)


@pytest.mark.every_build
def test_a_balancer_knows_an_ended_device_within_seconds(apart):
    phone, tv = new_account(apart.api, "ann"), new_login(apart.api, "ann")
    wait_until(lambda: "age_ms" in apart.known(), WITHIN, "the first answer")
    assert apart.known()["devices"] == 0 and apart.known()["url"] == apart.url
    assert log_out(apart.api, phone["access_token"]).status == 204
    apart.wait_known(1)
    assert log_out(apart.api, tv["access_token"], everywhere=True).status == 204
    apart.wait_known(2)


def test_a_balancer_knows_what_ended_while_one_of_the_two_processes_was_away(apart):
    phone, tv, tablet = new_account(apart.api, "ann"), new_login(apart.api, "ann"), new_login(apart.api, "ann")
    assert log_out(apart.api, phone["access_token"]).status == 204
    apart.wait_known(1)

    apart.balancer.kill()
    assert log_out(apart.api, tv["access_token"]).status == 204
    apart.balancer.start()
    apart.wait_known(2)

    apart.api.kill()
    apart.balancer.wait_log("revocations_unknown", url=apart.url)
    assert apart.known()["devices"] == 2
    apart.api.start()
    apart.balancer.wait_log("revocations_known", url=apart.url)
    assert log_out(apart.api, tablet["access_token"]).status == 204
    apart.wait_known(3)


def test_an_answer_that_the_account_key_did_not_sign_is_not_accepted(apart):
    phone = new_account(apart.api, "ann")
    assert log_out(apart.api, phone["access_token"]).status == 204
    apart.wait_known(1)
    other_api = apart.programs(merged(process_config(), {
        "event": {"keys": KEYS, "channels": []},
        "api": {"accounts": {"state_dir": str(apart.folder / "other_accounts")}}}), "other_api")
    stranger = apart.start_balancer(other_api.admin("/status").json["api"]["accounts"]["keys"], "stranger")
    assert "not signed" in stranger.wait_log("revocations_unknown", url=apart.url)[0]["error"]
    assert apart.known(stranger) == {"url": apart.url, "devices": 0}
