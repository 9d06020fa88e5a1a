"""What the lists say when time passes, settings are reloaded, or an account has more channels than a token can list."""
from datetime import datetime, timedelta, timezone

from harness.accounts_api import ask, delete_account, export, new_account, refresh, refused, session
from harness.operator_cli import ctl_of, run_ctl_of
from harness.shop import (CHANNELS, add_channel, add_product, balance, bought, buy, channels, check_books, entitlements, import_catalogue, make_vouchers, money,
                          product, purchases, redeem, state_of, viewer)
from harness.waiting import wait_until


def in_seconds(seconds):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_pass_ends_in_the_lists_and_can_be_bought_again(shop):
    add_product(shop, "brief", kind="pass", channels=["bench"], valid_for="2s")
    ann = viewer(shop, "ann.brief", balance=1_000)
    token = bought(shop, ann, "brief", 500)["access_token"]
    assert state_of(shop, "bench", token) == "owned"
    wait_until(lambda: state_of(shop, "bench", token) == "locked", 10, "the token's channel ends")
    wait_until(lambda: entitlements(shop, ann) == [], 5, "the entitlement ends")
    again = bought(shop, ann, "brief", 500)
    assert again["purchase"]["valid_from"] == again["purchase"]["decided_at"] and state_of(shop, "bench", again["access_token"]) == "owned"


def test_a_product_leaves_the_lists_at_its_end_and_a_channel_opens_at_its_time(make_shop):
    shop = make_shop()
    end = in_seconds(3)
    import_catalogue(shop, {"channels": [{"channel": "main", "opens_at": end}],
                            "products": [{"id": "final", "kind": "channel", "title": "Final", "price": money(500), "channels": ["bench"], "valid_until": end}]})
    ann = viewer(shop, "ann", balance=1_000)
    main, bench = channels(shop).json["channels"][:2]
    assert not main["is_playable"] and main["opens_at"] == end and bench["products"] == ["final"] and bench["price"] == money(500)
    made = bought(shop, ann, "final", 500)
    assert made["purchase"]["valid_until"] == end and refused(buy(shop, ann, "final", 500), 409, "already-owned")
    wait_until(lambda: channels(shop).json["channels"][0]["is_playable"], 10, "the channel opens")
    wait_until(lambda: product(shop, "final").status == 404, 5, "the product is gone")
    assert "products" not in channels(shop).json["channels"][1] and ask(shop, "GET", "/products").json == {"products": []}
    assert refused(buy(shop, ann, "final", 500), 404, "product-unknown") and state_of(shop, "bench", made["access_token"]) == "locked"
    assert balance(shop, ann) == 500


def test_an_account_with_more_channels_than_a_token_can_list_has_all_of_them(make_shop):
    many = [{"id": f"court-{number:02}", "source": f"http://127.0.0.1:1/{number}/index.m3u8", "access": "paid"} for number in range(40)]
    shop = make_shop(changes={"event": {"channels": [*CHANNELS, *many]}})
    names = [channel["id"] for channel in many]
    add_product(shop, "courts", kind="bundle", channels=names[:30])
    add_channel(shop, "court", names[35])
    ann = viewer(shop, "ann", balance=1_000)
    bought(shop, ann, "courts", 500)
    token = bought(shop, ann, "court", 500)["access_token"]
    told = session(shop, token).json
    assert told["has_more_channels"] and len(told["channels"]) == 24
    owned = [entry["id"] for entry in channels(shop, token).json["channels"] if entry["state"] == "owned"]
    assert owned == names[:30] + [names[35]]
    assert sorted(len(entry["channels"]) for entry in entitlements(shop, ann)) == [1, 30]
    assert len(token) <= 1_455 and refresh(shop, ann["refresh_token"]).status == 200
    ctl_of(shop, "accounts", "block", "ann")
    assert refused(channels(shop, token), 401, "logged-out")


def test_a_reload_changes_what_is_offered_and_which_channels_are_paid(make_shop):
    shop = make_shop({"payment_methods": ["balance"]})
    add_channel(shop, "bench", "bench")
    ann = viewer(shop, "ann")
    assert refused(buy(shop, ann, "bench", 500, method="till"), 400, "payment-method-unknown") and state_of(shop, "main") == "free"
    config = shop.config
    config["api"]["shop"]["payment_methods"] = ["till"]
    config["event"]["channels"] = [{**channel, "access": "paid" if channel["id"] == "main" else "free"} for channel in CHANNELS]
    shop.reload(config)
    assert buy(shop, ann, "bench", 500, method="till").status == 202 and refused(buy(shop, ann, "bench", 500), 400, "payment-method-unknown")
    assert [state_of(shop, channel) for channel in ("main", "bench", "cup")] == ["locked", "free", "free"]
    assert "products" not in channels(shop).json["channels"][1], "a free channel has no products"


def test_no_balance_exceeds_its_limit(shop):
    add_product(shop, "limit", price=money(1))
    ann = viewer(shop, "ann.limit", balance=10 ** 15)
    _, [code] = make_vouchers(shop, 2)
    assert refused(redeem(shop, ann, code), 409, "balance-limit") and run_ctl_of(shop, "balance", "add", "ann.limit", "1", "EUR", "--reason", "x").returncode != 0
    made = [bought(shop, ann, "limit", 1)["purchase"]["id"] for _ in range(2)]
    assert redeem(shop, ann, code).json["balance"] == money(10 ** 15), "the code is not used up"
    assert run_ctl_of(shop, "purchases", "refund", made[0], "--reason", "x").returncode != 0
    assert {entry["state"] for entry in purchases(shop, ann)} == {"paid"} and balance(shop, ann) == 10 ** 15
    check_books(shop)


def test_a_blocked_account_keeps_what_it_has_and_a_pending_purchase_of_a_deleted_one_can_be_settled(make_shop):
    shop = make_shop()
    add_product(shop, "scarf", stock=2)
    ann, bob = viewer(shop, "ann", balance=500), new_account(shop, "bob")
    pending = buy(shop, bob, "scarf", 500, method="till").json["purchase"]["id"]
    assert export(shop, bob["access_token"]).json["purchases"][0]["state"] == "pending"
    ctl_of(shop, "accounts", "block", "ann")
    assert refused(buy(shop, ann, "scarf", 500), 401, "logged-out") and ctl_of(shop, "balance", "show", "ann") == "EUR 5.00\n"
    assert delete_account(shop, bob["access_token"]).status == 204 and "paid" in ctl_of(shop, "purchases", "paid", pending)
    assert "refunded" in ctl_of(shop, "purchases", "refund", pending, "--reason", "gone")
    assert check_books(shop) == {"operator": "EUR -5.00", "sales": "EUR 0.00", "till": "EUR -5.00", "viewers": "EUR 10.00"}
