#pragma once
// What apps and operators do in the shop, as functions without HTTP. Every function reports its answer once through a
// callback, on a thread of the store; a callback must not block.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/open_calls.h"
#include "base/published.h"
#include "base/settled_wall_clock.h"
#include "shop/shop_settings.h"
#include "shop/shop_store.h"

namespace tribune::shop {

enum class ShopFailure {
  refused,         // `order` says why
  method_unknown,  // the payment method is not offered
  in_progress,     // a request with this idempotency key has not been answered yet
  conflict,        // the catalogue was changed at the same time; `text` names its version
  too_large,       // the catalogue would have too many entries
  invalid,         // a value that is out of bounds; `text` says which
  wrong_cursor,    // no page begins there
  not_found,
  unavailable,  // the store cannot write or is overloaded, with retry_after
};

struct ShopError {
  ShopFailure what = ShopFailure::unavailable;
  RefusedOrder order{};
  std::string text{};
  std::chrono::seconds retry_after{0};
};

template <class T>
using ShopAnswer = tl::expected<T, ShopError>;
template <class T>
using ShopAnswered = std::function<void(ShopAnswer<T>)>;

struct PurchaseRequest {
  AccountId account = 0;
  std::string product;
  std::string option;
  std::int64_t quantity = 1;
  Money price;  // of one piece, as the client saw it
  std::string method;
  std::string idempotency_key;
};

struct IssuedVouchers {
  VoucherBatch batch;
  std::vector<std::string> codes;  // 16 characters of a-z and 2-7 in groups of four
};

inline constexpr std::size_t kMaxVouchersOfBatch = 10'000;
inline constexpr std::size_t kMaxIdempotencyKeyBytes = 64;

/// Any thread; locks inside. The destructor waits for the callbacks of the requests that have begun.
class ShopService {
 public:
  ShopService(const ShopSettings&, std::unique_ptr<ShopStore>, const base::Clock&, base::Log&, base::Metrics&);
  ~ShopService() { calls_.wait(); }

  using OnCatalogue = std::function<void(std::shared_ptr<const CatalogueView>)>;

  /// Reads the catalogue. Blocks; to be called once, before the first request. `on_catalogue` is called with this
  /// catalogue and, on a thread of the store, with each later one: after a change of an operator before that is
  /// answered, and at most a second after a sale. Its calls come one after another; it must not call the service.
  base::Status start(OnCatalogue on_catalogue);
  void apply(const ShopSettings& settings) { settings_.publish(std::make_shared<const ShopSettings>(settings)); }
  /// Fails overdue purchases and forgets old idempotency keys, by a wall clock whose steps count once they have lasted,
  /// and reads the sales again when they have changed. To be called every second, on one thread at a time.
  void tick();
  std::shared_ptr<const ShopSettings> settings() const { return settings_.get(); }

  /// Reports the new version.
  void change_catalogue(CatalogueChange, ShopAnswered<std::uint64_t>);

  void purchase(PurchaseRequest, ShopAnswered<Outcome<Purchase>>);
  void redeem(AccountId, const std::string& code, std::string idempotency_key, ShopAnswered<Outcome<BalanceChange>>);
  void purchases(AccountId, std::string from, std::size_t limit, ShopAnswered<PurchasePage>);
  void purchase_by_id(PurchaseId, ShopAnswered<Purchase>);
  /// Those that are in effect, or will be.
  void entitlements(AccountId, ShopAnswered<std::vector<Entitlement>>);
  void balances(AccountId, ShopAnswered<std::vector<Money>>);

  // For operators.
  void settle(PurchaseId, bool is_paid, std::string reason, ShopAnswered<Purchase>);
  void refund(PurchaseId, std::string reason, bool restocks, std::string idempotency_key, ShopAnswered<Purchase>);
  void adjust_balance(AccountId, Money, std::string reason, std::string idempotency_key, ShopAnswered<BalanceChange>);
  /// `count` is 1 to kMaxVouchersOfBatch. The codes are not stored, and this is the only time that they are told.
  void create_vouchers(Money, std::size_t count, base::WallTime expires, std::string note,
                       ShopAnswered<IssuedVouchers>);
  void voucher_batches(ShopAnswered<std::vector<VoucherBatch>>);
  void void_vouchers(std::uint64_t batch, ShopAnswered<std::uint64_t>);
  void journal(std::uint64_t from, std::size_t limit, ShopAnswered<std::vector<JournalTransaction>>);

 private:
  /// An account and a hash of its key.
  using KeyInProgress = std::pair<AccountId, std::string>;
  struct KeysInProgress {
    std::mutex mutex;
    std::set<KeyInProgress> keys;  // of requests that are not answered
  };
  class Progress;

  std::shared_ptr<Progress> begin(AccountId owner, const std::string& key);
  template <class T>
  Done<Outcome<T>> on_outcome(std::shared_ptr<Progress>, ShopAnswered<Outcome<T>>);
  template <class T>
  Done<T> on_value(ShopAnswered<T>);
  template <class T>
  ShopAnswered<T> counted(ShopAnswered<T> done) {
    return calls_.counted<ShopAnswer<T>>(std::move(done));
  }
  void note(const Outcome<Purchase>&);
  void read_sales();
  void read_catalogue();
  void end_reading(bool was_read);
  void fail_overdue();
  void forget_keys();
  void publish(CatalogueView&&);
  std::shared_ptr<const CatalogueView> published_catalogue() const;
  base::WallTime now() const { return clock_.wall_now(); }
  base::WallTime settled_now() const;

  const base::Clock& clock_;
  base::Log& log_;
  base::Published<ShopSettings> settings_;
  base::Counter paid_, pending_, failed_, refunded_, refused_, vouchers_;
  base::SettledWallClock settled_clock_;
  std::atomic<bool> sales_are_stale_{false};
  std::atomic<bool> is_reading_{false};  // what tick() wants to read
  base::SteadyTime last_forgetting_{};
  std::atomic<bool> has_more_to_forget_{false};
  mutable std::mutex catalogue_mutex_;
  OnCatalogue on_catalogue_;
  std::shared_ptr<const CatalogueView> catalogue_;  // what on_catalogue_ was called with last
  const std::shared_ptr<KeysInProgress> keys_ = std::make_shared<KeysInProgress>();
  base::OpenCalls calls_;
  std::unique_ptr<ShopStore> store_;
};

}  // namespace tribune::shop
