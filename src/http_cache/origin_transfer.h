#pragma once
// The response of the origin to one request of this cache, as it arrives, for one or more clients on any worker.
//
// Phases, and what enters them
//   asking     no final head has arrived                                            (the request to the origin)
//   confirmed  a 304: everyone receives the stored response                         (confirm)
//   streaming  the head is known, and bytes of the body arrive                      (begin)
//   whole      the whole body has arrived                                           (finish)
//   failed     there is no usable response, or its body broke off                   (fail)
// A response that others must not receive belongs to its leader alone: the request that caused the transfer. A body
// that turns out to be too large for the store belongs to one reader from there on, and is received at its pace.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "http_cache/sliced_body.h"
#include "http_cache/stored_response.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"

namespace tribune::http_cache {

/// Immutable.
struct TransferHead {
  http::StoredHead own;                          // as the leader receives it
  std::shared_ptr<const StoredResponse> shared;  // as it is stored and others receive it; null: the leader's alone
  std::optional<std::uint64_t> length;           // of the body, if the origin states it
  bool is_verdict_on_one_request = false;        // others should ask again, one of them first
  bool is_leaders_alone = false;                 // stored, but of no use to those who wait
};

class TransferReader;

/// Any thread; locks inside.
class OriginTransfer : public std::enable_shared_from_this<OriginTransfer> {
 public:
  enum class Phase { asking, confirmed, streaming, whole, failed };
  enum class Access {
    open,      // the reader may receive the response
    refused,   // it belongs to another request
    outgrown,  // it belongs to another request from here on; this reader may have received its beginning
  };

  /// `request`: the fields that the leader sent, for requests that ask whether they select the same variant. `shared`:
  /// others may join, so a body that may be stored is received to its end without clients.
  OriginTransfer(http::Headers request, bool shared) : request_(std::move(request)), shared_(shared) {}

  const http::Headers& request() const { return request_; }
  /// Null before the head has arrived.
  std::shared_ptr<const TransferHead> head() const;

  /// Begins to read, at the first byte. `wake` runs on the loop soon after this call, and after each change.
  std::unique_ptr<TransferReader> read(net::EventLoop&, std::function<void()> wake, bool leads);

  // For the one that receives the response. `resume` and `abandon` run on its loop: when a paused body may go on, and
  // when nobody needs the response any more.
  void receive_on(net::EventLoop&, std::function<void()> resume, std::function<void()> abandon);
  /// Whether anyone reads, or the response is shared. Checked again when `abandon` runs: a reader may have joined.
  bool is_needed() const;
  /// After this call neither of the two functions runs. On the loop of receive_on().
  void stop_receiving();
  void interim(int status, const http::Headers& fields);
  /// Returns whether anyone reads or the response is shared.
  bool begin(TransferHead);
  /// Pause: only where one reader has the body to itself, and has not taken enough of it.
  net::Flow append(std::string_view bytes);
  /// From here on the body belongs to one reader. Returns whether there is one.
  bool outgrow();
  /// `own_fields`: for the leader only; with `leader_alone` the response, too.
  void confirm(StoredResponsePtr, http::Headers own_fields, bool leader_alone);
  /// The body so far; legal while it is shared.
  SlicedBody received();
  void finish();
  /// `status`: of a response that is treated as a failure.
  void fail(base::Error, std::optional<int> status);

 private:
  friend class TransferReader;
  struct Reader {
    Reader(net::EventLoop& at, std::function<void()> call) : loop(at), wake(std::move(call)) {}
    net::EventLoop& loop;
    std::function<void()> wake;  // used on the loop only
    std::atomic<bool> is_woken = false;
    std::uint64_t position = 0;  // in body_; under the lock
  };
  struct Receiver {
    net::EventLoop& loop;
    std::function<void()> resume, abandon;  // used on the loop only
  };
  static void wake(const std::shared_ptr<Reader>&);
  void wake_all();
  void leave(const std::shared_ptr<Reader>&);
  bool is_needed_locked() const;
  bool belongs_to_another(const std::shared_ptr<Reader>&) const;  // with the lock held

  const http::Headers request_;
  const bool shared_;
  mutable std::mutex mutex_;
  Phase phase_ = Phase::asking;
  std::shared_ptr<const TransferHead> head_;
  std::vector<std::shared_ptr<Reader>> readers_;
  std::shared_ptr<Reader> leader_;
  std::shared_ptr<Reader> owner_;  // the reader to which the response belongs alone
  bool has_owner_ = false;         // also when the owner has left
  bool has_outgrown_ = false;
  std::vector<std::pair<int, http::Headers>> interims_;  // not yet taken by the leader
  GrowingBody body_;                                     // while it is shared
  std::string owned_;                                    // later bytes, until the owner takes them
  bool is_paused_ = false;
  StoredResponsePtr confirmed_;
  http::Headers own_fields_;
  std::optional<base::Error> error_;
  std::optional<int> failed_status_;
  std::shared_ptr<Receiver> receiver_;
};

/// One client's position in a transfer. Owned by one worker. Destroying it ends the reading.
class TransferReader {
 public:
  TransferReader(std::shared_ptr<OriginTransfer>, std::shared_ptr<OriginTransfer::Reader>, bool leads);
  ~TransferReader();

  struct View {
    OriginTransfer::Phase phase = OriginTransfer::Phase::asking;
    OriginTransfer::Access access = OriginTransfer::Access::open;
    std::shared_ptr<const TransferHead> head;
    StoredResponsePtr confirmed;
    bool is_for_all = true;  // not for one reader alone
    http::Headers own_fields;
    std::optional<base::Error> error;
    std::optional<int> failed_status;
  };
  View view() const;
  bool leads() const { return leads_; }
  /// 1xx heads that arrived since the last call; only for the leader.
  std::vector<std::pair<int, http::Headers>> take_interims();
  /// The next bytes of the body, at most about `max_bytes`; empty: there are none yet, or no more.
  std::vector<http::Body> take(std::uint64_t max_bytes);

 private:
  const std::shared_ptr<OriginTransfer> transfer_;
  const std::shared_ptr<OriginTransfer::Reader> reader_;
  const bool leads_;
};

}  // namespace tribune::http_cache
