#pragma once
// Caches the addresses of host names, so that only the first fetch from a host waits for DNS, and later fetches do not
// fail when DNS fails. Each look-up runs on its own thread; concurrent requests for one name share a look-up. When DNS
// fails or does not respond, the last good addresses stay in use.
//
// States of a name
//   unknown   no look-up has succeeded: callers wait for the result             (look_up)
//   fresh     looked up within `fresh_for`: used at once                        (the look-up's thread)
//   stale     used at once, and looked up again in the background; a failed look-up keeps the addresses (time)

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"

namespace tribune::net {

/// The system's resolver (getaddrinfo). Blocks. Errors: unavailable, may be retried.
base::Result<std::vector<std::string>> look_up_addresses(const std::string& host);

/// Owned by one worker.
class DnsCache {
 public:
  using Addresses = std::vector<std::string>;
  using OnFound = std::function<void(base::Result<Addresses>)>;

  static constexpr std::size_t kMaxNames = 256;  // beyond it, the least recently used name is removed
  static constexpr int kMaxLookUps = 16;         // threads at once, for one worker

  DnsCache(EventLoop&, const base::Clock&, LookUp, std::chrono::milliseconds fresh_for);
  ~DnsCache();

  /// The addresses of the host, fresh or stale; nullopt when it is unknown.
  std::optional<Addresses> find(const std::string& host);

  /// Destroying it cancels the wait. `on_found` runs on the loop, never inside look_up().
  class Wait {
   public:
    Wait() = default;
    explicit Wait(std::shared_ptr<OnFound> call) : call_(std::move(call)) {}

   private:
    std::shared_ptr<OnFound> call_;
  };
  [[nodiscard]] Wait look_up(const std::string& host, OnFound on_found);

  /// Looks the host up again in the background, regardless of the age of its addresses. For callers that failed to
  /// connect to them.
  void refresh(const std::string& host);

 private:
  struct Inner;
  std::shared_ptr<Inner> inner_;
};

}  // namespace tribune::net
