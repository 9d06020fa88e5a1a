"""What operators do with the shop: the catalogue as a file, balances, vouchers, purchases, and the books."""
import csv
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.accounts_api import refused
from harness.event import KEYS, merged, process_config
from harness.operator_cli import ctl_of, run_ctl_of
from harness.raw_client import fetch
from harness.shop import (CHANNELS, add_product, ask, balance, bought, buy, channels, check_books, import_catalogue, make_vouchers, money, new_key, product, put_product,
                          redeem, viewer)

CATALOGUE = {
    "channels": [{"channel": "bench", "title": {"en": "Bench", "ru": "Скамейка"}, "poster": "/bench.jpg", "now": {"en": "Warm-up"}, "opens_at": "2026-06-01T20:00:00Z"}],
    "products": [
        {"id": "bench", "kind": "channel", "title": {"en": "Bench camera", "ru": "Камера"}, "price": money(500), "channels": ["bench"]},
        {"id": "scarf", "kind": "goods", "title": "Scarf, \"red\"; or blue", "description": "=1+1\nWool", "price": money(1500),
         "options": [{"id": "red", "title": "Red", "stock": 100}, {"id": "blue", "title": "Blue: 50|50"}]},
        {"id": "season", "kind": "pass", "title": "Season pass", "price": money(4900), "channels": "all", "valid_for": "30d", "is_on_sale": False},
        {"id": "two", "kind": "bundle", "title": "Both", "price": money(900, "JPY"), "channels": ["bench", "cup"], "valid_from": "2026-06-01T18:00:00Z",
         "valid_until": "2199-06-01T18:00:00Z"},
    ]}
CHANGED = re.compile(r"the catalogue has version (\d+)\n")


def exported(program):
    return json.loads(ctl_of(program, "catalogue", "export"))


def version_after(text):
    return int(CHANGED.fullmatch(text).group(1))


def import_fails(program, name, content):
    """The error text of an import that is refused and changes nothing."""
    before = exported(program)
    file = program.folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = run_ctl_of(program, "catalogue", "import", str(file))
    assert done.returncode != 0 and done.stdout == "" and exported(program) == before, done
    return done.stderr.replace(str(file), name)


def listed(program):
    return [entry["id"] for entry in ask(program, "GET", "/products").json["products"]]


def test_a_catalogue_is_imported_as_a_whole_and_exported_as_it_was(make_shop):
    shop = make_shop()
    assert exported(shop) == {"channels": [], "products": []} and listed(shop) == []
    first = version_after(import_catalogue(shop, CATALOGUE))
    assert listed(shop) == ["bench", "scarf", "two"], "what is not on sale is not listed"
    text = ctl_of(shop, "catalogue", "export")
    assert version_after(import_catalogue(shop, text, "again.json")) == first + 1 and ctl_of(shop, "catalogue", "export") == text
    bench = json.loads(text)["products"][0]
    assert bench["title"] == {"en": "Bench camera", "ru": "Камера"} and bench["price"] == money(500) and bench["channels"] == ["bench"]
    shop.kill()
    shop.start()
    assert ctl_of(shop, "catalogue", "export") == text and listed(shop) == ["bench", "scarf", "two"]
    # What a file does not have is removed.
    import_catalogue(shop, {"products": CATALOGUE["products"][:1]})
    assert listed(shop) == ["bench"] and exported(shop)["channels"] == []


def test_a_catalogue_with_as_many_products_as_are_allowed_is_imported(make_shop):
    shop = make_shop()
    many = {"products": [{"id": f"p{number:05}", "kind": "goods", "title": "A title " * 30, "description": "A text " * 50, "price": money(number)} for number in range(10_000)]}
    import_catalogue(shop, many)
    assert len(exported(shop)["products"]) == 10_000 and len(listed(shop)) == 500 and product(shop, "p09999").json["price"] == money(9_999)
    more = import_fails(shop, "more.json", json.dumps({"products": [*many["products"], {"id": "q", "kind": "goods", "title": "One more", "price": money(1)}]}))
    assert "10000" in more, more


