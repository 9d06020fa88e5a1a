"""kill -9 while viewers buy: each request that is repeated with its key is carried out once, and no money and no goods come or go."""
import pytest
from harness.accounts_api import ask
from harness.kills import answered, until_killed
from harness.operator_cli import ctl_of
from harness.raw_client import fetch
from harness.shop import add_channel, add_product, balance, buy, check_books, entitlements, make_vouchers, money, new_key, product, purchases, redeem, viewer
from harness.waiting import in_gate, wait_until

ROUNDS = in_gate(10, 100)
STOCK = 100_000
PAID_IN = 10 ** 12
VOUCHERS = 10_000   # of EUR 0.07


class Viewer:
    """A viewer who repeats each request with its key until it is answered. `send` is called with a key and returns the response."""

    def __init__(self, send, what_of):
        self.send, self.what_of = send, what_of
        self.outcomes = {}     # of each key that was answered
        self.open_key = None   # of a request without an answer

    def step(self):
        self.open_key = self.open_key or new_key()
        answer = answered(self.send(self.open_key))
        assert answer.status in (200, 201, 202), (answer, answer.body)
        self.outcomes[self.open_key] = self.what_of(answer.json)
        self.open_key = None
        return answer

    def repeat(self, key):
        """The same request again, after it was answered."""
        answer = self.send(key)
        assert answer.header("Idempotency-Replayed") == "true" and self.what_of(answer.json) == self.outcomes[key], (answer, answer.body)


def identifier_of(answer):
    return answer["purchase"]["id"]


@pytest.fixture
def killed_shop(make_shop):
    return make_shop({"payment_time": "24h"})


def check_account(program, tokens, viewer, price):
    """Every key has a purchase of its own, and the balance lacks what they cost."""
    found = purchases(program, tokens)
    assert sorted(entry["id"] for entry in found) == sorted(viewer.outcomes.values()), "a purchase was lost or made twice"
    assert all((entry["total"], entry["state"]) == (money(price), "paid") for entry in found)
    paid = sum(entry["total"]["amount"] for entry in found if entry["method"] == "balance")
    assert balance(program, tokens) + paid == PAID_IN
    return len(found)


class ViewerAtTheTill(Viewer):
    """Orders, and pays at the till, where an operator repeats the settlement until it is answered."""

    def __init__(self, program, tokens):
        super().__init__(lambda key: buy(program, tokens, "scarf", 300, key=key, method="till"), identifier_of)
        self.program, self.unsettled = program, None

    def step(self):
        if self.unsettled is None:
            super().step()
            self.unsettled = list(self.outcomes.values())[-1]
        settled = answered(fetch(f"{self.program.admin_url}/purchases/{self.unsettled}/settle", "POST", (), b'{"paid":true}'))
        assert settled.status == 200 and settled.json["state"] == "paid", (settled, settled.body)
        self.unsettled = None


def test_purchases_and_vouchers_that_are_repeated_until_they_are_answered_are_carried_out_once(killed_shop):
    add_product(killed_shop, "scarf", price=money(300), stock=STOCK)
    add_product(killed_shop, "pass", price=money(500), kind="pass", channels="all", valid_for="1d")
    ann, bob, eve = (viewer(killed_shop, login, balance=PAID_IN) for login in ("ann", "bob", "eve"))
    codes = [code for _ in range(ROUNDS // 10) for code in make_vouchers(killed_shop, 7, count=VOUCHERS // 10)[1]]
    by_key = {}

    def redeem_next(key):
        return redeem(killed_shop, eve, by_key.setdefault(key, codes[len(by_key)]), key=key)

    of_ann = Viewer(lambda key: buy(killed_shop, ann, "scarf", 300, key=key), identifier_of)
    of_bob = ViewerAtTheTill(killed_shop, bob)
    of_eve = Viewer(redeem_next, lambda answer: answer["balance"]["amount"])
    unanswered = passes = 0
    for number in range(ROUNDS):
        kim = viewer(killed_shop, f"kim{number}", balance=PAID_IN)   # an account has so many passes at once
        of_kim = Viewer(lambda key, kim=kim: buy(killed_shop, kim, "pass", 500, key=key), identifier_of)
        viewers = [of_ann, of_bob, of_eve, of_kim]
        until_killed(killed_shop, len(viewers), lambda worker, _, viewers=viewers: viewers[worker].step(), 5 + number % 17)
        for one in viewers:
            unanswered += one.open_key is not None
            one.step()   # the request that was not answered, if there was one
            one.repeat(list(one.outcomes)[number % len(one.outcomes)])
            one.repeat(list(one.outcomes)[-1])
        scarves, at_till, redeemed = check_account(killed_shop, ann, of_ann, 300), check_account(killed_shop, bob, of_bob, 300), len(of_eve.outcomes)
        passes += check_account(killed_shop, kim, of_kim, 500)
        assert balance(killed_shop, eve) == PAID_IN + 7 * redeemed and sorted(of_eve.outcomes.values()) == [PAID_IN + 7 * n for n in range(1, redeemed + 1)]
        wait_until(lambda: product(killed_shop, "scarf").json["left"] == STOCK - scarves - at_till, 5, "the goods that are left")
        found = entitlements(killed_shop, kim)
        assert len(found) == len(of_kim.outcomes) and all(before["until"] == after["from"] for before, after in zip(found, found[1:])), "each pass continues the one before"
        ledgers = check_books(killed_shop)
        assert ledgers["sales"] == f"EUR {(300 * (scarves + at_till) + 500 * passes) / 100:.2f}"
        assert ledgers["till"] == f"EUR -{300 * at_till / 100:.2f}" and ledgers["vouchers"] == f"EUR -{7 * redeemed / 100:.2f}"
    assert unanswered > 0, "no kill met a request"


def test_settlements_and_refunds_are_whole_after_a_kill(killed_shop):
    """Operators settle and refund while the process is killed: a purchase is paid with its posting and its channels, or pending without."""
    add_channel(killed_shop, "bench", "bench", price=money(300))
    ordered = []

    def one(worker, step):
        tokens = viewer(killed_shop, f"user{len(killed_shop.log())}.{worker}.{step}")
        ordered.append((tokens, answered(buy(killed_shop, tokens, "bench", 300, method="till")).json["purchase"]["id"]))
        ctl_of(killed_shop, "purchases", "paid", ordered[-1][1])

    def quietly(worker, step):
        try:
            one(worker, step)
        except AssertionError as error:
            raise ConnectionError from error   # a command or a request that the kill met

    for number in range(ROUNDS // 5):
        until_killed(killed_shop, 2, quietly, 3 + number % 5)
        states = {}
        for tokens, identifier in ordered:
            found = ask(killed_shop, "GET", f"/purchases/{identifier}", tokens["access_token"]).json
            states[found["state"]] = states.get(found["state"], 0) + 1
            assert (len(entitlements(killed_shop, tokens)) == 1) == (found["state"] == "paid")
        assert set(states) <= {"pending", "paid"}
        assert check_books(killed_shop)["sales"] == f"EUR {3 * states['paid']}.00"
        for _, identifier in ordered:
            ctl_of(killed_shop, "purchases", "paid", identifier)
    for tokens, identifier in ordered[:20]:
        ctl_of(killed_shop, "purchases", "refund", identifier, "--reason", "rain")
    killed_shop.kill()
    killed_shop.start()
    assert all(entitlements(killed_shop, tokens) == [] and balance(killed_shop, tokens) == 300 for tokens, _ in ordered[:20])
    check_books(killed_shop)
