"""What viewers buy and how they pay: lists, prices, stock, repeated requests, vouchers, pending purchases and refunds."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.accounts_api import PASSWORD, ask, bearer, delete_account, export, new_account, new_login, post, post_unchecked, refresh, refused, session
from harness.event import KEYS, merged, process_config
from harness.operator_cli import ctl_of, run_ctl_of
from harness.raw_client import fetch
from harness.shop import (CHANNELS, add_channel, add_product, balance, bought, buy, channels, check_books, entitlements, keyed, make_vouchers, money, new_key, order_of,
                          product, purchase, purchases, put_product, redeem, state_of, viewer)
from harness.waiting import wait_until

RUSSIAN = {"Accept-Language": "ru"}


def left_of(program, identifier):
    return product(program, identifier).json["left"]


def is_revalidated(program, path, token=None, headers=()):
    """Whether the same document is answered with 304 and the same fields, and another entity-tag with 200."""
    first = ask(program, "GET", path, token, headers)
    assert first.status == 200, (first, first.body)
    again = ask(program, "GET", path, token, {**dict(headers), "If-None-Match": first.header("ETag")})
    other = ask(program, "GET", path, token, {**dict(headers), "If-None-Match": '"0000000000000000"'})
    same = all(again.headers(name) == first.headers(name) for name in ("ETag", "Vary", "Cache-Control", "Content-Language"))
    return again.status == 304 and again.body == b"" and same and other.status == 200 and other.body == first.body


def test_lists_are_in_the_language_of_the_client_and_are_revalidated_with_their_entity_tag(shop):
    add_channel(shop, "lists-cup", "cup", price=money(700), description={"en": "All matches", "ru": "Все матчи"})
    note = {"channel": "cup", "title": {"en": "Cup", "ru": "Кубок"}, "now": {"en": "Warm-up", "ru": "Разминка"}, "poster": "/cup.jpg", "opens_at": "2026-01-01T10:00:00Z"}
    assert fetch(shop.admin_url + "/catalogue/channels/cup", "PUT", (), json.dumps(note).encode()).status == 200
    ann = new_account(shop, "ann.lists")
    for path, token in (("/channels", None), ("/channels", ann["access_token"]), ("/products", None), ("/products?limit=1", None), ("/products/lists-cup", None),
                        ("/purchases", ann["access_token"]), ("/balance", ann["access_token"]), ("/entitlements", ann["access_token"])):
        for language, headers in (("en", {}), ("ru", RUSSIAN)):
            assert is_revalidated(shop, path, token, headers), (path, language)
            answer = ask(shop, "GET", path, token, headers)
            assert answer.header("Content-Language") == language and ("private" in answer.header("Cache-Control")) == (token is not None), (path, language)
    for headers, titles in (({}, ("Cup", "Warm-up")), (RUSSIAN, ("Кубок", "Разминка"))):
        main, _, cup = channels(shop, headers=headers).json["channels"]
        assert (main["title"], main["state"], main["is_playable"]) == ("Main camera", "free", True) and "price" not in main and "products" not in main
        assert (cup["title"], cup["now"]) == titles and cup["state"] == "locked" and not cup["is_playable"]
        assert cup["price"] == money(700) and "lists-cup" in cup["products"] and cup["poster"] == "/cup.jpg"
    assert product(shop, "lists-cup").json["description"] == "All matches"
    assert product(shop, "lists-cup", headers=RUSSIAN).json["description"] == "Все матчи"
    assert channels(shop).header("ETag") != channels(shop, headers=RUSSIAN).header("ETag")


def test_the_list_of_channels_refuses_a_token_that_is_not_valid(shop):
    for token in ("tat_a1.AAAA", "x", new_account(shop, "ann.invalid")["access_token"][:-2]):
        answer = channels(shop, token)
        assert refused(answer, 401, "token-invalid") and answer.header("WWW-Authenticate").startswith("Bearer"), token
    assert channels(shop).status == 200


def test_pages_of_products_have_each_product_once(shop):
    expected = [add_product(shop, f"page-{number:02}")["id"] for number in range(7)]
    for limit in (1, 2, 3, 100, 500):
        found, cursor = [], None
        while cursor != "":
            page = ask(shop, "GET", f"/products?limit={limit}" + (f"&cursor={cursor}" if cursor else "")).json
            assert len(page["products"]) <= limit
            found, cursor = found + [entry["id"] for entry in page["products"]], page.get("next", "")
        assert [name for name in found if name.startswith("page-")] == expected and found == sorted(set(found))
    for query in ("limit=0", "limit=501", "limit=x", "limit=1&limit=2", "page=2", "cursor="):
        assert refused(ask(shop, "GET", f"/products?{query}", breaks_api="limit=1&" not in query), 400, "bad-request"), query
    add_product(shop, "page-03", is_on_sale=False)
    assert refused(product(shop, "page-03"), 404, "product-unknown") and refused(product(shop, "page-99"), 404, "product-unknown")


def test_a_channel_that_was_bought_is_owned_with_the_token_of_the_answer_and_after_a_refresh(shop):
    add_channel(shop, "own-bench", "bench")
    ann = viewer(shop, "ann.owned", balance=1_250)
    assert state_of(shop, "bench", ann["access_token"]) == "locked"
    answer = buy(shop, ann, "own-bench", 500)
    assert answer.status == 201 and answer.header("Idempotency-Replayed") is None
    made = answer.json["purchase"]
    assert answer.header("Location") == f"/api/v1/purchases/{made['id']}"
    assert (made["state"], made["channels"], made["total"], made["quantity"]) == ("paid", ["bench"], money(500), 1) and "valid_until" not in made
    newer = answer.json["access_token"]
    assert state_of(shop, "bench", newer) == "owned" and state_of(shop, "cup", newer) == "locked" and state_of(shop, "main", newer) == "free"
    assert [entry["channel"] for entry in session(shop, newer).json["channels"]] == ["bench"]
    for tokens in (refresh(shop, ann["refresh_token"]).json, new_login(shop, "ann.owned")):
        assert state_of(shop, "bench", tokens["access_token"]) == "owned"
    assert balance(shop, ann) == 750 and state_of(shop, "bench") == "locked"
    assert [(entry["purchase"], entry["channels"]) for entry in entitlements(shop, ann)] == [(made["id"], ["bench"])]
    assert purchase(shop, ann, made["id"]).json == made and purchases(shop, ann) == [made]
    assert purchase(shop, ann, made["id"], headers=RUSSIAN).json["title"] == "Товар own-bench"
    assert refused(buy(shop, ann, "own-bench", 500), 409, "already-owned") and balance(shop, ann) == 750


def test_a_pass_opens_all_channels_for_its_time_and_a_second_one_continues_it(shop):
    add_product(shop, "pass-month", kind="pass", channels="all", valid_for="30d", price=money(100))
    ann = viewer(shop, "ann.pass", balance=250)
    first, second = (bought(shop, ann, "pass-month", 100)["purchase"] for _ in range(2))
    assert first["channels"] == second["channels"] == "all" and second["valid_from"] == first["valid_until"]
    token = refresh(shop, ann["refresh_token"]).json["access_token"]
    assert [state_of(shop, channel, token) for channel in ("main", "bench", "cup")] == ["free", "owned", "owned"]
    assert session(shop, token).json["channels"][0]["channel"] == "all"


def test_a_request_that_is_repeated_with_its_key_is_carried_out_once(shop):
    add_product(shop, "key-scarf", stock=10)
    ann, bob, key = viewer(shop, "ann.key", balance=2_000), viewer(shop, "bob.key", balance=2_000), new_key()
    first = buy(shop, ann, "key-scarf", 500, key=key, quantity=2)
    with ThreadPoolExecutor(8) as pool:
        again = list(pool.map(lambda _: buy(shop, ann, "key-scarf", 500, key=key, quantity=2), range(16)))
    assert {answer.status for answer in again} <= {201, 409}
    for answer in again:
        assert refused(answer, 409, "idempotency-key-in-use") or (answer.json["purchase"] == first.json["purchase"] and answer.header("Idempotency-Replayed") == "true")
    last = buy(shop, ann, "key-scarf", 500, key=key, quantity=2)
    assert last.status == 201 and last.header("Idempotency-Replayed") == "true" and last.header("Location") == first.header("Location")
    assert last.json["purchase"] == first.json["purchase"] and "access_token" in last.json
    assert balance(shop, ann) == 1_000 and purchases(shop, ann) == [first.json["purchase"]]
    # Another body is another request; the keys of another account are its own.
    for members in ({"quantity": 1}, {"quantity": 2, "method": "till"}):
        assert refused(buy(shop, ann, "key-scarf", 500, key=key, **members), 422, "idempotency-key-reused")
    _, [code] = make_vouchers(shop, 100)
    assert refused(redeem(shop, ann, code, key=key), 422, "idempotency-key-reused")
    assert buy(shop, bob, "key-scarf", 500, key=key, quantity=2).header("Idempotency-Replayed") is None
    assert balance(shop, ann) == 1_000 and balance(shop, bob) == 1_000
    wait_until(lambda: left_of(shop, "key-scarf") == 6, 5, "the list knows what was sold")


def test_a_purchase_without_a_key_is_refused(shop):
    add_product(shop, "keyless")
    ann = viewer(shop, "ann.keyless", balance=500)
    for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "x" * 65}, {"Idempotency-Key": "two words"}):
        for path, members in (("/purchases", order_of("keyless", 500)), ("/vouchers/redeem", {"code": "aaaa"})):
            assert refused(post(shop, path, members, token=ann["access_token"], headers=headers, breaks_api=True), 400, "idempotency-key-required"), headers
    assert balance(shop, ann) == 500 and purchases(shop, ann) == []
    assert buy(shop, ann, "keyless", 500, key="x" * 64).status == 201


def test_a_changed_price_is_told_and_the_former_one_is_accepted_for_a_time(make_shop):
    shop = make_shop({"price_validity": "2s"})
    goods = add_product(shop, "scarf")
    ann = viewer(shop, "ann", balance=1_000_000)
    assert put_product(shop, {**goods, "price": money(600)}).status == 200
    former = bought(shop, ann, "scarf", 500, quantity=2)["purchase"]
    assert (former["price"], former["total"]) == (money(500), money(1_000)) and bought(shop, ann, "scarf", 600)["purchase"]["price"] == money(600)
    for wrong in (499, 601, 0, money(600, "USD")):
        answer = buy(shop, ann, "scarf", wrong)
        assert refused(answer, 409, "price-changed") and answer.json["price"] == money(600), wrong
    ended = wait_until(lambda: (answer := buy(shop, ann, "scarf", 500)).status != 201 and answer, 10, "the former price is refused")
    assert refused(ended, 409, "price-changed") and ended.json["price"] == money(600)
    spent = sum(entry["total"]["amount"] for entry in purchases(shop, ann))
    assert balance(shop, ann) == 1_000_000 - spent
    russian = buy(shop, ann, "scarf", 500, headers=RUSSIAN)
    assert "EUR 6.00" in russian.json["detail"] and "цена" in russian.json["detail"]


def test_no_more_is_sold_than_there_is(shop):
    add_product(shop, "stock", stock=3)
    add_product(shop, "forms", options=[{"id": "red", "title": "Red", "stock": 1}, {"id": "blue", "title": "Blue"}])
    ann = viewer(shop, "ann.stock", balance=100_000)
    bought(shop, ann, "stock", 500, quantity=2)
    few = buy(shop, ann, "stock", 500, quantity=2)
    assert refused(few, 409, "sold-out") and few.json["left"] == 1
    bought(shop, ann, "stock", 500)
    none = buy(shop, ann, "stock", 500)
    assert refused(none, 409, "sold-out") and none.json["left"] == 0
    wait_until(lambda: left_of(shop, "stock") == 0, 5, "the list knows that it is sold out")
    red = bought(shop, ann, "forms", 500, option="red")["purchase"]
    assert (red["option"], red["option_title"]) == ("red", "Red")
    assert refused(buy(shop, ann, "forms", 500, option="red"), 409, "sold-out") and buy(shop, ann, "forms", 500, option="blue", quantity=1_000 // 10).status == 201
    for option in (None, "", "green"):
        assert refused(buy(shop, ann, "forms", 500, option=option), 400, "option-invalid"), option
    assert refused(buy(shop, ann, "stock", 500, option="red"), 400, "option-invalid")
    assert refused(buy(shop, ann, "nothing", 500), 404, "product-unknown") and refused(buy(shop, ann, "A/b", 500), 404, "product-unknown")
    add_product(shop, "stock", stock=4)
    assert bought(shop, ann, "stock", 500)["purchase"]["quantity"] == 1, "one more is on sale"


def test_only_goods_are_sold_several_at_a_time_and_totals_have_a_limit(shop):
    add_channel(shop, "single-cup", "cup")
    add_product(shop, "dear", price=money(10 ** 15))
    ann = viewer(shop, "ann.single", balance=10_000)
    assert refused(buy(shop, ann, "single-cup", 500, quantity=2), 400, "quantity-invalid")
    assert refused(buy(shop, ann, "dear", 10 ** 15, quantity=2), 400, "quantity-invalid")
    assert refused(buy(shop, ann, "dear", 10 ** 15), 402, "balance-insufficient")
    for quantity in (0, -1, 1_001, 2 ** 63, 1.5, "2", True, [1]):
        assert refused(buy(shop, ann, "single-cup", 500, quantity=quantity, breaks_api=True), 400, "bad-request"), quantity
    assert balance(shop, ann) == 10_000 and purchases(shop, ann) == []


def test_a_balance_that_is_too_low_buys_nothing_and_tells_what_is_missing(shop):
    add_product(shop, "low", stock=5)
    add_product(shop, "gift", price=money(0))
    ann = viewer(shop, "ann.low", balance=1_250)
    answer = buy(shop, ann, "low", 500, quantity=3)
    assert refused(answer, 402, "balance-insufficient") and answer.json["missing"] == money(250) and "EUR 2.50" in answer.json["detail"]
    assert balance(shop, ann) == 1_250 and purchases(shop, ann) == [] and left_of(shop, "low") == 5
    add_product(shop, "dollars", price=money(1, "USD"))
    other = buy(shop, ann, "dollars", money(1, "USD"))
    assert refused(other, 402, "balance-insufficient") and other.json["missing"] == money(1, "USD")
    bob = viewer(shop, "bob.low")
    assert bought(shop, bob, "gift", 0)["purchase"]["total"] == money(0) and balance(shop, bob) == 0


WRONG_AMOUNTS = {"negative": "-500", "least": "-9223372036854775808", "beyond the limit": "1000000000000001", "2^53 + 1": "9007199254740993", "2^63": "9223372036854775808",
                 "2^64": "18446744073709551616", "a float": "500.5", "a whole float": "500.0", "an exponent": "5e2", "a text": '"500"', "null": "null", "a list": "[500]",
                 "a flag": "true", "a leading zero": "0500", "a plus": "+500", "not a number": "NaN", "endless": "1e999"}
WRONG_CURRENCIES = ('"eur"', '"EURO"', '""', "978", "null", '"E\\u0000R"')


def test_amounts_and_currencies_that_are_none_are_refused_and_change_nothing(shop):
    add_product(shop, "amounts", stock=5)
    ann = viewer(shop, "ann.amounts", balance=5_000)
    prices = {kind: f'{{"amount":{amount},"currency":"EUR"}}' for kind, amount in WRONG_AMOUNTS.items()}
    prices |= {currency: f'{{"amount":500,"currency":{currency}}}' for currency in WRONG_CURRENCIES}
    prices |= {"no object": "500", "no currency": '{"amount":500}', "no amount": '{"currency":"EUR"}', "another member": '{"amount":500,"currency":"EUR","tax":1}',
               "an amount twice": '{"amount":1,"amount":500,"currency":"EUR"}'}
    for kind, price in prices.items():
        body = f'{{"product":"amounts","price":{price}}}'.encode()
        answer = post_unchecked(shop, "/purchases", body, keyed(new_key(), bearer(ann["access_token"])))
        assert refused(answer, 400, "bad-request"), (kind, answer.body)
    for price in (0, 1, 10 ** 15, money(500, "USD"), money(500, "XXX")):
        assert refused(buy(shop, ann, "amounts", price), 409, "price-changed"), price
    assert balance(shop, ann) == 5_000 and purchases(shop, ann) == [] and left_of(shop, "amounts") == 5


def test_vouchers_pay_into_the_balance_once(shop):
    ann, bob = viewer(shop, "ann.voucher"), viewer(shop, "bob.voucher", balance=100)
    batch, [code, typed, *_] = make_vouchers(shop, 1_000, count=3)
    key = new_key()
    first = redeem(shop, ann, code, key=key)
    assert first.status == 200 and first.json == {"added": money(1_000), "balance": money(1_000)} and first.header("Idempotency-Replayed") is None
    again = redeem(shop, ann, code, key=key)
    assert again.json == first.json and again.header("Idempotency-Replayed") == "true"
    assert refused(redeem(shop, ann, code), 409, "voucher-used") and refused(redeem(shop, bob, code), 409, "voucher-used")
    assert redeem(shop, bob, f" {typed.upper().replace('-', ' ')} ").json["balance"] == money(1_100)
    assert f"{batch}  EUR 10.00  2 of 3 redeemed" in ctl_of(shop, "vouchers", "list")
    _, [expired] = make_vouchers(shop, 1_000, expires="2020-01-01T00:00:00Z")
    void, [revoked, kept] = make_vouchers(shop, 1_000, count=2)
    assert redeem(shop, ann, kept).status == 200
    ctl_of(shop, "vouchers", "void", void)
    wrong = code[:-1] + ("a" if code[-1] != "a" else "b")
    for unknown in (wrong, expired, revoked, "x", "----", "п" * 32):
        assert refused(redeem(shop, ann, unknown), 404, "voucher-unknown"), unknown
    assert refused(redeem(shop, ann, kept), 409, "voucher-used")
    assert balance(shop, ann) == 2_000 and balance(shop, bob) == 1_100


def test_of_many_accounts_that_redeem_one_voucher_at_once_one_gets_it(shop):
    viewers = [viewer(shop, f"crowd{number}.voucher") for number in range(8)]
    _, [code] = make_vouchers(shop, 700)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda tokens: redeem(shop, tokens, code).status, viewers))
    assert sorted(statuses) == [200] + [409] * 7
    assert sorted(balance(shop, tokens) for tokens in viewers) == [0] * 7 + [700]


def test_an_account_redeems_so_many_vouchers_in_an_hour_and_other_accounts_as_many(make_shop):
    shop = make_shop(changes={"api": {"limits": {"max_voucher_attempts_per_account": 3}}})
    ann, bob = viewer(shop, "ann"), viewer(shop, "bob")
    _, codes = make_vouchers(shop, 100, count=4)
    assert [redeem(shop, ann, code).status for code in (codes[0], "wrong", codes[1])] == [200, 404, 200]
    over = redeem(shop, ann, codes[2])
    assert refused(over, 429, "too-many-requests") and int(over.header("Retry-After")) > 1 and over.header("RateLimit-Policy") == '"voucher";q=3;w=3600'
    assert redeem(shop, bob, codes[2]).status == 200 and balance(shop, ann) == 200
    assert ask(shop, "GET", "/balance", ann["access_token"]).status == 200, "other requests have their own limit"


def test_a_pending_purchase_is_settled_by_an_operator(shop):
    add_channel(shop, "till-bench", "bench")
    add_product(shop, "till-scarf", stock=2)
    ann = viewer(shop, "ann.till")
    key = new_key()
    answer = buy(shop, ann, "till-bench", 500, key=key, method="till")
    pending = answer.json["purchase"]
    assert answer.status == 202 and pending["state"] == "pending" and pending["deadline"] > pending["created_at"] and "decided_at" not in pending
    assert state_of(shop, "bench", answer.json["access_token"]) == "locked" and entitlements(shop, ann) == []
    assert "paid" in ctl_of(shop, "purchases", "paid", pending["id"])
    paid = purchase(shop, ann, pending["id"]).json
    assert paid["state"] == "paid" and "deadline" not in paid and paid["decided_at"] >= paid["created_at"]
    assert state_of(shop, "bench", refresh(shop, ann["refresh_token"]).json["access_token"]) == "owned"
    repeated = buy(shop, ann, "till-bench", 500, key=key, method="till")
    assert repeated.status == 202 and repeated.json["purchase"] == pending, "a key has the answer that was given first"
    assert state_of(shop, "bench", repeated.json["access_token"]) == "owned"
    ctl_of(shop, "purchases", "paid", pending["id"])
    unsaid = fetch(f"{shop.admin_url}/purchases/{pending['id']}/settle", "POST", (), b"{}")
    assert refused(unsaid, 400, "bad-request") and '"paid" is missing' in unsaid.json["detail"]
    wrong = run_ctl_of(shop, "purchases", "failed", pending["id"], "--reason", "no money")
    assert wrong.returncode != 0 and "paid" in wrong.stderr

    reserved = buy(shop, ann, "till-scarf", 500, quantity=2, method="till").json["purchase"]
    assert refused(buy(shop, ann, "till-scarf", 500, method="till"), 409, "sold-out")
    ctl_of(shop, "purchases", "failed", reserved["id"], "--reason", "did not come")
    failed = purchase(shop, ann, reserved["id"]).json
    assert (failed["state"], failed["reason"]) == ("failed", "did not come")
    wait_until(lambda: left_of(shop, "till-scarf") == 2, 5, "the goods are back")
    assert run_ctl_of(shop, "purchases", "paid", reserved["id"]).returncode != 0 and balance(shop, ann) == 0
    assert "EUR -5.00" in check_books(shop)["till"]


def test_an_account_has_five_unpaid_purchases_and_no_more(shop):
    add_product(shop, "unpaid-scarf")
    ann, bob = viewer(shop, "ann.unpaid", balance=500), viewer(shop, "bob.unpaid")
    unpaid = [buy(shop, ann, "unpaid-scarf", 500, method="till").json["purchase"] for _ in range(5)]
    assert {one["state"] for one in unpaid} == {"pending"}
    assert refused(buy(shop, ann, "unpaid-scarf", 500, method="till"), 409, "purchase-limit")
    assert buy(shop, bob, "unpaid-scarf", 500, method="till").status == 202, "the limit is of each account"
    assert bought(shop, ann, "unpaid-scarf", 500)["purchase"]["state"] == "paid", "what is paid at once is not unpaid"
    ctl_of(shop, "purchases", "failed", unpaid[0]["id"], "--reason", "did not come")
    assert buy(shop, ann, "unpaid-scarf", 500, method="till").status == 202


def test_a_refused_request_is_decided_again_with_the_same_key(shop):
    add_product(shop, "again-scarf")
    ann, key = viewer(shop, "ann.again"), new_key()
    assert refused(buy(shop, ann, "again-scarf", 500, key=key), 402, "balance-insufficient")
    _, (code,) = make_vouchers(shop, 500)
    assert redeem(shop, ann, code).status == 200
    answer = buy(shop, ann, "again-scarf", 500, key=key)
    assert answer.status == 201 and not answer.header("Idempotency-Replayed") and balance(shop, ann) == 0
    repeated = buy(shop, ann, "again-scarf", 500, key=key)
    assert repeated.status == 201 and repeated.header("Idempotency-Replayed") == "true" and balance(shop, ann) == 0


def test_a_payment_method_that_is_not_offered_is_refused(make_shop):
    shop = make_shop({"payment_methods": ["balance"]})
    add_product(shop, "scarf")
    ann = viewer(shop, "ann", balance=500)
    for method in ("till", "card", "BALANCE", "x" * 32):
        assert refused(buy(shop, ann, "scarf", 500, method=method), 400, "payment-method-unknown"), method
    assert buy(shop, ann, "scarf", 500, method=None).status == 201


def test_a_pending_purchase_fails_at_its_deadline_and_its_goods_are_back(make_shop):
    shop = make_shop({"payment_time": "1s"})
    add_product(shop, "scarf", stock=1)
    ann = viewer(shop, "ann", balance=500)
    key = new_key()
    pending = buy(shop, ann, "scarf", 500, key=key, method="till").json["purchase"]
    assert refused(buy(shop, ann, "scarf", 500), 409, "sold-out")
    failed = wait_until(lambda: (found := purchase(shop, ann, pending["id"]).json)["state"] == "failed" and found, 10, "the deadline has passed")
    assert failed["decided_at"] >= pending["deadline"] and "in time" in failed["reason"] and "deadline" not in failed
    wait_until(lambda: left_of(shop, "scarf") == 1, 5, "the goods are back")
    assert run_ctl_of(shop, "purchases", "paid", pending["id"]).returncode != 0
    assert bought(shop, ann, "scarf", 500)["purchase"]["state"] == "paid"
    shop.kill()
    shop.start()
    assert left_of(shop, "scarf") == 0 and {entry["state"] for entry in purchases(shop, ann)} == {"failed", "paid"}


def test_a_refund_ends_what_was_bought_and_pays_into_the_balance(shop):
    add_channel(shop, "refund-cup", "cup")
    add_product(shop, "refund-scarf", stock=2)
    ann = viewer(shop, "ann.refund", balance=2_000)
    cup = bought(shop, ann, "refund-cup", 500)["purchase"]
    scarves = [bought(shop, ann, "refund-scarf", 500)["purchase"] for _ in range(2)]
    assert balance(shop, ann) == 500
    ctl_of(shop, "purchases", "refund", cup["id"], "--reason", "rain")
    refunded = purchase(shop, ann, cup["id"]).json
    assert (refunded["state"], refunded["reason"]) == ("refunded", "rain") and refunded["refunded_at"] >= refunded["decided_at"]
    assert entitlements(shop, ann) == [] and balance(shop, ann) == 1_000
    assert state_of(shop, "cup", refresh(shop, ann["refresh_token"]).json["access_token"]) == "locked"
    assert run_ctl_of(shop, "purchases", "refund", cup["id"], "--reason", "rain").returncode != 0 and balance(shop, ann) == 1_000
    ctl_of(shop, "purchases", "refund", scarves[0]["id"], "--reason", "torn", "--keep-stock")
    assert refused(buy(shop, ann, "refund-scarf", 500), 409, "sold-out")
    ctl_of(shop, "purchases", "refund", scarves[1]["id"], "--reason", "not wanted")
    assert balance(shop, ann) == 2_000 and bought(shop, ann, "refund-scarf", 500)
    assert bought(shop, ann, "refund-cup", 500)["purchase"]["id"] != cup["id"], "it can be bought again"


def test_purchases_balances_and_entitlements_of_an_account_are_its_own(shop):
    add_channel(shop, "private-bench", "bench")
    ann, bob = viewer(shop, "ann.private", balance=500), viewer(shop, "bob.private", balance=700)
    made = bought(shop, ann, "private-bench", 500)["purchase"]
    assert refused(purchase(shop, bob, made["id"]), 404, "purchase-unknown")
    for unknown in ("0000000000000000", "ffffffffffffffff"):
        assert refused(purchase(shop, ann, unknown), 404, "purchase-unknown")
    assert refused(purchase(shop, ann, made["id"].upper() + "0", breaks_api=True), 404, "purchase-unknown")
    assert purchases(shop, bob) == [] and entitlements(shop, bob) == [] and balance(shop, bob) == 700
    cursor = ask(shop, "GET", "/purchases?limit=1", ann["access_token"]).json.get("next")
    assert cursor is None
    for path in ("/purchases", f"/purchases/{made['id']}", "/balance", "/entitlements"):
        assert refused(ask(shop, "GET", path), 401, "token-invalid"), path
    assert refused(post(shop, "/purchases", order_of("private-bench", 500), headers=keyed(new_key())), 401, "token-invalid")
    assert refused(post(shop, "/vouchers/redeem", {"code": "x"}, headers=keyed(new_key())), 401, "token-invalid")


def test_pages_of_purchases_have_each_purchase_once_the_newest_first(shop):
    add_product(shop, "pages", price=money(1))
    ann, bob = viewer(shop, "ann.pages", balance=100), viewer(shop, "bob.pages", balance=100)
    made = [bought(shop, ann, "pages", 1)["purchase"]["id"] for _ in range(7)]
    bought(shop, bob, "pages", 1)
    for limit in (1, 2, 3, 7, 100):
        found, query = [], f"?limit={limit}"
        while query:
            page = ask(shop, "GET", "/purchases" + query, ann["access_token"]).json
            found += page["purchases"]
            query = f"?limit={limit}&cursor={page['next']}" if "next" in page else ""
        assert sorted(entry["id"] for entry in found) == sorted(made)
        assert [entry["created_at"] for entry in found] == sorted((entry["created_at"] for entry in found), reverse=True)
    for cursor in ("x", "..", "0" * 33, "0" * 16 + "-" + "g" * 16):
        assert refused(ask(shop, "GET", f"/purchases?cursor={cursor}", ann["access_token"]), 400, "bad-request"), cursor


def test_an_export_has_purchases_and_balances_and_a_deleted_account_leaves_its_books(make_shop):
    shop = make_shop()
    add_channel(shop, "bench", "bench")
    ann = viewer(shop, "ann", balance=800)
    made = bought(shop, ann, "bench", 500)["purchase"]
    data = export(shop, ann["access_token"]).json
    assert data["balances"] == [money(300)] and data["purchases"] == [made] and "purchases_next" not in data
    assert delete_account(shop, ann["access_token"]).status == 204
    for answer in (buy(shop, ann, "bench", 500), redeem(shop, ann, "x"), purchase(shop, ann, made["id"]), channels(shop, ann["access_token"])):
        assert refused(answer, 401, "logged-out"), answer.body
    assert "bench" in ctl_of(shop, "purchases", "show", made["id"]), "operators keep the purchase"
    assert run_ctl_of(shop, "balance", "show", "ann").returncode != 0 and run_ctl_of(shop, "purchases", "list", "ann").returncode != 0
    again = new_account(shop, "ann", PASSWORD)
    assert balance(shop, again) == 0 and purchases(shop, again) == [] and entitlements(shop, again) == []
    assert check_books(shop) == {"operator": "EUR -8.00", "sales": "EUR 5.00", "viewers": "EUR 3.00"}


def test_a_process_without_accounts_lists_paid_channels_as_locked_and_has_no_shop(programs):
    program = programs(merged(process_config(), {"event": {"keys": KEYS, "channels": CHANNELS}, "api": {"caches": []}}))
    for token in (None, "tat_a1.AAAA"):
        assert [entry["state"] for entry in channels(program, token).json["channels"]] == ["free", "locked", "locked"]
    for path in ("/products", "/products/x", "/purchases", "/balance", "/entitlements"):
        assert refused(ask(program, "GET", path), 404, "not-found"), path


@pytest.mark.every_build
def test_purchases_balances_and_keys_are_there_after_a_kill(make_shop):
    shop = make_shop()
    add_channel(shop, "bench", "bench")
    ann, key = viewer(shop, "ann", balance=800), new_key()
    made = buy(shop, ann, "bench", 500, key=key).json["purchase"]
    listed = ask(shop, "GET", "/products").json
    for _ in range(2):
        shop.kill()
        shop.start()
        assert ask(shop, "GET", "/products").json == listed and purchases(shop, ann) == [made] and balance(shop, ann) == 300
        again = buy(shop, ann, "bench", 500, key=key)
        assert again.status == 201 and again.json["purchase"] == made and again.header("Idempotency-Replayed") == "true"
        assert check_books(shop)["sales"] == "EUR 5.00"