def test_products_are_edited_in_a_spreadsheet_and_the_notes_about_channels_stay(make_shop):
    shop = make_shop()
    import_catalogue(shop, CATALOGUE)
    before = exported(shop)
    text = ctl_of(shop, "catalogue", "export-csv")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["id"] for row in rows] == ["bench", "scarf", "season", "two"] and all(re.fullmatch(r"\d+", row["amount"]) for row in rows)
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values()), "no cell is a formula"
    import_catalogue(shop, text, "same.csv")
    assert exported(shop) == before
    for row in rows:
        row["amount"] = "600" if row["id"] == "bench" else row["amount"]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(reversed(rows[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in rows if row["id"] != "two")
    import_catalogue(shop, out.getvalue(), "edited.csv")
    after = exported(shop)
    assert after["channels"] == before["channels"] and [entry["id"] for entry in after["products"]] == ["bench", "scarf", "season"]
    assert after["products"][0]["price"] == money(600) and after["products"][1:] == before["products"][1:3]
    assert channels(shop).json["channels"][1]["price"] == money(600)


def test_the_examples_of_the_documentation_can_be_imported(make_shop):
    shop = make_shop()
    text = (Path(__file__).parents[3] / "docs/shop.md").read_text()
    examples = dict(re.findall(r"^```(json|csv)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    import_catalogue(shop, examples["json"], "example.json")
    notes = exported(shop)["channels"]
    assert listed(shop) == ["bench", "scarf", "season"] and channels(shop).json["channels"][1]["now"] == "Warm-up"
    import_catalogue(shop, examples["csv"], "example.csv")
    assert listed(shop) == ["bench", "programme", "scarf", "season"] and exported(shop)["channels"] == notes
    assert product(shop, "scarf").json["options"] == [{"id": "red", "title": "Red", "left": 100}, {"id": "blue", "title": "Blue"}]


def test_each_wrong_line_of_a_file_is_named_and_nothing_is_changed(make_shop):
    shop = make_shop()
    import_catalogue(shop, CATALOGUE)
    text = import_fails(shop, "wrong.json", """{"products": [
      {"id": "bench", "kind": "channel", "title": "Bench", "price": {"amount": -1, "currency": "EUR"}, "channels": ["bench"]},
      {"id": "good", "kind": "goods", "title": "Good", "price": {"amount": 1, "currency": "EUR"}},
      {"id": "scarf", "kind": "goods", "title": "", "price": {"amount": 1, "currency": "EUR"}},
      {"id": "cap", "kind": "goods", "title": "Cap", "price": {"amount": 1, "currency": "EUR"}, "colour": "red"}
    ]}""")
    assert "nothing was changed" in text and [line.split(":")[1] for line in text.splitlines() if line.startswith("wrong.json:")] == ["2", "4", "5"], text
    assert "price.amount" in text and "title" in text and "colour" in text
    text = import_fails(shop, "wrong.csv", "id,kind,title_en,amount,currency,channels\nbench,channel,Bench,5.00,EUR,bench\ngood,goods,Good,1,EUR,\nbench,channel,Bench,1,eur,bench\n")
    assert {line.split(":")[1] for line in text.splitlines() if line.startswith("wrong.csv:")} == {"2", "4"} and "amount" in text and "currency" in text, text
    for name, content in {"empty.json": "", "list.json": "[]", "cut.json": '{"products": [', "no-products.json": '{"channels": []}', "twice.json": '{"products":[],"products":[]}',
                          "binary.json": b"\xff\xfe\x00", "empty.csv": "", "no-head.csv": "bench,channel\n", "columns.csv": "id,kind,title_en,amount,currency,colour\n",
                          "double.csv": "id,id,kind,title_en,amount,currency\n"}.items():
        assert "nothing was changed" in import_fails(shop, name, content), name
    assert run_ctl_of(shop, "catalogue", "import", str(shop.folder / "none.json")).returncode != 0
    many = json.dumps({"products": [{"id": f"p{number}", "kind": "goods", "title": "", "price": money(1)} for number in range(150)]})
    assert "more" in import_fails(shop, "many.json", many)
    # The process checks what it receives again.
    answer = fetch(shop.admin_url + "/catalogue", "PUT", (), b'{"products":[\n{"id":"x"}]}')
    assert refused(answer, 400, "bad-request") and answer.json["errors"][0]["line"] == 2 and "nothing was changed" in answer.json["detail"]


def test_of_two_operators_who_edit_the_same_catalogue_the_second_is_told(shop):
    def put(catalogue, match):
        return fetch(shop.admin_url + "/catalogue", "PUT", {"If-Match": match}, json.dumps(catalogue).encode())

    read = shop.admin("/catalogue")
    mine = {**read.json, "products": read.json["products"] + [{"id": "match-mine", "kind": "goods", "title": "Mine", "price": money(1)}]}
    first = put(mine, read.header("ETag"))
    assert first.status == 200 and first.header("ETag") == shop.admin("/catalogue").header("ETag") != read.header("ETag")
    second = put({"products": []}, read.header("ETag"))
    assert refused(second, 409, "conflict") and first.header("ETag").strip('"') in second.json["detail"]
    assert "match-mine" in listed(shop)
    for match in ('"999999"', '""', "x", '"x"', 'W/"1"'):
        assert refused(put({"products": []}, match), 409, "conflict"), match
    goods = {"id": "match-mine", "kind": "goods", "title": "Mine", "price": money(2)}
    assert refused(put_product(shop, goods, {"If-Match": read.header("ETag")}), 409, "conflict")
    assert put_product(shop, goods, {"If-Match": first.header("ETag")}).status == 200 and put_product(shop, goods, {"If-Match": "*"}).status == 200
    for wrong in ({**goods, "id": "other"}, {**goods, "price": money(-1)}, {**goods, "more": 1}):
        answer = fetch(shop.admin_url + "/catalogue/products/match-mine", "PUT", (), json.dumps(wrong).encode())
        assert refused(answer, 400, "bad-request"), wrong


def test_a_removed_product_cannot_be_bought_and_what_was_bought_stays(shop):
    add_product(shop, "removed", stock=2)
    ann = viewer(shop, "ann.removed", balance=1_000)
    made = bought(shop, ann, "removed", 500)["purchase"]
    version = version_after(ctl_of(shop, "catalogue", "remove", "removed"))
    for unknown in ("removed", "x", "A/b"):
        assert run_ctl_of(shop, "catalogue", "remove", unknown).returncode != 0, unknown
    assert shop.admin("/catalogue").header("ETag") == f'"{version}"', "what is not there is not removed"
    assert refused(product(shop, "removed"), 404, "product-unknown") and refused(buy(shop, ann, "removed", 500), 404, "product-unknown")
    assert ask(shop, "GET", f"/purchases/{made['id']}", ann["access_token"]).json == made
    add_product(shop, "removed", stock=1)
    answer = buy(shop, ann, "removed", 500)
    assert refused(answer, 409, "sold-out") and answer.json["left"] == 0, "it remembers what was sold"


def test_operators_pay_into_a_balance_and_out_of_it(shop):
    ann = viewer(shop, "Ann.balance")
    assert ctl_of(shop, "balance", "show", "ann.balance") == "no balance\n"
    assert ctl_of(shop, "balance", "add", "ANN.balance", "1250", "EUR", "--reason", "cash") == "the balance is EUR 12.50\n"
    assert ctl_of(shop, "balance", "add", "ann.balance", "300", "JPY", "--reason", "cash") == "the balance is JPY 300\n"
    assert ctl_of(shop, "balance", "add", "ann.balance", "--reason", "back", "--", "-250", "EUR") == "the balance is EUR 10.00\n"
    assert ctl_of(shop, "balance", "show", "ann.balance") == "EUR 10.00\nJPY 300\n" and balance(shop, ann) == 1_000
    for words in (("--reason", "x", "--", "-1001", "EUR"), ("12.50", "EUR", "--reason", "x"), ("1", "eur", "--reason", "x"), ("1", "EUR"), ("1000000000000000", "EUR", "--reason", "x"),
                  ("1000000000000001", "EUR", "--reason", "x"), ("9223372036854775808", "EUR", "--reason", "x"), ("1", "EUR", "--reason", "")):
        done = run_ctl_of(shop, "balance", "add", "ann.balance", *words)
        assert done.returncode != 0 and done.stderr, words
    assert run_ctl_of(shop, "balance", "add", "nobody", "1", "EUR", "--reason", "x").returncode != 0
    assert balance(shop, ann) == 1_000

    key, path = new_key(), "/accounts/ann.balance/balance"
    body = {"money": money(100), "reason": "by a script"}
    answers = [fetch(shop.admin_url + path, "POST", {"Idempotency-Key": key}, json.dumps(body).encode()) for _ in range(3)]
    assert [answer.json for answer in answers] == [{"added": money(100), "balance": money(1_100)}] * 3
    other = fetch(shop.admin_url + path, "POST", {"Idempotency-Key": key}, json.dumps({**body, "money": money(200)}).encode())
    assert refused(other, 422, "idempotency-key-reused") and refused(fetch(shop.admin_url + path, "POST", (), json.dumps(body).encode()), 400, "idempotency-key-required")
    assert balance(shop, ann) == 1_100


def test_batches_of_vouchers_are_made_listed_and_withdrawn(shop):
    ann = viewer(shop, "ann.batches")
    batch, codes = make_vouchers(shop, 1_000, count=100)
    assert all(re.fullmatch(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", code) for code in codes)
    assert redeem(shop, ann, codes[0]).status == 200
    assert f"{batch}  EUR 10.00  1 of 100 redeemed  until 2200-01-01" in ctl_of(shop, "vouchers", "list")
    assert ctl_of(shop, "vouchers", "void", batch) == f"{batch}: void\n"
    assert re.search(rf"^{batch}  .*  void  ", ctl_of(shop, "vouchers", "list"), re.MULTILINE)
    assert refused(redeem(shop, ann, codes[1]), 404, "voucher-unknown") and balance(shop, ann) == 1_000
    assert run_ctl_of(shop, "vouchers", "void", "0123456789abcdef").returncode != 0 and run_ctl_of(shop, "vouchers", "void", "x").returncode != 0
    for words in (("0", "EUR"), ("-1", "EUR"), ("1.5", "EUR"), ("1", "euro"), ("1", "EUR", "--count", "0"), ("1", "EUR", "--count", "10001"), ("1", "EUR", "--count", "x")):
        assert run_ctl_of(shop, "vouchers", "create", *words, "--expires", "2200-01-01T00:00:00Z").returncode != 0, words
    assert run_ctl_of(shop, "vouchers", "create", "1", "EUR", "--expires", "tomorrow").returncode != 0
    assert len(ctl_of(shop, "vouchers", "create", "1", "EUR", "--expires", "2200-01-01T00:00:00Z", "--count", "10000").split()) == 10_000
    assert not any(codes[2] in path.read_bytes().decode("latin-1") for path in shop.folder.parent.rglob("*") if path.is_file()), "codes are not stored"


def test_purchases_are_listed_and_shown(shop):
    add_product(shop, "seen", options=[{"id": "red", "title": "Red"}])
    ann = viewer(shop, "ann.seen", balance=5_000)
    made = [bought(shop, ann, "seen", 500, option="red", quantity=2)["purchase"]["id"] for _ in range(3)]
    lines = ctl_of(shop, "purchases", "list", "ANN.seen").splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted(made) and all("paid" in line and "2 x seen/red  EUR 10.00  balance" in line for line in lines)
    assert ctl_of(shop, "purchases", "show", made[0]).split()[0] == made[0]
    for unknown in ("0123456789abcdef", "x", "../catalogue"):
        assert run_ctl_of(shop, "purchases", "show", unknown).returncode != 0
    assert run_ctl_of(shop, "purchases", "list", "nobody").returncode != 0
    ctl_of(shop, "purchases", "refund", made[0], "--reason", "wrong size")
    assert "refunded" in ctl_of(shop, "purchases", "show", made[0]) and "wrong size" in ctl_of(shop, "purchases", "show", made[0])


def test_the_books_are_checked_and_exported_and_each_transaction_sums_to_zero(make_shop):
    shop = make_shop()
    assert ctl_of(shop, "books", "--check") == "0 transactions, all correct\n"
    add_product(shop, "scarf")
    ann = viewer(shop, "ann", balance=5_000)
    refund = bought(shop, ann, "scarf", 500)["purchase"]["id"]
    bought(shop, ann, "scarf", 500, quantity=3)
    pending = buy(shop, ann, "scarf", 500, method="till").json["purchase"]["id"]
    ctl_of(shop, "purchases", "paid", pending)
    ctl_of(shop, "purchases", "refund", refund, "--reason", "torn")
    _, [code] = make_vouchers(shop, 700)
    assert redeem(shop, ann, code).status == 200
    ctl_of(shop, "balance", "add", "ann", "100", "JPY", "--reason", "=HYPERLINK(1)")
    assert ctl_of(shop, "books", "--check").startswith("7 transactions, all correct\n")
    assert {line.split()[0]: line.split(None, 1)[1] for line in ctl_of(shop, "books", "--check").splitlines()[1:] if "EUR" in line} == {
        "operator": "EUR -50.00", "sales": "EUR 20.00", "till": "EUR -5.00", "viewers": "EUR 42.00", "vouchers": "EUR -7.00"}
    rows = list(csv.DictReader(io.StringIO(ctl_of(shop, "books", "--export"), newline="")))
    assert len(rows) == 14 and {row["kind"] for row in rows} == {"purchase", "refund", "voucher", "adjustment"}
    for number in range(1, 8):
        postings = [row for row in rows if row["number"] == str(number)]
        assert len(postings) == 2 and sum(int(row["amount"]) for row in postings) == 0 and len({row["currency"] for row in postings}) == 1
    assert not any(row["reference"].startswith("=") for row in rows) and {row["reference"] for row in rows} >= {refund, pending, "paid at the desk"}
    assert run_ctl_of(shop, "books").returncode != 0 and run_ctl_of(shop, "books", "--check", "--export").returncode != 0
    shop.kill()
    shop.start()
    assert ctl_of(shop, "books", "--check").startswith("7 transactions, all correct\n")


def test_the_books_are_read_over_many_pages(make_shop):
    shop = make_shop()
    viewer(shop, "ann")
    body = b'{"money":{"amount":1,"currency":"EUR"},"reason":"a cent"}'

    def pay_in(number):
        return fetch(shop.admin_url + "/accounts/ann/balance", "POST", {"Idempotency-Key": str(number)}, body).status

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(pay_in, range(1_001))) == {200}
    assert ctl_of(shop, "books", "--check").startswith("1001 transactions, all correct\n")
    assert ctl_of(shop, "books", "--export").count("\n") == 1 + 2 * 1_001
    assert check_books(shop) == {"operator": "EUR -10.01", "viewers": "EUR 10.01"}


def test_operators_commands_say_when_a_process_has_no_shop(programs):
    program = programs(merged(process_config(), {"event": {"keys": KEYS, "channels": CHANNELS}, "api": {"caches": []}}))
    for words in (("catalogue", "export"), ("purchases", "list", "ann"), ("balance", "show", "ann"), ("vouchers", "list"), ("books", "--check")):
        done = run_ctl_of(program, *words)
        assert done.returncode != 0 and "no shop" in done.stderr, (words, done.stderr)
