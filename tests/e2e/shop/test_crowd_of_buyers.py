"""Five hundred viewers want the last ten pieces at one instant."""
import collections
import json
from concurrent.futures import ThreadPoolExecutor

from harness.accounts_api import bearer, new_account
from harness.concurrent_clients import post_all
from harness.raw_client import fetch
from harness.shop import add_product, balance, check_books, keyed, money, new_key, order_of, product, purchases
from harness.waiting import wait_until

BUYERS, PIECES = 500, 10
SOURCES = [f"127.0.0.{number}" for number in range(1, 51)]   # each address has a limit of connections


def test_of_five_hundred_buyers_at_one_instant_ten_get_the_last_ten_pieces(make_shop):
    shop = make_shop()
    add_product(shop, "last", stock=PIECES)

    def buyer(number):
        tokens = new_account(shop, f"buyer{number}")
        paid = {"money": money(700), "reason": "cash"}
        assert fetch(f"{shop.admin_url}/accounts/buyer{number}/balance", "POST", keyed(new_key()), json.dumps(paid).encode()).status == 200
        return tokens

    with ThreadPoolExecutor(16) as pool:
        buyers = list(pool.map(buyer, range(BUYERS)))
    requests = [(keyed(new_key(), bearer(tokens["access_token"])), json.dumps(order_of("last", 500)).encode()) for tokens in buyers]
    first = None
    for _ in range(2):   # the second time each repeats its request, as one whose response was lost does
        results = post_all(shop.url + "/api/v1/purchases", requests, sources=SOURCES)
        assert collections.Counter(result.status for result in results) == {201: PIECES, 409: BUYERS - PIECES}, [result.error for result in results if result.error]
        refusals = [json.loads(result.body) for result in results if result.status == 409]
        assert all(refusal["type"] == "/problems/sold-out" and refusal["left"] == 0 for refusal in refusals)
        sold = {json.loads(result.body)["purchase"]["id"]: buyers[result.index] for result in results if result.status == 201}
        assert len(sold) == PIECES
        first = first or sold
        assert sold == first, "the same ten"
    assert sorted(balance(shop, tokens) for tokens in buyers) == [200] * PIECES + [700] * (BUYERS - PIECES)
    assert all([entry["id"] for entry in purchases(shop, tokens)] == [identifier] for identifier, tokens in sold.items())
    wait_until(lambda: product(shop, "last").json["left"] == 0, 5, "the list knows that it is sold out")
    assert check_books(shop) == {"operator": "EUR -3500.00", "sales": "EUR 50.00", "viewers": "EUR 3450.00"}
