#pragma once
// Computes the hashes of passwords on threads of its own, because one takes tens of milliseconds. It knows neither
// accounts nor limits of attempts: login_guard.h decides before whether a password may be checked.

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/password_hash.h"
#include "base/result.h"

namespace tribune::accounts {

/// The class of an entry. Entries of known devices are computed before all others, so that a flood of logins from
/// unknown devices does not delay the owners of accounts.
enum class HashingPriority { known_device, other };

/// Any thread; locks inside. The memory is bounded by threads × the memory of one hash, and by the two queues, whose
/// entries have less than 2 KiB. A stored hash of a higher former cost takes its own memory until it is renewed.
///
/// An entry is waiting, then running, then answered. It leaves the queue unanswered by a computation when it has waited
/// for `max_wait`, or when the destructor has begun: then its answer is an error. Each entry is answered exactly once,
/// on a thread of the pool; `done` must not block, and may call any method.
class PasswordHasher {
 public:
  struct Settings {
    unsigned threads = 1;                                          // 1 to 64; apply() does not change it
    std::size_t max_waiting_known = 128;                           // entries of known devices
    std::size_t max_waiting_other = 128;                           // other entries
    std::chrono::milliseconds max_wait{std::chrono::seconds{10}};  // the client has gone away by then
    base::PasswordHashCost cost;
  };
  struct Checked {
    bool is_right = false;
    std::string renewed_hash;  // of a right password whose stored hash has another cost than the settings; or empty
  };
  using OnHashed = std::function<void(base::Result<std::string>)>;
  using OnChecked = std::function<void(base::Result<Checked>)>;

  PasswordHasher(const Settings&, const base::Clock&, base::Metrics&);
  /// Waits for the entries that are running. Those that wait are answered with the error `unavailable`.
  ~PasswordHasher();

  /// Answers the entries that wait with the error `unavailable`, and refuses further ones.
  void stop();
  /// Waits until the threads have ended, after stop(). The object may still be used: it refuses.
  void join();

  /// Takes effect from the next entry on. A smaller bound removes no entry that waits.
  void apply(const Settings&);

  /// Hashes a new password. An error is returned at once, and `done` is dropped without a call: `unavailable` when the
  /// queue of the class is full or the destructor has begun, `too_large` for more than kMaxPasswordBytes. `done` gets
  /// the hash, or `unavailable` when it waited for too long or memory is short.
  [[nodiscard]] base::Status hash(HashingPriority, std::string password, OnHashed done);

  /// Checks a password against a stored hash; errors as for hash(). An empty hash stands for a login that does not
  /// exist: the password is checked against a hash of the present cost that no password has, so that the time of the
  /// answer does not tell. The time may tell which accounts have a hash of a former cost.
  [[nodiscard]] base::Status check(HashingPriority, std::string password, std::string hash_or_empty, OnChecked done);

  /// The estimated time until an entry that is added now is answered, from the average duration of former entries; at
  /// least 1 s. For the Retry-After of a refused request.
  std::chrono::seconds expected_wait(HashingPriority) const;

 private:
  struct Work;
  enum class Outcome { compute, late, stopping };
  struct Taken {
    std::unique_ptr<Work> work;
    Outcome outcome = Outcome::compute;
    base::PasswordHashCost cost;
  };
  using Queue = std::deque<std::unique_ptr<Work>>;

  base::Status add(HashingPriority, std::unique_ptr<Work>);
  void run();
  void answer(Taken&);
  Taken take();
  void refuse(Taken&);
  void compute(Taken&);
  void finish(base::SteadyTime began);
  base::Result<std::string> hashed(const Taken&);
  base::Result<Checked> checked(const Taken&);
  std::size_t waiting() const { return queues_[0].size() + queues_[1].size(); }

  const base::Clock& clock_;
  const std::size_t thread_count_;
  base::Counter made_, renewed_, right_, wrong_, failed_;
  base::Counter full_, late_, stopped_;
  base::Gauge waiting_gauge_;
  base::Histogram wait_seconds_, hash_seconds_;

  mutable std::mutex mutex_;  // guards what follows
  Settings settings_;
  std::string hash_of_no_login_;  // of the present cost
  std::array<Queue, 2> queues_;   // by HashingPriority
  std::size_t running_ = 0;       // entries
  double average_seconds_ = 0;    // a moving average of the duration of an entry; 0 before the first one
  bool is_stopping_ = false;
  std::condition_variable wake_;
  std::vector<std::thread> threads_;  // the last member, because they use the others
};

}  // namespace tribune::accounts
