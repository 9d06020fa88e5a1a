#include "cache_node/disk/index_loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <iterator>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "cache_node/disk/index_records.h"

namespace tribune::cache_node {

namespace {

constexpr std::size_t kLoadBatchBytes = 512 * 1024;
constexpr std::size_t kMostBatches = 16;  // in the queue: a thread that finds this many decodes one itself
constexpr unsigned kMostThreads = 3;

struct LoadedRecord {
  std::uint32_t stored = 0;  // a copy, so that sorting a million objects does not read each of them
  ObjectPtr object;
};

bool is_older(const LoadedRecord& a, const LoadedRecord& b) { return a.stored < b.stored; }

/// Copies of records: those in the store's map are valid only during the iteration step.
class Batch {
 public:
  void add(std::string_view key, std::string_view value) {
    sizes_.emplace_back(static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size()));
    bytes_.append(key).append(value);
  }
  bool is_full() const { return bytes_.size() >= kLoadBatchBytes; }

  template <class Visit>
  void each(Visit visit) const {
    std::string_view left = bytes_;
    for (const auto& [key, value] : sizes_) {
      visit(left.substr(0, key), left.substr(key, value));
      left.remove_prefix(std::size_t{key} + value);
    }
  }

 private:
  std::string bytes_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> sizes_;
};

/// The result of one thread's share.
struct Share {
  std::vector<LoadedRecord> objects;
  std::vector<std::string> damaged;

  void take(const Batch& batch) {
    batch.each([this](std::string_view key, std::string_view value) {
      if (auto record = read_record(key, value)) {
        const std::uint32_t stored = record->object->stored;
        objects.push_back({stored, std::move(record->object)});
      } else {
        damaged.emplace_back(key);
      }
    });
  }
  void put_in_order() { std::sort(objects.begin(), objects.end(), is_older); }
};

/// Any thread; locks inside.
class Batches {
 public:
  /// False when the queue is full; the caller keeps the batch.
  bool put(Batch& batch) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= kMostBatches) return false;
      waiting_.push_back(std::exchange(batch, {}));
    }
    changed_.notify_one();
    return true;
  }
  /// Waits for a batch; nothing when the queue has been closed.
  std::optional<Batch> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return std::nullopt;
    auto batch = std::move(waiting_.front());
    waiting_.pop_front();
    return batch;
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  std::deque<Batch> waiting_;
  bool closed_ = false;
};

Share work_through(Batches& batches) {
  Share share;
  while (const auto batch = batches.take()) share.take(*batch);
  share.put_in_order();
  return share;
}

/// The additional threads. The destructor waits for their end.
class Others {
 public:
  ~Others() { batches.close(); }  // before the futures wait for their threads

  void start() {
    const auto cores = std::max(1u, std::thread::hardware_concurrency());
    try {
      while (shares.size() < std::min(cores - 1, kMostThreads))
        shares.push_back(std::async(std::launch::async, [this] { return work_through(batches); }));
    } catch (const std::system_error&) {
      // No additional thread can be started: the existing ones do the work.
    }
  }

  Batches batches;
  std::vector<std::future<Share>> shares;
};

void append(Share& to, Share from) {
  const auto middle = static_cast<std::ptrdiff_t>(to.objects.size());
  std::move(from.objects.begin(), from.objects.end(), std::back_inserter(to.objects));
  std::inplace_merge(to.objects.begin(), to.objects.begin() + middle, to.objects.end(), is_older);
  std::move(from.damaged.begin(), from.damaged.end(), std::back_inserter(to.damaged));
}

}  // namespace

LoadedIndex load_records(const store::Store& store) {
  LoadedIndex loaded;
  Others others;
  Share own;
  Batch batch;
  bool is_large = false;
  loaded.status = store.scan(kObjectTable, [&](std::string_view key, std::string_view value) {
    batch.add(key, value);
    if (!batch.is_full()) return true;
    if (!std::exchange(is_large, true)) others.start();
    if (!others.shares.empty() && others.batches.put(batch)) return true;
    own.take(batch);
    batch = {};
    return true;
  });
  own.take(batch);
  others.batches.close();
  while (const auto left = others.batches.take()) own.take(*left);
  own.put_in_order();
  for (auto& share : others.shares) append(own, share.get());
  loaded.damaged = std::move(own.damaged);
  loaded.objects.reserve(own.objects.size());
  for (auto& record : own.objects) loaded.objects.push_back(std::move(record.object));
  return loaded;
}

}  // namespace tribune::cache_node
