#pragma once
// State that all transfers of a client share: libcurl, the DNS cache, the connection slots and the counters. Internal
// to net/.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/client/curl_multi.h"
#include "net/client/dns_cache.h"
#include "net/client/http_client.h"
#include "net/client/http_client_transfer.h"
#include "net/client/open_sockets.h"

namespace tribune::net {

struct ClientMetrics {
  explicit ClientMetrics(base::Metrics&);
  void count(const base::Result<void>&);
  base::Counter connections;
  base::Histogram first_byte;

 private:
  std::vector<std::pair<std::string, base::Counter>> results_;
};

/// Owned by one worker.
class CurlClient final : public HttpClient {
 public:
  CurlClient(EventLoop&, const base::Clock&, base::Log&, base::Metrics&, const ClientSettings&);
  ~CurlClient() override;
  std::unique_ptr<Fetch> start(FetchRequest, FetchHandlers) override;

  // For the transfers.
  void enqueue(Transfer&);
  /// Calls on_done with the result. The transfer is destroyed on return.
  void finish(Transfer&, base::Result<void>);
  /// The caller destroyed its Fetch. The transfer is destroyed now, or when libcurl has returned.
  void cancel(Transfer&);
  /// Removes the transfer's handle from libcurl and releases its connection slot.
  void detach(Transfer&);

  /// While one exists, callbacks run and cancelled transfers are not destroyed.
  class CallbackScope {
   public:
    explicit CallbackScope(CurlClient& client) : client_(client) { ++client_.callback_depth_; }
    ~CallbackScope() {
      if (--client_.callback_depth_ == 0 && !client_.multi_.is_inside()) client_.sweep();
    }
    CallbackScope(const CallbackScope&) = delete;
    CallbackScope& operator=(const CallbackScope&) = delete;

   private:
    CurlClient& client_;
  };

  EventLoop& loop;
  const base::Clock& clock;
  base::Log& log;
  const ClientSettings settings;
  ClientMetrics metrics;
  DnsCache addresses;
  OpenSockets sockets;

 private:
  friend class Transfer;
  void on_complete(CURL*, CURLcode);
  void sweep();
  void start_queued();
  void launch(Transfer&);

  std::unordered_map<Transfer*, std::unique_ptr<Transfer>> transfers_;
  struct Origin {
    std::int64_t active = 0;        // transfers that hold a slot
    std::deque<Transfer*> waiting;  // in the order of arrival
  };
  std::map<std::string, Origin> origins_;
  std::string last_served_origin_;  // round robin over the origins when all slots are in use
  std::int64_t active_total_ = 0;
  std::vector<Transfer*> cancelled_;  // destroyed by sweep()
  int callback_depth_ = 0;
  CurlMulti multi_;
};

}  // namespace tribune::net
