#include "shop/shop_service.h"

#include <fmt/format.h>

#include <future>

#include "base/encoding.h"
#include "base/ids.h"
#include "base/signing.h"
#include "base/typed_code.h"
#include "shop/payment_method.h"

namespace tribune::shop {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kVoucherCharacters = 16;           // of 5 bits each: too many to guess
constexpr std::chrono::seconds kStoreRetry{5};           // of a client whose request met a store that cannot write
constexpr std::chrono::seconds kProgressRetry{1};        // of a client that repeats a request before its answer
constexpr std::chrono::seconds kForgettingInterval{10};  // of idempotency keys
constexpr AccountId kOperators = 0;

base::Counter purchase_counter(base::Metrics& metrics, std::string_view state) {
  return metrics.counter("tribune_shop_purchases_total", "Purchases that reached a state.", {{"state", state}});
}

tl::unexpected<ShopError> shop_failure(ShopFailure what, std::string text = "", std::chrono::seconds retry_after = 0s) {
  return tl::unexpected(ShopError{what, {}, std::move(text), retry_after});
}

tl::unexpected<ShopError> shop_failure(const base::Error& error) {
  switch (error.kind) {
    case base::ErrorKind::conflict: return shop_failure(ShopFailure::conflict, error.text);
    case base::ErrorKind::not_found: return shop_failure(ShopFailure::not_found, error.text);
    case base::ErrorKind::invalid_input: return shop_failure(ShopFailure::invalid, error.text);
    case base::ErrorKind::too_large:
      if (error.fault == base::Fault::client) return shop_failure(ShopFailure::too_large, error.text);
      break;
    default: break;
  }
  return shop_failure(ShopFailure::unavailable, error.text, kStoreRetry);
}

tl::unexpected<ShopError> shop_failure(const RefusedOrder& order) {
  return tl::unexpected(ShopError{ShopFailure::refused, order});
}

/// Of everything that the request asks for: another one has another text.
std::string fingerprint_of(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const auto part : parts) text += fmt::format("{}:{}", part.size(), part);
  return base::to_hex(base::sha256(text)).substr(0, 32);
}

std::string money_text(const Money& money) { return fmt::format("{} {}", money.amount, money.currency); }

std::uint64_t new_shop_id() {
  std::uint64_t id = 0;
  while (id == 0) id = base::random_u64();
  return id;
}

}  // namespace

/// The time in which a request with an idempotency key is carried out. It may outlive the service: a callback that was
/// called is destroyed later.
class ShopService::Progress {
 public:
  Progress(std::shared_ptr<KeysInProgress> keys, KeyInProgress key) : keys_(std::move(keys)), key_(std::move(key)) {
    const std::lock_guard lock(keys_->mutex);
    is_open_ = keys_->keys.insert(key_).second;
    is_first_ = is_open_;
  }
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Whether no other request with the key was under way.
  bool is_first() const { return is_first_; }
  /// To be called before the answer is reported, so that the client can repeat the request at once.
  void end() {
    const std::lock_guard lock(keys_->mutex);
    if (std::exchange(is_open_, false)) keys_->keys.erase(key_);
  }

 private:
  const std::shared_ptr<KeysInProgress> keys_;
  const KeyInProgress key_;
  bool is_first_ = false;
  bool is_open_ = false;  // guarded by the mutex of the keys
};

/// nullptr when another request with the key is under way.
std::shared_ptr<ShopService::Progress> ShopService::begin(AccountId owner, const std::string& key) {
  auto progress = std::make_shared<Progress>(keys_, KeyInProgress{owner, base::sha256(key)});
  return progress->is_first() ? progress : nullptr;
}

ShopService::ShopService(const ShopSettings& settings, std::unique_ptr<ShopStore> store, const base::Clock& clock,
                         base::Log& log, base::Metrics& metrics)
    : clock_(clock),
      log_(log),
      settings_(std::make_shared<const ShopSettings>(settings)),
      paid_(purchase_counter(metrics, "paid")),
      pending_(purchase_counter(metrics, "pending")),
      failed_(purchase_counter(metrics, "failed")),
      refunded_(purchase_counter(metrics, "refunded")),
      refused_(metrics.counter(
          "tribune_shop_orders_refused_total",
          "Orders of viewers and operators that a rule of the shop refused, each repetition included.")),
      vouchers_(metrics.counter("tribune_shop_vouchers_redeemed_total", "Vouchers that were redeemed.")),
      settled_clock_(clock),
      store_(std::move(store)) {}

