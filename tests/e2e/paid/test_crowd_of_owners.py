"""A thousand accounts buy the channel and start to watch it at one instant."""
import collections
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.accounts_api import bearer, new_account
from harness.concurrent_clients import post_all
from harness.paid_channel import PRICE, PRODUCT
from harness.raw_client import fetch
from harness.shop import check_books, keyed, new_key, order_of

VIEWERS = 1000
SOURCES = [f"127.0.0.{number}" for number in range(1, 51)]   # each address has a limit of connections


@pytest.mark.release_only
def test_a_thousand_accounts_buy_and_start_at_one_instant(paid):
    paid.start({"front": {"limits": {"max_connections": 5000}}})

    def account(number):
        tokens = new_account(paid.api, f"viewer{number}")
        money = {"money": {"amount": PRICE, "currency": "EUR"}, "reason": "cash"}
        assert fetch(f"{paid.api.admin_url}/accounts/viewer{number}/balance", "POST", keyed(new_key()), json.dumps(money).encode()).status == 200
        return tokens

    with ThreadPoolExecutor(16) as pool:
        accounts = list(pool.map(account, range(VIEWERS)))
    bought = post_all(paid.api.url + "/api/v1/purchases",
                      [(keyed(new_key(), bearer(tokens["access_token"])), json.dumps(order_of(PRODUCT, PRICE)).encode()) for tokens in accounts], sources=SOURCES)
    assert collections.Counter(result.status for result in bought) == {201: VIEWERS}, [result.error for result in bought if result.error]
    started = post_all(paid.api.url + "/api/v1/access",
                       [(bearer(json.loads(result.body)["access_token"]), b'{"channel":"cup"}') for result in bought], sources=SOURCES)
    answers = [json.loads(result.body) for result in started if result.status == 200]
    assert collections.Counter(answer["status"] for answer in answers) == {"granted": VIEWERS}, [result.error or result.status for result in started][:5]
    sessions = [answer["session"] for answer in answers]
    assert len(set(sessions)) == VIEWERS
    for session in sessions[::50]:
        player = paid.player(session).open()
        player.refresh()
        player.play(player.playlist.last_msn, paid.live.bytes_of("v1", player.playlist.last_msn))
    assert paid.event.balancer.admin("/queues").json["access"]["sessions"] == VIEWERS
    assert check_books(paid.api) == {"operator": f"EUR -{VIEWERS * PRICE // 100}.00", "sales": f"EUR {VIEWERS * PRICE // 100}.00"}
