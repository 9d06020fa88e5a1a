"""Limits and drills that the operator changes at run time, by the admin API and by ctl."""
from harness.access_api import change_limits, current_limits
from harness.operator_cli import run_ctl
from harness.raw_client import fetch
from harness.waiting import wait_until


def admitted(event):
    return event.balancer.get("/live/demo/index.m3u8").status == 200


def test_a_changed_limit_applies_at_once_survives_a_kill_and_can_be_reset(event):
    event.start_balancer(changes={"access": {"max_sessions": 50, "restart_grace": "1s"}})
    assert current_limits(event)["max_sessions"] == 50
    assert change_limits(event, {"max_sessions": 2, "channels": {"demo": {"max_traffic_mbps": 1000}}}).status == 200
    assert [admitted(event) for _ in range(4)] == [True, True, False, False]
    event.balancer.kill()
    event.balancer.start()
    assert current_limits(event)["max_sessions"] == 2
    assert current_limits(event)["channels"]["demo"]["max_traffic_mbps"] == 1000
    assert fetch(event.balancer.admin_url + "/limits", method="DELETE").status == 200
    assert current_limits(event)["max_sessions"] == 50
    assert current_limits(event)["channels"] == {}


def test_an_acknowledged_change_survives_a_kill_right_after_the_response(event):
    event.start_balancer(changes={"access": {"max_sessions": 50}})

    def kill_and_start():
        event.balancer.kill()
        event.balancer.start()

    assert change_limits(event, {"max_sessions": 2}).status == 200
    kill_and_start()
    assert current_limits(event)["max_sessions"] == 2
    assert fetch(event.balancer.admin_url + "/nodes/stadium/drain", method="POST").status == 200
    kill_and_start()
    assert event.node_state("stadium")["draining"]
    assert fetch(event.balancer.admin_url + "/limits", method="DELETE").status == 200
    kill_and_start()
    assert current_limits(event)["max_sessions"] == 50


def test_invalid_limits_are_rejected_with_a_reason_and_change_nothing(event):
    event.start_balancer()
    for wrong in ({"max_sessions": -1}, {"max_sesions": 5}, {"channels": {"demo": 5}}, {"nodes": {"No Id": {}}}, [1], {"max_traffic_mbps": "much"}):
        answer = change_limits(event, wrong)
        assert answer.status == 400, wrong
        assert answer.json["detail"], wrong
    assert current_limits(event)["max_sessions"] is None


def test_ctl_shows_and_changes_limits_and_drills(event):
    event.start_balancer()
    assert "no limit" in run_ctl(event, "limit").stdout
    changed = run_ctl(event, "limit", "--channel", "demo", "--sessions", "1")
    assert changed.returncode == 0, changed.stderr
    assert current_limits(event)["channels"]["demo"]["max_sessions"] == 1
    assert [admitted(event) for _ in range(2)] == [True, False]
    assert run_ctl(event, "limit", "--sessions", "many").returncode != 0
    assert run_ctl(event, "limit-reset").returncode == 0
    assert admitted(event)
    assert "drill: closed" in run_ctl(event, "drill", "on", "--channel", "demo").stdout
    assert not admitted(event)
    assert run_ctl(event, "drill", "off", "--channel", "demo").returncode == 0
    wait_until(lambda: admitted(event), 5, "newcomers are let in again")
    assert "demo" in run_ctl(event, "queue").stdout
