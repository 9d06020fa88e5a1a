#pragma once
// The purges of the last hour. A node that requests an object from another node lists those that cover the object; a
// node that has not executed one of them refuses the request, and executes it. So a purged object does not return
// from a node of the group, or of the tier above, that the order has not reached.
//
// States of a purge
//   pending   not executed: the store failed, or the run ended before            (fail, load)
//   running   fills that begin from here on list it                              (begin)
//   done      no object that was fetched before it is stored                     (end)
//   unknown   older than an hour, or beyond the maximum number (counted)         (begin)

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "contracts/purge_mark.h"

namespace tribune::cache_node {

/// Any thread; locks inside, for a few look-ups.
class KnownPurges {
 public:
  KnownPurges(const base::Clock&, base::Log&, base::Metrics&);

  enum class Status { unknown, pending, running, done };
  Status status(const contracts::NamedPurge&) const;
  /// The number of objects that the purge removed; 0 until it is done.
  std::uint64_t taken(const contracts::NamedPurge&) const;

  /// Whether a purge from another node is about to expire at the nodes that know it. Such a purge is not accepted,
  /// because those nodes would later receive it from here again.
  static bool expires_soon(const contracts::NamedPurge& purge) { return purge.age >= kRemembered - kExpiryMargin; }

  /// Records that the purge has begun, as long ago as its age says.
  void begin(const contracts::NamedPurge&);
  void end(const contracts::NamedPurge&, std::uint64_t taken);
  /// Records that the purge failed; it may begin again.
  void fail(const contracts::NamedPurge&);

  /// The purges that cover the object of this key. All purges by tag are included, because the tags of an object that
  /// is not stored are unknown.
  struct Covering {
    std::string marks;           // the field's value: the purges that fit; empty when there is none
    bool exceeds_limit = false;  // not all fit: other nodes should not be asked
  };
  Covering covering(std::string_view key_text);

  /// Reads and writes the file; blocks. A damaged file is logged and ignored.
  void load(std::string path);
  void save() const;

  static constexpr std::size_t kMost = 10'000;
  static constexpr std::size_t kMostKept = 1'000;  // in the file: the newest
  static constexpr auto kRemembered = std::chrono::hours(1);
  static constexpr auto kExpiryMargin = std::chrono::minutes(1);  // far longer than a request takes

 private:
  struct Entry {
    contracts::NamedPurge purge;
    Status status = Status::running;
    std::uint64_t taken = 0;
    base::SteadyTime begun{};
  };
  using Entries = std::list<Entry>;  // by `begun`, the oldest first
  using At = Entries::iterator;
  using ByValue = std::unordered_multimap<std::string, At>;

  const Entry* find(const contracts::NamedPurge&) const;
  Entry* find_exactly(const contracts::NamedPurge&);
  base::SteadyTime begun_of(const contracts::NamedPurge&) const;
  std::chrono::seconds age_of(const Entry&) const;
  void load(const base::json::Value&);
  void add(Entry);
  void forget_old();
  void log_limit();
  void forget(At);
  ByValue& table(contracts::PurgeOrder::By);
  Covering collect(const std::string& text) const;
  bool add_marks(Covering&, const ByValue&, const std::string& value, std::size_t& count) const;
  bool add_mark(Covering&, const Entry&, std::size_t& count) const;

  const base::Clock& clock_;
  base::Log& log_;
  base::Counter forgotten_, unreported_;
  std::string path_;  // set before the first call from another thread
  std::atomic<std::size_t> count_{0};
  mutable std::mutex mutex_;  // guards the members below
  std::optional<base::SteadyTime> unreported_logged_;
  Entries entries_;
  std::unordered_map<std::string, At> by_name_;  // issuer, kind and value
  ByValue urls_, prefixes_, channels_, tags_;
  std::map<std::size_t, std::size_t> prefix_lengths_;  // and their number of purges
};

}  // namespace tribune::cache_node
