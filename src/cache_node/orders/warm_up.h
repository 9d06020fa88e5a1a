#pragma once
// Fetches lists of objects before they are requested, a bounded number at a time, and reports the progress.
//
// A job's objects
//   left       not begun
//   running    its fill runs; of a file in slices, the fill of one slice after the other
//   stored     it is stored, or was already
//   failed     its fill ended without an object, or no origin is known for it

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "cache_node/objects/object_index.h"
#include "contracts/order.h"
#include "net/event_loop.h"

namespace tribune::cache_node {

/// Begins the fill of an object ("channel/epoch/path[?query]"), or of one of its slices, unless it is stored or being
/// filled. Returns its key; nullopt when no fill can begin.
using BeginFill =
    std::function<std::optional<ObjectKey>(const std::string& object, std::optional<std::uint64_t> slice)>;

/// Any thread; locks inside. It works on the loop, which ends before it is destroyed.
class WarmUp {
 public:
  WarmUp(net::EventLoop&, base::Log&, ObjectIndex&, BeginFill);

  using Progress = contracts::WarmProgress;
  /// Returns the job's progress so far; a known job is not begun again. When the maximum number of jobs is reached, the
  /// oldest finished job is removed. Errors: unavailable when too many jobs are under way.
  base::Result<Progress> begin(contracts::WarmOrder);
  std::optional<Progress> progress(std::string_view job) const;

 private:
  struct Running {
    std::string object;
    ObjectKey key;
    std::optional<ObjectKey> slice_key;  // the slice whose fill was begun last
    std::uint64_t next_slice = 0;
  };
  enum class FillState { runs, stored, failed };
  struct Job {
    std::string id;
    std::deque<std::string> left;
    std::vector<Running> running;
    std::uint64_t total = 0, stored = 0, failed = 0;
    bool is_logged = false;
    Progress progress() const;
  };
  void work();
  void count_finished(Job&);
  FillState fill_state(Running&);
  void begin_more(Job&);

  net::EventLoop& loop_;
  base::Log& log_;
  ObjectIndex& index_;
  const BeginFill begin_fill_;
  net::Timer timer_;  // runs on the loop
  mutable std::mutex mutex_;
  std::deque<Job> jobs_;  // guarded by mutex_; the oldest first
};

/// {"job", "total", "left", "running", "stored", "failed", "done"}
void write(base::json::Writer&, std::string_view job, const WarmUp::Progress&);

}  // namespace tribune::cache_node