base::Status ShopService::start(OnCatalogue on_catalogue) {
  on_catalogue_ = std::move(on_catalogue);
  std::promise<base::Result<CatalogueView>> read;
  store_->catalogue([&](base::Result<CatalogueView> view) { read.set_value(std::move(view)); });
  auto view = read.get_future().get();
  if (!view) return tl::unexpected(view.error());
  publish(std::move(*view));
  return {};
}

/// A catalogue that was read before the last one that was published is passed over.
void ShopService::publish(CatalogueView&& view) {
  auto next = std::make_shared<const CatalogueView>(std::move(view));
  const std::lock_guard lock(catalogue_mutex_);
  if (catalogue_ && next->version < catalogue_->version) return;
  catalogue_ = next;
  on_catalogue_(std::move(next));
}

std::shared_ptr<const CatalogueView> ShopService::published_catalogue() const {
  const std::lock_guard lock(catalogue_mutex_);
  return catalogue_;
}

/// The wall clock's time; a step counts once it has lasted.
base::WallTime ShopService::settled_now() const {
  const auto since_epoch = clock_.steady_now() - settled_clock_.when(base::WallTime{});
  return base::WallTime{std::chrono::duration_cast<base::WallTime::duration>(since_epoch)};
}

void ShopService::tick() {
  settled_clock_.observe();
  if (sales_are_stale_ && !is_reading_.exchange(true)) {
    sales_are_stale_ = false;
    read_sales();
  }
  fail_overdue();
  if (has_more_to_forget_.exchange(false) || clock_.steady_now() - last_forgetting_ >= kForgettingInterval)
    forget_keys();
}

void ShopService::fail_overdue() {
  const auto on_failed = [this, done = counted<int>([](const ShopAnswer<int>&) {})](base::Result<std::size_t> count) {
    if (count && *count > 0) {
      failed_.add(*count);
      sales_are_stale_ = true;
    }
    done(0);
  };
  store_->fail_overdue(settled_now(), on_failed);
}

void ShopService::forget_keys() {
  last_forgetting_ = clock_.steady_now();
  const auto on_forgotten = [this,
                             done = counted<int>([](const ShopAnswer<int>&) {})](base::Result<std::size_t> count) {
    if (count && *count >= kMaxForgottenKeys) has_more_to_forget_ = true;
    done(0);
  };
  store_->forget_keys(settled_now(), on_forgotten);
}

/// Reads the sales alone, and the whole catalogue only when another version of it is published.
void ShopService::read_sales() {
  store_->taken([this, done = counted<int>([](const ShopAnswer<int>&) {})](base::Result<TakenPieces> taken) {
    const auto known = published_catalogue();
    if (taken && taken->version > known->version) {
      read_catalogue();
    } else {
      const bool is_same = taken && taken->version == known->version;
      if (is_same) publish(with_taken(*known, *taken));
      end_reading(is_same);
    }
    done(0);
  });
}

void ShopService::read_catalogue() {
  store_->catalogue([this, done = counted<int>([](const ShopAnswer<int>&) {})](base::Result<CatalogueView> view) {
    const bool was_read = view.has_value();
    if (was_read) publish(std::move(*view));
    end_reading(was_read);
    done(0);
  });
}

/// What was not read is read at the next tick.
void ShopService::end_reading(bool was_read) {
  if (!was_read) sales_are_stale_ = true;
  is_reading_ = false;
}

/// Passes a value on.
template <class T>
Done<T> ShopService::on_value(ShopAnswered<T> done) {
  return [done = counted<T>(std::move(done))](base::Result<T> value) {
    if (!value) return done(shop_failure(value.error()));
    done(std::move(*value));
  };
}

/// Ends the progress of the key, and passes the outcome on: a refusal is an error.
template <class T>
Done<Outcome<T>> ShopService::on_outcome(std::shared_ptr<Progress> progress, ShopAnswered<Outcome<T>> done) {
  return [this, progress = std::move(progress),
          done = counted<Outcome<T>>(std::move(done))](base::Result<Outcome<T>> outcome) {
    if (progress) progress->end();
    if (!outcome) return done(shop_failure(outcome.error()));
    if (const auto* refused = std::get_if<RefusedOrder>(&outcome->result)) {
      refused_.add();
      return done(shop_failure(*refused));
    }
    done(std::move(*outcome));
  };
}

