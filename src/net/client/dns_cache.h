#pragma once
// The addresses of host names, so that no fetch waits for DNS twice and none fails because DNS does. A name is looked
// up on a thread of its own, once at a time, whoever asks. What was good last stays in use when DNS fails or hangs.
//
// Lifetime of a name
//   unknown   nobody got an answer yet: who asks waits, as long as the asker likes
//   fresh     answered within `fresh_for`: used at once
//   stale     used at once, and looked up again beside; a failed look-up changes nothing

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

  static constexpr std::size_t kMaxNames = 256;  // beyond, the one that was not used for longest is forgotten
  static constexpr int kMaxLookUps = 16;         // threads at once, for one worker

  DnsCache(EventLoop&, const base::Clock&, LookUp, std::chrono::milliseconds fresh_for);
  ~DnsCache();

  /// What is known of the host, fresh or stale; nothing when it is unknown.
  std::optional<Addresses> find(const std::string& host);

  /// A wait that ends when the token is destroyed. `on_found` runs on the loop, never inside this call.
  class Wait {
   public:
    Wait() = default;
    explicit Wait(std::shared_ptr<OnFound> call) : call_(std::move(call)) {}

   private:
    std::shared_ptr<OnFound> call_;
  };
  [[nodiscard]] Wait look_up(const std::string& host, OnFound on_found);

  /// The known addresses did not answer: asks again beside, whatever their age.
  void doubt(const std::string& host);

 private:
  struct Inner;
  std::shared_ptr<Inner> inner_;
};

}  // namespace tribune::net
