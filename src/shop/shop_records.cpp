#include "shop/shop_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/encoding.h"
#include "base/json.h"
#include "store/json_record.h"

namespace tribune::shop {
namespace {

using base::json::Kind;
using base::json::Value;
using base::json::Writer;
using store::JsonRecord;
using store::milliseconds_of;

constexpr std::array<std::pair<ShopRefusal, std::string_view>, 15> kShopRefusals{
    {{ShopRefusal::product_unknown, "product_unknown"},
     {ShopRefusal::option_unknown, "option_unknown"},
     {ShopRefusal::quantity, "quantity"},
     {ShopRefusal::price_changed, "price_changed"},
     {ShopRefusal::sold_out, "sold_out"},
     {ShopRefusal::already_owned, "already_owned"},
     {ShopRefusal::limit_reached, "limit_reached"},
     {ShopRefusal::balance_insufficient, "balance_insufficient"},
     {ShopRefusal::balance_limit, "balance_limit"},
     {ShopRefusal::account_unknown, "account_unknown"},
     {ShopRefusal::key_reused, "key_reused"},
     {ShopRefusal::purchase_unknown, "purchase_unknown"},
     {ShopRefusal::wrong_state, "wrong_state"},
     {ShopRefusal::voucher_unknown, "voucher_unknown"},
     {ShopRefusal::voucher_used, "voucher_used"}}};

void write_money(Writer& w, std::string_view name, const Money& money) {
  w.key(name).begin_array().value(money.amount).value(money.currency).end_array();
}

void write_text_pair(Writer& w, std::string_view name, const ViewerText& text) {
  w.key(name).begin_array().value(text.en).value(text.ru).end_array();
}

void write_channels(Writer& w, bool all, const std::vector<std::string>& channels) {
  w.member("all_channels", all).key("channels").begin_array();
  for (const auto& channel : channels) w.value(channel);
  w.end_array();
}

void write_record_time(Writer& w, std::string_view name, std::optional<base::WallTime> time) {
  if (time) w.member(name, milliseconds_of(*time));
}

/// The member, if it is an array of two elements of these kinds.
const Value* pair_in(JsonRecord& record, std::string_view name, Kind first, Kind second) {
  const auto* found = record.value().find(name);
  if (found != nullptr && found->array.size() == 2 && found->array[0].is(first) && found->array[1].is(second))
    return found;
  record.fail();
  return nullptr;
}

Money money_in(JsonRecord& record, std::string_view name) {
  const auto* found = pair_in(record, name, Kind::integer, Kind::string);
  return found == nullptr ? Money() : Money{found->array[0].integer, found->array[1].string};
}

ViewerText viewer_text_in(JsonRecord& record, std::string_view name) {
  const auto* found = pair_in(record, name, Kind::string, Kind::string);
  return found == nullptr ? ViewerText() : ViewerText{found->array[0].string, found->array[1].string};
}

std::vector<std::string> channels_in(JsonRecord& record) {
  std::vector<std::string> channels;
  const auto* found = record.value().find("channels");
  if (found == nullptr) record.fail();
  if (found != nullptr)
    for (const auto& channel : found->array) channels.push_back(channel.string);
  return channels;
}

PurchaseState purchase_state_in(JsonRecord& record) {
  const auto state = parse_purchase_state(record.text("state"));
  if (!state) record.fail();
  return state.value_or(PurchaseState::failed);
}

Grant grant_in(JsonRecord& record) {
  Grant grant;
  grant.all_channels = record.flag("all_channels");
  grant.channels = channels_in(record);
  if (record.value().find("valid_for") != nullptr) grant.valid_for = std::chrono::seconds(record.number("valid_for"));
  grant.valid_from = record.optional_time("valid_from");
  grant.valid_until = record.optional_time("valid_until");
  return grant;
}

}  // namespace

tl::unexpected<base::Error> unreadable_record(std::string_view table, std::string_view key) {
  return base::failure(base::ErrorKind::protocol, base::Fault::tribune,
                       fmt::format("the record {} of the table {} cannot be read", key, table));
}

std::string time_key(base::WallTime time) {
  return base::to_hex64(static_cast<std::uint64_t>(std::max<std::int64_t>(0, milliseconds_of(time))));
}

std::optional<std::int64_t> number_of_record(std::string_view text) {
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

std::string_view to_string(ShopRefusal why) {
  return std::find_if(kShopRefusals.begin(), kShopRefusals.end(), [&](const auto& r) { return r.first == why; })
      ->second;
}

std::string to_record(const Purchase& purchase) {
  Writer w;
  w.begin_object().member("id", accounts::to_text(purchase.id)).member("account", accounts::to_text(purchase.account));
  w.member("state", to_string(purchase.state)).member("method", purchase.method).member("product", purchase.product);
  w.member("kind", to_string(purchase.kind)).member("option", purchase.option).member("quantity", purchase.quantity);
  write_text_pair(w, "title", purchase.title);
  write_text_pair(w, "option_title", purchase.option_title);
  write_money(w, "price", purchase.price);
  write_money(w, "total", purchase.total);
  write_channels(w, purchase.grant.all_channels, purchase.grant.channels);
  if (purchase.grant.valid_for) w.member("valid_for", std::int64_t{purchase.grant.valid_for->count()});
  write_record_time(w, "valid_from", purchase.grant.valid_from);
  write_record_time(w, "valid_until", purchase.grant.valid_until);
  w.member("created", milliseconds_of(purchase.created)).member("deadline", milliseconds_of(purchase.deadline));
  w.member("decided", milliseconds_of(purchase.decided)).member("refunded", milliseconds_of(purchase.refunded));
  return w.member("reason", purchase.reason).end_object().take();
}

std::optional<Purchase> purchase_of_record(std::string_view text) {
  JsonRecord record(text);
  Purchase purchase;
  purchase.id = record.id("id");
  purchase.account = record.id("account");
  purchase.state = purchase_state_in(record);
  purchase.method = record.text("method");
  purchase.product = record.text("product");
  const auto kind = parse_product_kind(record.text("kind"));
  if (!kind) return std::nullopt;
  purchase.kind = *kind;
  purchase.title = viewer_text_in(record, "title");
  purchase.option = record.text("option");
  purchase.option_title = viewer_text_in(record, "option_title");
  purchase.quantity = record.number("quantity");
  purchase.price = money_in(record, "price");
  purchase.total = money_in(record, "total");
  purchase.grant = grant_in(record);
  purchase.created = record.time("created");
  purchase.deadline = record.time("deadline");
  purchase.decided = record.time("decided");
  purchase.refunded = record.time("refunded");
  purchase.reason = record.text("reason");
  return record.result(std::move(purchase));
}

std::string to_record(const Entitlement& entitlement) {
  Writer w;
  w.begin_object().member("purchase", accounts::to_text(entitlement.purchase)).member("product", entitlement.product);
  write_channels(w, entitlement.all_channels, entitlement.channels);
  w.member("from", milliseconds_of(entitlement.from));
  write_record_time(w, "until", entitlement.until);
  return w.end_object().take();
}

std::optional<Entitlement> entitlement_of_record(std::string_view text) {
  JsonRecord record(text);
  Entitlement entitlement;
  entitlement.purchase = record.id("purchase");
  entitlement.product = record.text("product");
  entitlement.all_channels = record.flag("all_channels");
  entitlement.channels = channels_in(record);
  entitlement.from = record.time("from");
  entitlement.until = record.optional_time("until");
  return record.result(std::move(entitlement));
}

std::string to_record(const VoucherBatch& batch) {
  Writer w;
  w.begin_object().member("id", accounts::to_text(batch.id));
  write_money(w, "money", batch.money);
  w.member("created", milliseconds_of(batch.created)).member("expires", milliseconds_of(batch.expires));
  w.member("note", batch.note).member("count", batch.count).member("redeemed", batch.redeemed);
  return w.member("is_void", batch.is_void).end_object().take();
}

std::optional<VoucherBatch> voucher_batch_of_record(std::string_view text) {
  JsonRecord record(text);
  VoucherBatch batch;
  batch.id = record.id("id");
  batch.money = money_in(record, "money");
  batch.created = record.time("created");
  batch.expires = record.time("expires");
  batch.note = record.text("note");
  batch.count = record.number("count");
  batch.redeemed = record.number("redeemed");
  batch.is_void = record.flag("is_void");
  return record.result(std::move(batch));
}

std::string to_record(const Voucher& voucher) {
  Writer w;
  w.begin_object().member("batch", accounts::to_text(voucher.batch));
  if (voucher.redeemed_by != 0) w.member("redeemed_by", accounts::to_text(voucher.redeemed_by));
  return w.end_object().take();
}

std::optional<Voucher> voucher_of_record(std::string_view text) {
  JsonRecord record(text);
  Voucher voucher;
  voucher.batch = record.id("batch");
  if (record.value().find("redeemed_by") != nullptr) voucher.redeemed_by = record.id("redeemed_by");
  return record.result(voucher);
}

std::string to_record(const FormerPrice& former) {
  Writer w;
  w.begin_object();
  write_money(w, "price", former.price);
  return w.member("until", milliseconds_of(former.until)).end_object().take();
}

std::optional<FormerPrice> former_price_of_record(std::string_view text) {
  JsonRecord record(text);
  FormerPrice former;
  former.price = money_in(record, "price");
  former.until = record.time("until");
  return record.result(std::move(former));
}

std::string to_record(const BalanceChange& change) {
  Writer w;
  w.begin_object();
  write_money(w, "added", change.added);
  write_money(w, "balance", change.balance);
  return w.end_object().take();
}

std::optional<BalanceChange> balance_change_of_record(std::string_view text) {
  JsonRecord record(text);
  BalanceChange change;
  change.added = money_in(record, "added");
  change.balance = money_in(record, "balance");
  return record.result(std::move(change));
}

std::string to_record(const StoredOutcome& outcome) {
  Writer w;
  w.begin_object().member("fingerprint", outcome.fingerprint).member("at", milliseconds_of(outcome.at));
  return w.member("record", outcome.record).end_object().take();
}

std::optional<StoredOutcome> stored_outcome_of_record(std::string_view text) {
  JsonRecord record(text);
  StoredOutcome outcome;
  outcome.fingerprint = record.text("fingerprint");
  outcome.at = record.time("at");
  outcome.record = record.text("record");
  return record.result(std::move(outcome));
}

}  // namespace tribune::shop
