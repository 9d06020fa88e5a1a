#pragma once
// One fill: the bytes of an object while they arrive. The worker that fetches, the disk thread that writes and every
// reader share it. Readers are notified by one call per loop for all bytes that have arrived since the last call.
//
// Lifetime
//   asking     the origin was asked; no byte of the body has arrived                       (FillRunner)
//   arriving   head and first bytes are known; readers follow                              (FillRunner)
//   complete   the whole body has arrived; readers finish, the disk thread stores it       (FillRunner)
//   failed     readers are notified; their part of the body is incomplete         (FillRunner, its destructor)
// Where the bytes are kept, independent of the phase
//   disk       chunks leave RAM once they are in the file                                  (at the beginning)
//   memory     the disk failed: chunks stay in RAM, the object is not stored               (DiskWriter)
//   nothing    RAM is full as well: chunks leave after the last reader; no new readers     (FillRunner)

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "cache_node/objects/fill_memory.h"
#include "cache_node/objects/object.h"
#include "http/message.h"
#include "http/problem.h"
#include "net/event_loop.h"

namespace tribune::cache_node {

/// The reason why there is no object, for the response and the log.
struct FillFailure {
  const http::ProblemType* problem = nullptr;
  std::string detail;         // for clients: no host, no path of this machine, no system error
  std::string_view reason;    // one word, a literal
  bool stale_usable = false;  // the stale object that the fill would have replaced is in the index again
  int status = 0;             // the origin's status, sent to this node or to another one; 0: no response
  std::string cause = {};     // for the log, when it has more than `detail`
  const std::string& for_log() const { return cause.empty() ? detail : cause; }
  bool is_gone() const { return status == 404 || status == 410; }
};

class FillReader;

/// Any thread; locks inside.
class Fill : public std::enable_shared_from_this<Fill> {
 public:
  enum class Phase { asking, arriving, complete, failed };
  enum class Keeping { disk, memory, nothing };

  /// `previous`: the head of the stale object that it replaces.
  Fill(ObjectKey key, std::uint32_t generation, std::shared_ptr<FillMemory> memory,
       std::optional<ObjectHead> previous = {})
      : key_(std::move(key)), generation_(generation), memory_(std::move(memory)), previous_(std::move(previous)) {}

  const ObjectKey& key() const { return key_; }
  std::uint32_t generation() const { return generation_; }
  const std::optional<ObjectHead>& previous() const { return previous_; }

  struct View {
    Phase phase = Phase::asking;
    ObjectHead head;
    std::optional<std::uint64_t> length;  // the announced length; once complete, the actual length
    std::uint64_t received = 0;
    std::int64_t stored = 0;     // unix seconds; set when complete
    std::uint64_t checksum = 0;  // checksum of the whole body; set when complete
    FillFailure failure;         // when failed
    std::string_view not_kept;   // one word, a literal: why the origin forbids caches to store it
    base::SteadyTime first_byte{};
  };
  View view() const;
  std::uint64_t received() const;
  std::size_t readers() const;

  // Called by the worker that fetches.
  void begin(ObjectHead head, std::optional<std::uint64_t> length);
  void append(std::string_view bytes, base::SteadyTime now);
  /// `etag` is used when the origin sent none.
  void finish(std::string etag, std::int64_t stored, std::uint64_t checksum);
  void fail(FillFailure failure);
  /// For a complete fill that the origin has just revalidated, with the terms of its 304.
  void renew(std::int64_t now_unix, http::Terms);
  /// The origin forbids caches to store the object: current readers share it, and no further reader can join.
  void keep_nothing(std::string_view why);

  // Called by the disk thread and by the code that queues work for it.
  /// Whether there is work for the disk thread that is not queued yet; the caller must then queue this fill.
  bool claim_disk_work();
  struct Unwritten {
    std::vector<base::SharedBytes> chunks;  // empty: nothing to write; claim_disk_work() may return true again
    std::uint64_t offset = 0;
    Phase phase = Phase::asking;
    Keeping keeping = Keeping::disk;
  };
  Unwritten take_unwritten(std::uint64_t max_bytes);
  void opened(std::shared_ptr<const base::File> file);
  void written(std::uint64_t bytes);
  /// Changes the keeping from disk to memory to nothing, never back.
  void reduce_keeping(Keeping keeping);
  Keeping keeping() const;

  /// Records that the node cannot reach the origin: other nodes must not wait for this fill.
  void mark_origin_lost() { lost_origin_ = true; }
  bool lost_origin() const { return lost_origin_; }

  /// `on_progress` runs on `loop`, which must be the calling thread's: whenever bytes have arrived or the phase has
  /// changed. Null when the beginning of the body is gone (keeping nothing).
  std::unique_ptr<FillReader> join(net::EventLoop& loop, std::function<void()> on_progress);

 private:
  friend class FillReader;
  struct ReaderState {
    net::EventLoop* loop = nullptr;
    std::function<void()> on_progress;
    std::uint64_t position = 0;  // guarded by the fill's mutex
    bool left = false;           // touched on the loop's thread only
  };
  struct LoopReaders {  // the readers of one loop
    net::EventLoop* loop = nullptr;
    std::vector<std::shared_ptr<ReaderState>> readers;
    bool woken = false;  // a call is queued
  };
  struct Chunk {
    std::uint64_t offset = 0;
    base::SharedBytes bytes;
  };

  void wake(std::unique_lock<std::mutex>& lock);  // unlocks
  void wake_loop(net::EventLoop* loop);
  void trim();
  void leave(const std::shared_ptr<ReaderState>& state);

  const ObjectKey key_;
  const std::uint32_t generation_;
  const std::shared_ptr<FillMemory> memory_;
  const std::optional<ObjectHead> previous_;
  std::atomic<bool> lost_origin_{false};

  mutable std::mutex mutex_;  // guards the members below
  Phase phase_ = Phase::asking;
  Keeping keeping_ = Keeping::disk;
  ObjectHead head_;
  std::optional<std::uint64_t> length_;
  std::int64_t stored_ = 0;
  std::uint64_t checksum_ = 0;
  FillFailure failure_;
  std::string_view not_kept_;
  base::SteadyTime first_byte_{};
  std::deque<Chunk> chunks_;  // in order, without gaps, ending at received_
  std::uint64_t received_ = 0;
  std::uint64_t written_ = 0;
  std::shared_ptr<const base::File> file_;
  bool disk_works_ = false;  // queued at the disk thread, or being written
  bool disk_knows_end_ = false;
  std::vector<LoopReaders> loops_;
};

/// The position of one reader in a fill. Owned by one worker.
class FillReader {
 public:
  FillReader(std::shared_ptr<Fill> fill, std::shared_ptr<Fill::ReaderState> state)
      : fill_(std::move(fill)), state_(std::move(state)) {}
  ~FillReader() { fill_->leave(state_); }
  FillReader(const FillReader&) = delete;
  FillReader& operator=(const FillReader&) = delete;

  /// Bytes before this position are not needed.
  void skip_to(std::uint64_t position);

  struct Piece {
    http::Body body;  // monostate: no bytes now
    std::uint64_t length = 0;
    Fill::Phase phase = Fill::Phase::asking;
    bool lost = false;  // the bytes are in neither RAM nor the file: the response must be cut
  };
  /// The next contiguous bytes, at most `max`. The last announced byte is returned only when the fill is complete.
  Piece take(std::uint64_t max);

 private:
  std::shared_ptr<Fill> fill_;
  std::shared_ptr<Fill::ReaderState> state_;
};

}  // namespace tribune::cache_node
