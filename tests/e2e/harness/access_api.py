"""Requests to the access API, as apps, operators' backends and viewers send them."""
import json
import re

from .raw_client import fetch
from .waiting import wait_until


def request_access(event, source=None, token=None, **body):
    """The response to POST /api/v1/access for the channel `demo`, unless the body names another one. `token`: the operator's token of a backend."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return event.balancer.get("/api/v1/access", method="POST", body=json.dumps({"channel": "demo", **body}).encode(), headers=headers, source=source)


def end_access(event, token):
    """Ends the session, or gives up the ticket, with this token."""
    return event.balancer.get(f"/api/v1/access/{token}", method="DELETE")


def session_of(player):
    """The session token in the player's playlist URL."""
    return re.search(r"/~([^/]+)/", player.media_url).group(1)


def switch_overload_drill(event, query=""):
    response = event.balancer.get("/access_queue_switch" + query)
    assert response.status == 200, (response, response.body)
    return response.json


def wait_sessions_saved(event):
    wait_until(lambda: event.balancer.admin("/queues").json["access"]["unsaved_sessions"] == 0, 5, "sessions on disk")


def current_limits(event):
    return event.balancer.admin("/limits").json


def change_limits(event, limits):
    return fetch(event.balancer.admin_url + "/limits", method="PUT", body=json.dumps(limits).encode())
