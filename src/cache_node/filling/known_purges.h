#pragma once
// The purges of the last hour. A node that asks another for an object tells it those that cover the object; a node that
// has not carried one of them out declines, and carries it out. So what a purge took does not come back from a node of
// the group, or of the tier above, that the order has not reached.
//
// States of a purge
//   told      not carried out: the store failed, or the run ended before                          (fail, load)
//   running   fills that begin from here on tell it                                              (begin)
//   done      nothing that was fetched before it is held                                         (end)
//   unknown   older than an hour, or one of too many (counted)                                   (begin)

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
  /// How many objects it took, when it is done.
  std::uint64_t taken(const contracts::NamedPurge&) const;

  /// Told by another node so late that those who know it forget it in a moment. Nobody takes it up anew: they would
  /// hear of it again from here.
  static bool expires_soon(const contracts::NamedPurge& purge) { return purge.age >= kRemembered - kFading; }

  /// As old as it says.
  void begin(const contracts::NamedPurge&);
  void end(const contracts::NamedPurge&, std::uint64_t taken);
  /// It may be begun again.
  void fail(const contracts::NamedPurge&);

  /// Those that cover the object of this key; of those by tag all, for nobody knows the tags of what is not here.
  struct Covering {
    std::string marks;           // for the field: those that find room; empty where there is none
    bool exceeds_limit = false;  // not all find room: other nodes should not be asked
  };
  Covering covering(std::string_view key_text);

  /// From the file and into it; blocks. A damaged file is told in the log and passed over.
  void load(std::string path);
  void save() const;

  static constexpr std::size_t kMost = 10'000;
  static constexpr std::size_t kMostKept = 1'000;  // in the file: the newest
  static constexpr auto kRemembered = std::chrono::hours(1);
  static constexpr auto kFading = std::chrono::minutes(1);  // far longer than a question is on its way

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
  mutable std::mutex mutex_;  // guards what follows
  std::optional<base::SteadyTime> unreported_logged_;
  Entries entries_;
  std::unordered_map<std::string, At> by_name_;  // issuer, kind and value
  ByValue urls_, prefixes_, channels_, tags_;
  std::map<std::size_t, std::size_t> prefix_lengths_;  // and how many have it
};

}  // namespace tribune::cache_node