/// Counts a purchase that has changed its state.
void ShopService::note(const Outcome<Purchase>& outcome) {
  if (outcome.is_repeated) return;
  const auto& purchase = std::get<Purchase>(outcome.result);
  switch (purchase.state) {
    case PurchaseState::paid: paid_.add(); break;
    case PurchaseState::pending: pending_.add(); break;
    case PurchaseState::failed: failed_.add(); break;
    case PurchaseState::refunded: refunded_.add(); break;
  }
  if (purchase.kind == ProductKind::goods) sales_are_stale_ = true;
  log_.info("shop", "purchase",
            {{"purchase", accounts::to_text(purchase.id)},
             {"account", accounts::to_text(purchase.account)},
             {"product", purchase.product},
             {"state", to_string(purchase.state)}});
}

void ShopService::change_catalogue(CatalogueChange change, ShopAnswered<std::uint64_t> done) {
  change.now = now();
  change.price_validity = settings()->price_validity;
  store_->change_catalogue(std::move(change),
                           [this, done = counted<std::uint64_t>(std::move(done))](base::Result<std::uint64_t> version) {
                             if (!version) return done(shop_failure(version.error()));
                             log_.info("shop", "catalogue_changed", {{"version", std::to_string(*version)}});
                             store_->catalogue([this, done, version = *version](base::Result<CatalogueView> view) {
                               if (view)
                                 publish(std::move(*view));
                               else
                                 sales_are_stale_ = true;  // the next tick finds the new version
                               done(version);
                             });
                           });
}

void ShopService::purchase(PurchaseRequest request, ShopAnswered<Outcome<Purchase>> done) {
  const auto settings = settings_.get();
  const auto* method = payment_method(request.method);
  const auto& offered = settings->payment_methods;
  if (method == nullptr || std::find(offered.begin(), offered.end(), request.method) == offered.end())
    return done(shop_failure(ShopFailure::method_unknown));
  auto progress = begin(request.account, request.idempotency_key);
  if (!progress) return done(shop_failure(ShopFailure::in_progress, "", kProgressRetry));
  PurchaseOrder order;
  order.id = new_shop_id();
  order.account = request.account;
  order.key = {std::move(request.idempotency_key),
               fingerprint_of({"purchase", request.product, request.option, std::to_string(request.quantity),
                               money_text(request.price), request.method})};
  order.product = std::move(request.product);
  order.option = std::move(request.option);
  order.quantity = request.quantity;
  order.price = std::move(request.price);
  order.method = std::move(request.method);
  order.settlement = method->settlement;
  order.payment_time = settings->payment_time;
  order.now = now();
  store_->purchase(std::move(order),
                   on_outcome<Purchase>(std::move(progress), [this, done = std::move(done)](auto outcome) {
                     if (outcome) note(*outcome);
                     done(std::move(outcome));
                   }));
}

void ShopService::redeem(AccountId account, const std::string& code, std::string idempotency_key,
                         ShopAnswered<Outcome<BalanceChange>> done) {
  auto progress = begin(account, idempotency_key);
  if (!progress) return done(shop_failure(ShopFailure::in_progress, "", kProgressRetry));
  const auto hash = base::typed_code_hash(code);
  store_->redeem({account, hash, now(), {std::move(idempotency_key), fingerprint_of({"voucher", hash})}},
                 on_outcome<BalanceChange>(std::move(progress), [this, done = std::move(done)](auto outcome) {
                   if (outcome && !outcome->is_repeated) vouchers_.add();
                   done(std::move(outcome));
                 }));
}

void ShopService::purchases(AccountId account, std::string from, std::size_t limit, ShopAnswered<PurchasePage> done) {
  store_->purchases(account, std::move(from), limit,
                    on_value<PurchasePage>([done = std::move(done)](ShopAnswer<PurchasePage> page) {
                      // The cursor is the only value that the store can find invalid.
                      if (!page && page.error().what == ShopFailure::invalid)
                        page.error().what = ShopFailure::wrong_cursor;
                      done(std::move(page));
                    }));
}

void ShopService::purchase_by_id(PurchaseId id, ShopAnswered<Purchase> done) {
  store_->find_purchase(id, [done = counted<Purchase>(std::move(done))](base::Result<std::optional<Purchase>> found) {
    if (!found) return done(shop_failure(found.error()));
    if (!*found) return done(shop_failure(ShopFailure::not_found));
    done(std::move(**found));
  });
}

