"""The disk with the shop is full: what changes something is refused with 503 and leaves nothing half-written, and all works again by itself."""
import json

import pytest
from harness.accounts_api import ask, refused
from harness.operator_cli import ctl_of, run_ctl_of
from harness.raw_client import fetch
from harness.shop import (add_channel, add_product, balance, bought, buy, channels, check_books, entitlements, make_vouchers, money, new_key, product, purchases,
                          redeem, viewer)
from harness.small_disk import small_disk_at
from harness.waiting import wait_until

PAID_IN = 10 ** 9


@pytest.fixture
def small_disk(folder):
    with small_disk_at(folder / "accounts_shop") as disk:
        yield disk


def until_full(program, disk, tokens):
    """Fills the disk and buys until that fails. Returns the keys of what was bought, and the key of what was not."""
    disk.fill()
    keys = []

    def is_full():
        key = new_key()
        answer = buy(program, tokens, "scarf", 300, key=key)
        if answer.status == 201:
            keys.append(key)
            disk.fill()
            return None
        assert refused(answer, 503, "overloaded") and int(answer.header("Retry-After")) >= 1, (answer, answer.body)
        return key

    return keys, wait_until(is_full, 30, "a purchase fails")


def test_purchases_on_a_full_disk_are_refused_as_a_whole_and_work_again_when_it_has_room(make_shop, small_disk):
    shop = make_shop(wrapper=small_disk.inside)
    add_product(shop, "scarf", price=money(300), stock=100_000)
    add_channel(shop, "bench", "bench")
    ann = viewer(shop, "ann", balance=PAID_IN)
    _, [code] = make_vouchers(shop, 700)
    pending = buy(shop, ann, "scarf", 300, method="till").json["purchase"]["id"]
    owned = bought(shop, ann, "bench", 500)["purchase"]["id"]
    keys, failed = until_full(shop, small_disk, ann)
    spent = 500 + 300 * len(keys)
    before, catalogue = purchases(shop, ann), ctl_of(shop, "catalogue", "export")
    assert len(before) == 2 + len(keys) and balance(shop, ann) == PAID_IN - spent

    ready = shop.admin("/readyz")
    assert ready.status == 503 and str(small_disk.folder) in ready.json["detail"], ready.body
    voucher_key = new_key()
    for answer in (buy(shop, ann, "scarf", 300, key=failed), buy(shop, ann, "scarf", 300, method="till"), redeem(shop, ann, code, key=voucher_key)):
        assert refused(answer, 503, "overloaded") and int(answer.header("Retry-After")) >= 1, (answer, answer.body)
    russian = buy(shop, ann, "scarf", 300, key=failed, headers={"Accept-Language": "ru"})
    assert russian.status == 503 and russian.header("Content-Language") == "ru" and "магазин" in russian.json["detail"]
    changed = {"channels": [], "products": [{"id": f"new-{number}", "kind": "goods", "title": "New " * 60, "price": money(1)} for number in range(200)]}
    assert fetch(shop.admin_url + "/catalogue", "PUT", (), json.dumps(changed).encode()).status == 503
    for words in (("purchases", "paid", pending), ("purchases", "refund", owned, "--reason", "rain"), ("balance", "add", "ann", "1", "EUR", "--reason", "x"),
                  ("vouchers", "create", "1", "EUR", "--expires", "2200-01-01T00:00:00Z", "--count", "1000")):
        assert run_ctl_of(shop, *words).returncode != 0, words
    # What needs no change is served, and what failed changed nothing.
    assert purchases(shop, ann) == before and balance(shop, ann) == PAID_IN - spent and len(entitlements(shop, ann)) == 1
    assert ctl_of(shop, "catalogue", "export") == catalogue and channels(shop, ann["access_token"]).status == 200
    assert ask(shop, "GET", f"/purchases/{pending}", ann["access_token"]).json["state"] == "pending"
    check_books(shop)

    small_disk.clear()
    retried = wait_until(lambda: (answer := buy(shop, ann, "scarf", 300, key=failed)).status == 201 and answer, 10, "a purchase succeeds")
    assert retried.header("Idempotency-Replayed") is None, "the refused request was not carried out"
    wait_until(shop.is_ready, 5, "the process is ready")
    spent += 300
    assert redeem(shop, ann, code, key=voucher_key).json["added"] == money(700)
    ctl_of(shop, "purchases", "paid", pending)
    for _ in range(2):
        for key in keys[-5:]:
            assert buy(shop, ann, "scarf", 300, key=key).header("Idempotency-Replayed") == "true"
        assert balance(shop, ann) == PAID_IN - spent + 700 and len(purchases(shop, ann)) == 3 + len(keys)
        wait_until(lambda: product(shop, "scarf").json["left"] == 100_000 - 2 - len(keys), 5, "the goods that are left")
        assert check_books(shop)["sales"] == f"EUR {(spent + 300) / 100:.2f}"
        shop.kill()
        shop.start()


def test_a_kill_on_a_full_disk_loses_no_purchase_that_was_answered(make_shop, small_disk):
    shop = make_shop(wrapper=small_disk.inside)
    add_product(shop, "scarf", price=money(300))
    ann = viewer(shop, "ann", balance=PAID_IN)
    keys, failed = until_full(shop, small_disk, ann)
    shop.kill()
    small_disk.clear()
    shop.start()
    assert len(purchases(shop, ann)) == len(keys) and balance(shop, ann) == PAID_IN - 300 * len(keys)
    assert all(buy(shop, ann, "scarf", 300, key=key).header("Idempotency-Replayed") == "true" for key in keys[-20:])
    assert buy(shop, ann, "scarf", 300, key=failed).header("Idempotency-Replayed") is None
    check_books(shop)
