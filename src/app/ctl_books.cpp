// The command for the books: reads the whole journal, page by page, and checks it or writes it as CSV.

#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "app/ctl_command.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "shop/books.h"
#include "shop/csv_rows.h"

namespace tribune::app {
namespace {

using base::json::Value;

constexpr std::string_view kCsvHead = "number,at,kind,reference,ledger,amount,currency\r\n";

std::string ledgers_text(const shop::BooksCheck& check) {
  auto text = fmt::format("{} transactions, all correct\n", check.transactions());
  std::map<std::string, std::int64_t> viewers;
  for (const auto& [place, amount] : check.ledgers()) {
    const auto& [ledger, currency] = place;
    if (ledger.starts_with("viewer:"))
      viewers[currency] += amount;
    else
      text += fmt::format("{:<12} {:>20}\n", ledger, to_text(shop::Money{amount, currency}));
  }
  for (const auto& [currency, amount] : viewers)
    text += fmt::format("{:<12} {:>20}\n", "viewers", to_text(shop::Money{amount, currency}));
  return text;
}

std::string csv_rows_of(const shop::JournalTransaction& transaction) {
  std::string rows;
  for (const auto& posting : transaction.postings)
    rows += fmt::format("{},{},{},{},{},{},{}\r\n", transaction.number, base::rfc3339(transaction.at),
                        to_string(transaction.kind), shop::csv_cell(shop::for_spreadsheets(transaction.reference)),
                        posting.ledger, posting.money.amount, posting.money.currency);
  return rows;
}

/// Checks each transaction in every case: a journal that is wrong is not exported without a word.
class JournalReader {
 public:
  explicit JournalReader(bool exports) : exports_(exports) {}

  CtlPart read(const std::string& body) {
    CtlPart part;
    if (exports_ && check_.transactions() == 0) part.text = kCsvHead;
    const auto page = base::json::parse(body, {.max_bytes = 16 << 20});
    const auto* transactions = page ? page->find("transactions") : nullptr;
    if (transactions == nullptr) return {.text = "", .failure = "the response is no page of a journal"};
    for (const auto& value : transactions->array)
      if (!add(value, part)) return part;
    if (const auto next = page->whole("next"))
      part.next_target = fmt::format("/journal?from={}", *next);
    else if (!exports_)
      part.text += ledgers_text(check_);
    return part;
  }

 private:
  bool add(const Value& value, CtlPart& part) {
    const auto transaction = shop::journal_transaction_of(value);
    if (!transaction) {
      part.failure = transaction.error().text;
      return false;
    }
    if (const auto right = check_.add(*transaction); !right) {
      part.failure = right.error().text;
      return false;
    }
    if (exports_) part.text += csv_rows_of(*transaction);
    return true;
  }

  const bool exports_;
  shop::BooksCheck check_;
};

CtlRequest books_request(const CtlValues& values) {
  CtlRequest request{.target = "/journal", .not_served = "this process has no shop (api.accounts.state_dir)"};
  if (values.contains("check") == values.contains("export")) request.refusal = "either --check or --export is needed";
  return request;
}

}  // namespace

std::vector<CtlCommand> books_commands() {
  return {{.name = "books",
           .help =
               "Read the journal of the shop and prove that it is correct: no transaction is missing or changed, and "
               "each sums to zero",
           .parameters = {{"--check", "Print the number of transactions and what each ledger has", false, true},
                          {"--export", "Print all postings as CSV", false, true}},
           .request = books_request,
           .reader = [](const CtlValues& values) {
             const auto reader = std::make_shared<JournalReader>(values.contains("export"));
             return [reader](const std::string& body) { return reader->read(body); };
           }}};
}

}  // namespace tribune::app
