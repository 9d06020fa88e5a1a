#include <chrono>
#include <utility>

#include "accounts/embedded_account_store.h"
#include "shop/embedded_books.h"
#include "shop/embedded_catalogue.h"
#include "shop/embedded_entitlements.h"
#include "shop/embedded_purchases.h"
#include "shop/embedded_stores.h"
#include "shop/embedded_vouchers.h"
#include "store/reported_results.h"

namespace tribune::shop {
namespace {

using store::ReadTransaction;
using store::WriteTransaction;

constexpr AccountId kKeysOfOperators = 0;  // the owner of their idempotency keys

/// As the records hold a time.
base::WallTime whole_milliseconds(base::WallTime time) { return std::chrono::floor<std::chrono::milliseconds>(time); }

/// Whether the amount is between `least` and kMaxAmount, of a currency.
bool is_amount(const Money& money, std::int64_t least) {
  return is_currency(money.currency) && money.amount >= least && money.amount <= kMaxAmount;
}

tl::unexpected<base::Error> wrong_amount() {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client,
                       "the currency must be three capital letters, and the amount at most 10^15");
}

/// Any thread; the transactional store locks inside.
class EmbeddedShopStore final : public ShopStore {
 public:
  explicit EmbeddedShopStore(std::shared_ptr<store::TransactionalStore> tables) : tables_(std::move(tables)) {}

  void catalogue(Done<CatalogueView> done) override {
    view<CatalogueView>([](ReadTransaction& t) { return catalogue_in(t); }, std::move(done));
  }
  void taken(Done<TakenPieces> done) override {
    view<TakenPieces>([](ReadTransaction& t) { return taken_pieces_in(t); }, std::move(done));
  }
  void change_catalogue(CatalogueChange change, Done<std::uint64_t> done) override {
    this->change<std::uint64_t>(
        [change = std::move(change)](WriteTransaction& t) { return change_catalogue_in(t, change); }, std::move(done));
  }

  void purchase(PurchaseOrder order, Done<Outcome<Purchase>> done) override {
    const auto account = order.account;
    once<Purchase>(account, std::move(order), purchase_in, std::move(done));
  }
  void settle(PaymentResult result, Done<Outcome<Purchase>> done) override {
    result.now = whole_milliseconds(result.now);
    change<Outcome<Purchase>>([result = std::move(result)](WriteTransaction& t) { return settle_in(t, result); },
                              std::move(done));
  }
  void fail_overdue(base::WallTime now, Done<std::size_t> done) override {
    change<std::size_t>([now = whole_milliseconds(now)](WriteTransaction& t) { return fail_overdue_in(t, now); },
                        std::move(done));
  }
  void refund(RefundOrder order, Done<Outcome<Purchase>> done) override {
    once<Purchase>(kKeysOfOperators, std::move(order), refund_in, std::move(done));
  }

  void find_purchase(PurchaseId id, Done<std::optional<Purchase>> done) override {
    view<std::optional<Purchase>>([id](ReadTransaction& t) { return find_purchase_in(t, id); }, std::move(done));
  }
  void purchases(AccountId account, std::string from, std::size_t limit, Done<PurchasePage> done) override {
    if (!is_purchase_cursor(from))
      return done(base::failure(base::ErrorKind::invalid_input, base::Fault::client, "no page begins there"));
    view<PurchasePage>(
        [account, from = std::move(from), limit](ReadTransaction& t) { return purchases_in(t, account, from, limit); },
        std::move(done));
  }
  void entitlements(AccountId account, base::WallTime now, Done<std::vector<Entitlement>> done) override {
    view<std::vector<Entitlement>>([account, now](ReadTransaction& t) { return entitlements_in(t, account, now); },
                                   std::move(done));
  }

