"""The peer of `scripts/bench api`: registration, login, session check, channel list and purchase as a small Flask program on SQLite.

uWSGI runs it in one process with one thread, so the connection to the database and its statements are kept. Session and channel documents
have the members that Tribune's have; a login has no device token. What costs the program least is chosen where there is a choice: the channel
list is written once, tokens are signed with HMAC, and a commit does not wait for the disk, except that of a purchase.
"""
import hashlib
import json
import os
import secrets
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from nacl.exceptions import InvalidkeyError
from nacl.pwhash import argon2id

FOLDER = Path(os.environ["BENCH_API_FOLDER"])
ACCESS_SECONDS, REFRESH_SECONDS, MAX_DEVICES = 3600, 180 * 86400, 20
# Tribune's defaults, api.accounts.hash_passes and api.accounts.hash_memory.
HASH_PASSES, HASH_MEMORY = 2, 19 << 20

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, login TEXT UNIQUE NOT NULL, password BLOB NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS devices (id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, refresh_hash BLOB NOT NULL, used INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS balances (account TEXT PRIMARY KEY, amount INTEGER NOT NULL CHECK (amount >= 0)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS purchases (id TEXT PRIMARY KEY, account TEXT NOT NULL, document TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS purchases_of_account ON purchases (account);
CREATE TABLE IF NOT EXISTS keys (account TEXT, key TEXT, body BLOB NOT NULL, purchase TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (account, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, purchase TEXT NOT NULL, ledger TEXT NOT NULL, amount INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS devices_of_account ON devices (account, used);
"""


def open_database():
    database = sqlite3.connect(FOLDER / "accounts.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.executescript(SCHEMA)
    return database


def channels_response_body():
    channels = json.loads((FOLDER / "channels.json").read_text())
    return json.dumps({"channels": [{"id": c["id"], "title": c["title"], "playback_url": f"/live/{c['id']}/index.m3u8", "state": "free",
                                     "is_playable": True} for c in channels]},
                      separators=(",", ":")).encode()


app = Flask(__name__)
db = open_database()
signer = URLSafeTimedSerializer((FOLDER / "secret").read_bytes())
CHANNELS = channels_response_body()
CHANNELS_ETAG = hashlib.sha256(CHANNELS).hexdigest()[:16]


def as_time(seconds):
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def answer(document, status=200):
    return Response(json.dumps(document, separators=(",", ":")), status, {"Cache-Control": "no-store"}, content_type="application/json")


def problem(status, title):
    return Response(json.dumps({"title": title, "status": status}), status, content_type="application/problem+json")


def text_member(name):
    body = request.get_json(silent=True)
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""


@app.get("/api/v1/channels")
def list_channels():
    response = Response(CHANNELS, headers={"Cache-Control": "no-cache"}, content_type="application/json")
    response.set_etag(CHANNELS_ETAG)
    return response.make_conditional(request)


@app.get("/api/v1/auth/session")
def describe_session():
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        return problem(401, "no access token")
    try:
        account, device, issued = signer.loads(token, max_age=ACCESS_SECONDS)
    except BadSignature:
        return problem(401, "the access token is not valid")
    if db.execute("SELECT 1 FROM devices WHERE id = ?", (device,)).fetchone() is None:
        return problem(401, "logged out")
    return answer({"account": {"id": account}, "device": {"id": device}, "issued_at": as_time(issued), "expires_at": as_time(issued + ACCESS_SECONDS),
                   "channels": [], "has_more_channels": False})


@app.post("/api/v1/auth/register")
def register_account():
    login, password = text_member("login"), text_member("password")
    if not login or len(password) < 8:
        return problem(400, "login and password are needed")
    account, now = secrets.token_hex(8), int(time.time())
    hashed = argon2id.str(password.encode(), opslimit=HASH_PASSES, memlimit=HASH_MEMORY)
    try:
        db.execute("INSERT INTO accounts VALUES (?, ?, ?, ?)", (account, login, hashed, now))
        db.execute("INSERT INTO balances VALUES (?, ?)", (account, 10**12))
    except sqlite3.IntegrityError:
        return problem(409, "the login is taken")
    return answer({"id": account, "login": login, "state": "active", "created_at": as_time(now)}, 201)


def add_device(account, name, refresh, now):
    """The device of a new login. Beyond MAX_DEVICES the account loses the one that was not used for the longest time."""
    device = secrets.token_hex(8)
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO devices VALUES (?, ?, ?, ?, ?)", (device, account, name, hashlib.sha256(refresh.encode()).digest(), now))
    db.execute("DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE account = ? ORDER BY used DESC LIMIT -1 OFFSET ?)", (account, MAX_DEVICES))
    db.execute("COMMIT")
    return device


@app.post("/api/v1/auth/login")
def log_in():
    login, password, name = text_member("login"), text_member("password"), text_member("device") or "device"
    row = db.execute("SELECT id, password, created FROM accounts WHERE login = ?", (login,)).fetchone()
    try:
        if row is None or not argon2id.verify(row[1], password.encode()):
            return problem(401, "login or password is wrong")
    except InvalidkeyError:
        return problem(401, "login or password is wrong")
    account, _, created = row
    now, refresh = int(time.time()), secrets.token_urlsafe(32)
    device = add_device(account, name, refresh, now)
    return answer({
        "account": {"id": account, "login": login, "state": "active", "created_at": as_time(created)},
        "device": {"id": device, "name": name, "created_at": as_time(now), "refreshed_at": as_time(now), "is_current": True},
        "access_token": signer.dumps([account, device, now]), "token_type": "Bearer", "expires_in": ACCESS_SECONDS,
        "expires_at": as_time(now + ACCESS_SECONDS), "refresh_token": refresh, "refresh_expires_at": as_time(now + REFRESH_SECONDS)})


def repeated(account, key, body):
    """The document of the purchase that was made with the key, or None; and whether the key is that of another request."""
    row = db.execute("SELECT body, document FROM keys JOIN purchases ON purchases.id = keys.purchase WHERE keys.account = ? AND key = ?",
                     (account, key)).fetchone()
    return (None, False) if row is None else (json.loads(row[1]), row[0] != body)


@app.post("/api/v1/purchases")
def buy():
    try:
        account, device, _ = signer.loads(request.headers.get("Authorization", "").removeprefix("Bearer "), max_age=ACCESS_SECONDS)
    except BadSignature:
        return problem(401, "the access token is not valid")
    body, key, order, now = request.get_data(), request.headers.get("Idempotency-Key"), request.get_json(silent=True), time.time()
    if not key or not isinstance(order, dict) or order.get("product") != "pie":
        return problem(400, "a key and a product are needed")
    db.execute("PRAGMA synchronous = FULL")  # durable before the response
    db.execute("BEGIN IMMEDIATE")
    purchase, is_other = repeated(account, key, body)
    if is_other:
        db.execute("ROLLBACK")
        return problem(422, "the key was used for another request")
    if purchase is None:
        purchase = pay(account, key, body, order, int(now))
    if purchase is None:
        db.execute("ROLLBACK")
        return problem(402, "the balance is too low")
    db.execute("COMMIT")
    return answer({"purchase": purchase, "access_token": signer.dumps([account, device, int(now)]), "token_type": "Bearer",
                   "expires_in": ACCESS_SECONDS, "expires_at": as_time(now + ACCESS_SECONDS)}, 201)


def pay(account, key, body, order, now):
    quantity, price = int(order.get("quantity", 1)), order["price"]
    total = quantity * price["amount"]
    paid = db.execute("UPDATE balances SET amount = amount - ? WHERE account = ? AND amount >= ?", (total, account, total))
    if paid.rowcount == 0:
        return None
    purchase = {"id": secrets.token_hex(8), "state": "paid", "method": "balance", "product": "pie", "kind": "goods", "title": "Meat pie",
                "quantity": quantity, "price": price, "total": {"amount": total, "currency": price["currency"]}, "created_at": as_time(now),
                "decided_at": as_time(now)}
    db.execute("INSERT INTO purchases VALUES (?, ?, ?)", (purchase["id"], account, json.dumps(purchase)))
    db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", (account, key, body, purchase["id"], now))
    db.executemany("INSERT INTO journal (at, purchase, ledger, amount) VALUES (?, ?, ?, ?)",
                   ((now, purchase["id"], account, -total), (now, purchase["id"], "sales", total)))
    return purchase