void ShopService::entitlements(AccountId account, ShopAnswered<std::vector<Entitlement>> done) {
  store_->entitlements(account, now(), on_value<std::vector<Entitlement>>(std::move(done)));
}

void ShopService::balances(AccountId account, ShopAnswered<std::vector<Money>> done) {
  store_->balances(account, on_value<std::vector<Money>>(std::move(done)));
}

/// Reports the value of an outcome alone.
template <class T>
static ShopAnswered<Outcome<T>> without_repetition(ShopAnswered<T> done) {
  return [done = std::move(done)](ShopAnswer<Outcome<T>> outcome) {
    if (!outcome) return done(tl::unexpected(std::move(outcome.error())));
    done(std::get<T>(std::move(outcome->result)));
  };
}

void ShopService::settle(PurchaseId id, bool is_paid, std::string reason, ShopAnswered<Purchase> done) {
  store_->settle({id, is_paid, std::move(reason), now()},
                 on_outcome<Purchase>(nullptr, [this, done = std::move(done)](auto outcome) {
                   if (outcome) note(*outcome);
                   without_repetition<Purchase>(done)(std::move(outcome));
                 }));
}

void ShopService::refund(PurchaseId id, std::string reason, bool restocks, std::string idempotency_key,
                         ShopAnswered<Purchase> done) {
  auto progress = begin(kOperators, idempotency_key);
  if (!progress) return done(shop_failure(ShopFailure::in_progress, "", kProgressRetry));
  const auto fingerprint = fingerprint_of({"refund", accounts::to_text(id), reason, restocks ? "1" : "0"});
  store_->refund({id, std::move(reason), restocks, now(), {std::move(idempotency_key), fingerprint}},
                 on_outcome<Purchase>(std::move(progress), [this, done = std::move(done)](auto outcome) {
                   if (outcome) note(*outcome);
                   without_repetition<Purchase>(done)(std::move(outcome));
                 }));
}

void ShopService::adjust_balance(AccountId account, Money money, std::string reason, std::string idempotency_key,
                                 ShopAnswered<BalanceChange> done) {
  auto progress = begin(kOperators, idempotency_key);
  if (!progress) return done(shop_failure(ShopFailure::in_progress, "", kProgressRetry));
  const auto fingerprint = fingerprint_of({"adjustment", accounts::to_text(account), money_text(money), reason});
  store_->adjust_balance(
      {account, std::move(money), std::move(reason), now(), {std::move(idempotency_key), fingerprint}},
      on_outcome<BalanceChange>(std::move(progress), without_repetition<BalanceChange>(std::move(done))));
}

void ShopService::create_vouchers(Money money, std::size_t count, base::WallTime expires, std::string note,
                                  ShopAnswered<IssuedVouchers> done) {
  IssuedVouchers issued;
  issued.batch = {new_shop_id(), std::move(money), now(), expires, std::move(note), static_cast<std::int64_t>(count)};
  std::vector<std::string> hashes;
  for (std::size_t i = 0; i < count; ++i) {
    issued.codes.push_back(base::new_typed_code(kVoucherCharacters));
    hashes.push_back(base::typed_code_hash(issued.codes.back()));
  }
  auto batch = issued.batch;
  store_->create_vouchers(
      std::move(batch), std::move(hashes),
      [issued = std::move(issued), done = counted<IssuedVouchers>(std::move(done))](base::Status status) mutable {
        if (!status) return done(shop_failure(status.error()));
        done(std::move(issued));
      });
}

void ShopService::voucher_batches(ShopAnswered<std::vector<VoucherBatch>> done) {
  store_->voucher_batches(on_value<std::vector<VoucherBatch>>(std::move(done)));
}

void ShopService::void_vouchers(std::uint64_t batch, ShopAnswered<std::uint64_t> done) {
  store_->void_vouchers(batch, [batch, done = counted<std::uint64_t>(std::move(done))](base::Status status) {
    if (!status) return done(shop_failure(status.error()));
    done(batch);
  });
}

void ShopService::journal(std::uint64_t from, std::size_t limit, ShopAnswered<std::vector<JournalTransaction>> done) {
  store_->journal(from, limit, on_value<std::vector<JournalTransaction>>(std::move(done)));
}

}  // namespace tribune::shop
