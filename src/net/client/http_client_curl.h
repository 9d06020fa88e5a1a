#pragma once
// The client's side that all its transfers share: libcurl, the address book, the places for connections, the counters.
// Internal to net/.

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
  /// Tells the outcome; the transfer is gone when this returns.
  void finish(Transfer&, base::Result<void>);
  /// The caller lost interest; now, or once libcurl has returned.
  void cancel(Transfer&);
  /// Takes the transfer's handle out of libcurl and frees its place.
  void detach(Transfer&);

  /// While one stands, handlers run and cancelled transfers stay in memory.
  class Calling {
   public:
    explicit Calling(CurlClient& client) : client_(client) { ++client_.calling_; }
    ~Calling() {
      if (--client_.calling_ == 0 && !client_.multi_.is_inside()) client_.sweep();
    }
    Calling(const Calling&) = delete;
    Calling& operator=(const Calling&) = delete;

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
  void pump();
  void launch(Transfer&);

  std::unordered_map<Transfer*, std::unique_ptr<Transfer>> transfers_;
  struct Origin {
    std::int64_t active = 0;        // transfers that have a place
    std::deque<Transfer*> waiting;  // first come, first served
  };
  std::map<std::string, Origin> origins_;
  std::string served_last_;  // so that origins take turns when all places are taken
  std::int64_t active_total_ = 0;
  std::vector<Transfer*> dead_;
  int calling_ = 0;
  CurlMulti multi_;
};

}  // namespace tribune::net
