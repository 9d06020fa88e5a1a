// Commands for the shop: the catalogue, purchases, balances and vouchers.

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "app/ctl_command.h"
#include "base/text_file.h"
#include "shop/catalogue_csv.h"
#include "shop/catalogue_json.h"

namespace tribune::app {
namespace {

using base::json::Value;
using base::json::Writer;

constexpr const char* kNoShop = "this process has no shop (api.accounts.state_dir)";
constexpr std::size_t kMaxListedErrors = 20;

const CtlParameter kPurchaseId{"PURCHASE", "The id of the purchase"};
const CtlParameter kReason{"--reason", "The reason, which is stored"};
const CtlParameter kAccountLogin{"LOGIN", "The login of the account"};

bool is_csv(const std::string& file) { return file.ends_with(".csv"); }

std::string errors_text(const std::string& file, const std::vector<shop::ImportError>& errors) {
  std::string text = "nothing was changed";
  for (std::size_t i = 0; i < errors.size() && i < kMaxListedErrors; ++i)
    text += fmt::format("\n{}:{}: {}", file, errors[i].line, errors[i].text);
  if (errors.size() > kMaxListedErrors) text += fmt::format("\nand {} more", errors.size() - kMaxListedErrors);
  return text;
}

/// The file is read and checked here, so that each error has its line; the process checks it again.
CtlRequest import_request(const CtlValues& values) {
  CtlRequest request{.method = http::Method::put, .target = "/catalogue", .not_served = kNoShop};
  const auto& file = values.at("file");
  const auto text = base::read_text_file(file, shop::kMaxImportBytes);
  if (!text) {
    request.refusal = file + ": " + text.error().text;
    return request;
  }
  const auto read = is_csv(file) ? shop::read_catalogue_csv(*text) : shop::read_catalogue_json(*text);
  if (!read) {
    request.refusal = errors_text(file, read.error());
    return request;
  }
  if (is_csv(file)) request.target += "/products";  // a spreadsheet has no notes about channels: they stay
  request.body = to_json(*read);
  return request;
}

std::string version_text(const Value& answer) {
  return fmt::format("the catalogue has version {}\n", answer.whole("version").value_or(0));
}

std::string money_text_of(const Value* money) {
  if (money == nullptr) return "";
  return to_text(shop::Money{money->whole("amount").value_or(0), std::string(money->text("currency").value_or(""))});
}

std::string purchase_line(const Value& purchase) {
  const auto option = purchase.text("option").value_or("");
  const auto reason = purchase.text("reason").value_or("");
  return fmt::format("{}  {}  {:<8}  {} x {}{}{}  {}  {}{}{}\n", purchase.text("id").value_or(""),
                     purchase.text("created_at").value_or(""), purchase.text("state").value_or(""),
                     purchase.whole("quantity").value_or(0), purchase.text("product").value_or(""),
                     option.empty() ? "" : "/", option, money_text_of(purchase.find("total")),
                     purchase.text("method").value_or(""), reason.empty() ? "" : "  ", reason);
}

std::string purchases_text(const Value& answer) {
  std::string text;
  if (const auto* purchases = answer.find("purchases"))
    for (const auto& purchase : purchases->array) text += purchase_line(purchase);
  if (const auto next = answer.text("next")) text += fmt::format("more: --cursor {}\n", *next);
  return text;
}

std::string balances_text(const Value& answer) {
  std::string text;
  if (const auto* balances = answer.find("balances"))
    for (const auto& balance : balances->array) text += money_text_of(&balance) + "\n";
  return text.empty() ? "no balance\n" : text;
}

/// Adds "money", or sets the refusal: amounts are minor units.
void write_money_of(Writer& w, const CtlValues& values, CtlRequest& request) {
  const auto& text = values.at("amount");
  const auto& currency = values.at("currency");
  std::int64_t amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (error != std::errc{} || end != text.data() + text.size())
    request.refusal = "the amount must be a whole number of minor units, such as 1250 for EUR 12.50";
  else if (!shop::is_currency(currency))
    request.refusal = "the currency must be an ISO 4217 code, such as EUR";
  w.key("money").begin_object().member("amount", amount).member("currency", currency).end_object();
}

CtlRequest settle_request(const CtlValues& values, bool is_paid) {
  Writer w;
  w.begin_object().member("paid", is_paid);
  if (const auto reason = values.find("reason"); reason != values.end()) w.member("reason", reason->second);
  return {.method = http::Method::post,
          .target = "/purchases/" + encoded(values, "purchase") + "/settle",
          .body = w.end_object().take(),
          .not_served = kNoShop};
}

CtlRequest refund_request(const CtlValues& values) {
  Writer w;
  w.begin_object().member("reason", values.at("reason"));
  w.member("keeps_stock", values.contains("keep-stock"));
  return {.method = http::Method::post,
          .target = "/purchases/" + encoded(values, "purchase") + "/refund",
          .body = w.end_object().take(),
          .not_served = kNoShop,
          .moves_money = true};
}

CtlRequest adjust_request(const CtlValues& values) {
  CtlRequest request{.method = http::Method::post,
                     .target = "/accounts/" + encoded(values, "login") + "/balance",
                     .not_served = kNoShop,
                     .moves_money = true};
  Writer w;
  write_money_of(w.begin_object(), values, request);
  request.body = w.member("reason", values.at("reason")).end_object().take();
  return request;
}

CtlRequest voucher_request(const CtlValues& values) {
  CtlRequest request{.method = http::Method::post, .target = "/vouchers", .not_served = kNoShop};
  Writer w;
  write_money_of(w.begin_object(), values, request);
  std::int64_t count = 1;
  if (const auto text = values.find("count"); text != values.end()) {
    const auto& digits = text->second;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (error != std::errc{} || end != digits.data() + digits.size())
      request.refusal = "--count must be a whole number";
  }
  w.member("count", count).member("expires_at", values.at("expires"));
  if (const auto note = values.find("note"); note != values.end()) w.member("note", note->second);
  request.body = w.end_object().take();
  return request;
}

std::string codes_text(const Value& answer) {
  std::string text;
  if (const auto* codes = answer.find("codes"))
    for (const auto& code : codes->array) text += code.string + "\n";
  return text;
}

std::string batches_text(const Value& answer) {
  std::string text;
  if (const auto* batches = answer.find("batches"))
    for (const auto& batch : batches->array)
      text += fmt::format("{}  {}  {} of {} redeemed  until {}{}  {}\n", batch.text("id").value_or(""),
                          money_text_of(batch.find("money")), batch.whole("redeemed").value_or(0),
                          batch.whole("count").value_or(0), batch.text("expires_at").value_or(""),
                          batch.flag("is_void").value_or(false) ? "  void" : "", batch.text("note").value_or(""));
  return text;
}

/// Prints the products as CSV.
std::function<CtlPart(const std::string&)> csv_reader(const CtlValues&) {
  return [](const std::string& body) -> CtlPart {
    const auto catalogue = shop::read_catalogue_json(body);
    if (!catalogue) return {.text = "", .failure = "the catalogue cannot be read: " + catalogue.error().front().text};
    return {.text = shop::to_csv(catalogue->products)};
  };
}

CtlCommand settle_command(std::string name, std::string help, bool is_paid) {
  CtlCommand command{.name = std::move(name), .help = std::move(help), .parameters = {kPurchaseId}, .request = {}};
  if (!is_paid) command.parameters.push_back(kReason);
  command.request = [is_paid](const CtlValues& values) { return settle_request(values, is_paid); };
  command.text = purchase_line;
  return command;
}

std::vector<CtlCommand> catalogue_commands() {
  const auto export_request = [](const CtlValues&) {
    return CtlRequest{.target = "/catalogue", .not_served = kNoShop};
  };
  return {
      {.name = "catalogue import",
       .help = "Replace the catalogue by a file, or with a .csv file its products, all or nothing",
       .parameters = {{"FILE", "The file, JSON or CSV, see docs/shop.md"}},
       .request = import_request,
       .text = version_text},
      {.name = "catalogue export", .help = "Print the catalogue as JSON", .parameters = {}, .request = export_request},
      {.name = "catalogue export-csv",
       .help = "Print the products of the catalogue as CSV",
       .parameters = {},
       .request = export_request,
       .reader = csv_reader},
      {.name = "catalogue remove",
       .help = "Take a product out of the catalogue",
       .parameters = {{"PRODUCT", "The id of the product"}},
       .request =
           [](const CtlValues& v) {
             return CtlRequest{.method = http::Method::del,
                               .target = "/catalogue/products/" + encoded(v, "product"),
                               .not_served = kNoShop};
           },
       .text = version_text}};
}

std::vector<CtlCommand> purchase_commands() {
  return {
      {.name = "purchases list",
       .help = "List the purchases of an account, the newest first",
       .parameters = {kAccountLogin, {"--cursor", "Where the list begins, as the list before said", false}},
       .request =
           [](const CtlValues& v) {
             const auto cursor = encoded(v, "cursor");
             return CtlRequest{.target = "/accounts/" + encoded(v, "login") + "/purchases" +
                                         (cursor.empty() ? "" : "?cursor=" + cursor),
                               .not_served = kNoShop};
           },
       .text = purchases_text},
      {.name = "purchases show",
       .help = "Print a purchase",
       .parameters = {kPurchaseId},
       .request =
           [](const CtlValues& v) {
             return CtlRequest{.target = "/purchases/" + encoded(v, "purchase"), .not_served = kNoShop};
           },
       .text = purchase_line},
      settle_command("purchases paid", "Settle a pending purchase: it was paid at the till", true),
      settle_command("purchases failed", "Settle a pending purchase: it is not paid, and its goods are free", false),
      {.name = "purchases refund",
       .help = "Give the money of a purchase back to the account's balance, and end what it granted",
       .parameters = {kPurchaseId, kReason, {"--keep-stock", "The goods do not come back on sale", false, true}},
       .request = refund_request,
       .text = purchase_line}};
}

std::vector<CtlCommand> money_commands() {
  const CtlParameter currency{"CURRENCY", "An ISO 4217 code, such as EUR"};
  return {
      {.name = "balance show",
       .help = "Print the balance of an account",
       .parameters = {kAccountLogin},
       .request =
           [](const CtlValues& v) {
             return CtlRequest{.target = "/accounts/" + encoded(v, "login") + "/balance", .not_served = kNoShop};
           },
       .text = balances_text},
      {.name = "balance add",
       .help = "Pay into the balance of an account, or with an amount below zero out of it",
       .parameters = {kAccountLogin, {"AMOUNT", "Minor units: 1250 is EUR 12.50"}, currency, kReason},
       .request = adjust_request,
       .text = [](const Value& answer) { return "the balance is " + money_text_of(answer.find("balance")) + "\n"; }},
      {.name = "vouchers create",
       .help = "Make vouchers and print their codes, which are not stored and not printed again",
       .parameters = {{"AMOUNT", "Minor units of each: 1250 is EUR 12.50"},
                      currency,
                      {"--expires", "The time (RFC 3339) from which they cannot be redeemed"},
                      {"--count", "Their number, at most 10000; 1 unless given", false},
                      {"--note", "A note on the batch", false}},
       .request = voucher_request,
       .text = codes_text},
      {.name = "vouchers list",
       .help = "List the batches of vouchers",
       .parameters = {},
       .request = [](const CtlValues&) { return CtlRequest{.target = "/vouchers", .not_served = kNoShop}; },
       .text = batches_text},
      {.name = "vouchers void",
       .help = "Withdraw the vouchers of a batch that are not redeemed",
       .parameters = {{"BATCH", "The id of the batch"}},
       .request =
           [](const CtlValues& v) {
             return CtlRequest{.method = http::Method::post,
                               .target = "/vouchers/" + encoded(v, "batch") + "/void",
                               .not_served = kNoShop};
           },
       .text = [](const Value& answer) { return fmt::format("{}: void\n", answer.text("id").value_or("")); }}};
}

}  // namespace

std::vector<CtlCommand> shop_commands() {
  auto commands = catalogue_commands();
  for (auto& command : purchase_commands()) commands.push_back(std::move(command));
  for (auto& command : money_commands()) commands.push_back(std::move(command));
  return commands;
}

}  // namespace tribune::app