  void balances(AccountId account, Done<std::vector<Money>> done) override {
    view<std::vector<Money>>([account](ReadTransaction& t) { return balances_in(t, account); }, std::move(done));
  }
  void adjust_balance(BalanceAdjustment adjustment, Done<Outcome<BalanceChange>> done) override {
    if (!is_amount(adjustment.money, -kMaxAmount)) return done(wrong_amount());
    once<BalanceChange>(kKeysOfOperators, std::move(adjustment), adjust_balance_in, std::move(done));
  }
  void create_vouchers(VoucherBatch batch, std::vector<std::string> code_hashes, Done<void> done) override {
    if (!is_amount(batch.money, 1)) return done(wrong_amount());
    batch.created = whole_milliseconds(batch.created);
    batch.expires = whole_milliseconds(batch.expires);
    tables_->write([batch = std::move(batch), hashes = std::move(code_hashes)](
                       WriteTransaction& t) { return create_vouchers_in(t, batch, hashes); },
                   std::move(done));
  }
  void voucher_batches(Done<std::vector<VoucherBatch>> done) override {
    view<std::vector<VoucherBatch>>([](ReadTransaction& t) { return voucher_batches_in(t); }, std::move(done));
  }
  void void_vouchers(std::uint64_t batch, Done<void> done) override {
    tables_->write([batch](WriteTransaction& t) { return void_vouchers_in(t, batch); }, std::move(done));
  }
  void redeem(VoucherRedemption redemption, Done<Outcome<BalanceChange>> done) override {
    const auto account = redemption.account;
    once<BalanceChange>(account, std::move(redemption), redeem_in, std::move(done));
  }

  void journal(std::uint64_t from, std::size_t limit, Done<std::vector<JournalTransaction>> done) override {
    view<std::vector<JournalTransaction>>([from, limit](ReadTransaction& t) { return journal_in(t, from, limit); },
                                          std::move(done));
  }
  void forget_keys(base::WallTime now, Done<std::size_t> done) override {
    change<std::size_t>([now](WriteTransaction& t) { return forget_outcomes(t, now); }, std::move(done));
  }
  base::Status health() const override { return tables_->health(); }

 private:
  template <class T>
  void change(std::function<base::Result<T>(WriteTransaction&)> work, Done<T> done) {
    store::write_and_report<T>(*tables_, std::move(work), std::move(done));
  }
  template <class T>
  void view(std::function<base::Result<T>(ReadTransaction&)> work, Done<T> done) {
    auto seen = std::make_shared<std::optional<base::Result<T>>>();
    tables_->read([work = std::move(work), seen](ReadTransaction& t) { seen->emplace(work(t)); },
                  [seen, done = std::move(done)](base::Status status) {
                    if (!status) return done(tl::unexpected(std::move(status.error())));
                    done(std::move(**seen));
                  });
  }
  /// Carries the request out, unless its idempotency key was used before.
  template <class T, class Request>
  void once(AccountId owner, Request request, Decided<T> (*work)(WriteTransaction&, const Request&),
            Done<Outcome<T>> done) {
    request.now = whole_milliseconds(request.now);
    change<Outcome<T>>(
        [owner, work, request = std::move(request)](WriteTransaction& t) {
          return carried_out_once<T>(t, owner, request.key, request.now, [&] { return work(t, request); });
        },
        std::move(done));
  }

  const std::shared_ptr<store::TransactionalStore> tables_;
};

}  // namespace

base::Result<EmbeddedStores> open_embedded_stores(const std::string& directory, std::uint64_t max_bytes,
                                                  base::Log& log) {
  store::TransactionalStoreOptions options;
  options.directory = directory;
  options.name = "tribune accounts";
  for (const auto table : accounts::account_tables()) options.tables.emplace_back(table);
  for (const auto table :
       {kProducts, kFormerPrices, kChannelNotes, kSalesCounts, kPurchases, kPurchasePlaces, kPending, kPendingOfAccount,
        kEntitlements, kOutcomes, kOutcomeTimes, kBalances, kJournal, kVoucherCodes, kVoucherBatches, kShopCounters})
    options.tables.emplace_back(table);
  options.max_bytes = max_bytes;
  auto tables = store::TransactionalStore::open(options, log);
  if (!tables) return tl::unexpected(tables.error());
  const std::shared_ptr<store::TransactionalStore> shared = std::move(*tables);
  return EmbeddedStores{accounts::make_embedded_account_store(shared), std::make_unique<EmbeddedShopStore>(shared)};
}

}  // namespace tribune::shop
