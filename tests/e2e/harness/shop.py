"""The shop, as apps and operators use it. `program` is the process that serves it. Apps' functions return the response, which is compared with the description
of the API; operators' go through `tribune ctl` or the admin listener."""
import json
import uuid

from .accounts_api import QUICK_ACCOUNTS, WIDE_LIMITS, ask, new_account, post
from .event import KEYS, merged, process_config
from .operator_cli import ctl_of
from .raw_client import fetch

# One free channel and two paid ones. Tests that share a process use products of their own.
CHANNELS = [{"id": "main", "title": "Main camera", "source": "http://127.0.0.1:1/main/index.m3u8"},
            {"id": "bench", "title": "Bench camera", "source": "http://127.0.0.1:1/bench/index.m3u8", "access": "paid"},
            {"id": "cup", "source": "http://127.0.0.1:1/cup/index.m3u8", "access": "paid"}]
WIDE_SHOP_LIMITS = {**WIDE_LIMITS, "max_voucher_attempts_per_account": 100_000}
FOREVER = "2200-01-01T00:00:00Z"


def shop_config(state_dir, changes=None):
    """A process with accounts, a shop and both payment methods."""
    return merged(process_config(), merged({
        "event": {"keys": KEYS, "channels": CHANNELS},
        "api": {"accounts": {"state_dir": str(state_dir), **QUICK_ACCOUNTS}, "limits": WIDE_SHOP_LIMITS, "shop": {"payment_methods": ["balance", "till"]}},
    }, changes))


def money(amount, currency="EUR"):
    return {"amount": amount, "currency": currency}


def new_key():
    return str(uuid.uuid4())


# -- operators --
def put_product(program, product, headers=()):
    """The response to PUT /catalogue/products/{id} of the admin listener."""
    return fetch(f"{program.admin_url}/catalogue/products/{product['id']}", "PUT", headers, json.dumps(product).encode())


def add_product(program, product, **members):
    """Puts goods that cost EUR 5.00 unless `members` say otherwise; their members."""
    made = {"id": product, "kind": "goods", "title": {"en": f"The {product}", "ru": f"Товар {product}"}, "price": money(500), **members}
    answer = put_product(program, made)
    assert answer.status == 200, (answer, answer.body)
    return made


def add_channel(program, product, channel, **members):
    """Puts a product that opens one channel without end."""
    return add_product(program, product, kind="channel", channels=[channel], **members)


def import_catalogue(program, catalogue, name="catalogue.json"):
    file = program.folder / name
    file.write_text(catalogue if isinstance(catalogue, str) else json.dumps(catalogue, ensure_ascii=False))
    return ctl_of(program, "catalogue", "import", str(file))


def viewer(program, login, balance=0):
    """The first login of a new account with a prepaid balance in EUR cents."""
    tokens = new_account(program, login)
    if balance:
        ctl_of(program, "balance", "add", login, str(balance), "EUR", "--reason", "paid at the desk")
    return tokens


def make_vouchers(program, amount, count=1, expires=FOREVER, currency="EUR"):
    """(id of the batch, codes)."""
    known = {line.split()[0] for line in ctl_of(program, "vouchers", "list").splitlines()}
    codes = ctl_of(program, "vouchers", "create", str(amount), currency, "--expires", expires, "--count", str(count)).split()
    assert len(set(codes)) == count
    [batch] = {line.split()[0] for line in ctl_of(program, "vouchers", "list").splitlines()} - known
    return batch, codes


def check_books(program):
    """{ledger: its text} after `tribune ctl books --check` found no fault."""
    first, *ledgers = ctl_of(program, "books", "--check").splitlines()
    assert first.endswith("transactions, all correct"), first
    return {name: amount for name, _, amount in (line.partition(" ") for line in ledgers) for amount in [amount.strip()]}


# -- apps --
def order_of(product, price, **members):
    return {"product": product, "price": money(price) if isinstance(price, int) else price, **members}


def keyed(key, headers=()):
    return {"Idempotency-Key": key, **dict(headers)}


def buy(program, tokens, product, price, key=None, headers=(), breaks_api=False, **members):
    """`price`: of one piece, in EUR cents or as a member of the request."""
    return post(program, "/purchases", order_of(product, price, **members), token=tokens["access_token"], headers=keyed(key or new_key(), headers),
                breaks_api=breaks_api)


def bought(program, tokens, product, price, **options):
    """The members of the answer to a purchase that is paid at once."""
    answer = buy(program, tokens, product, price, **options)
    assert answer.status == 201 and answer.json["purchase"]["state"] == "paid", (answer, answer.body)
    return answer.json


def redeem(program, tokens, code, key=None, **options):
    return post(program, "/vouchers/redeem", {"code": code}, token=tokens["access_token"], headers=keyed(key or new_key()), **options)


def balance(program, tokens, currency="EUR"):
    """The amount of the prepaid balance."""
    answer = ask(program, "GET", "/balance", tokens["access_token"])
    assert answer.status == 200, (answer, answer.body)
    return next((entry["amount"] for entry in answer.json["balances"] if entry["currency"] == currency), 0)


def purchase(program, tokens, identifier, **options):
    return ask(program, "GET", f"/purchases/{identifier}", tokens["access_token"], **options)


def purchases(program, tokens):
    """All purchases, over the pages of the list."""
    found, cursor = [], ""
    while cursor is not None:
        page = ask(program, "GET", "/purchases" + (f"?cursor={cursor}" if cursor else ""), tokens["access_token"])
        assert page.status == 200, (page, page.body)
        found, cursor = found + page.json["purchases"], page.json.get("next")
    return found


def product(program, identifier, **options):
    return ask(program, "GET", f"/products/{identifier}", **options)


def entitlements(program, tokens):
    answer = ask(program, "GET", "/entitlements", tokens["access_token"])
    assert answer.status == 200, (answer, answer.body)
    return answer.json["entitlements"]


def channels(program, access_token=None, **options):
    return ask(program, "GET", "/channels", access_token, **options)


def state_of(program, channel, access_token=None):
    """free, owned or locked."""
    answer = channels(program, access_token)
    assert answer.status == 200, (answer, answer.body)
    [found] = [entry for entry in answer.json["channels"] if entry["id"] == channel]
    assert found["is_playable"] == (found["state"] != "locked")
    return found["state"]
