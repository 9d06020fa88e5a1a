"""Requests of Tribune's own processes: bodies signed with the event's keys, as contracts/signed_body.h defines."""
import base64
import hashlib
import hmac
import json
import time

from .event import KEYS
from .raw_client import fetch

ACCESS_PATH = "/internal/v1/access"


def signature(context, body, now=None):
    """The value of X-Tribune-Signature."""
    key = KEYS[0]
    own = hmac.new(key["secret"].encode(), b"tribune:heartbeat", hashlib.sha256).digest()
    moment = str(int((time.time() if now is None else now) * 1000))
    mac = hmac.new(own, context.encode() + b"\n" + moment.encode() + b"\n" + body, hashlib.sha256).digest()[:16]
    return f"{key['id']}.{moment}." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def ask_access(balancer, **request):
    """The access request of an api process for one of its accounts."""
    body = json.dumps({"action": "open", "channel": "demo", **request}).encode()
    return fetch(balancer.url + ACCESS_PATH, method="POST", body=body, headers={"X-Tribune-Signature": signature("POST " + ACCESS_PATH, body)})
