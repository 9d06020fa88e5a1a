#pragma once
// The transfers that further requests for the same URI may join. One for all workers.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "http_cache/origin_transfer.h"
#include "http_cache/request_variants.h"

namespace tribune::http_cache {

/// Any thread; locks inside.
class RunningTransfers {
 public:
  struct Wanted {
    const std::string& key;
    const http::Headers& fields;  // of the request, as the origin receives them
    RequestVariants& variants;    // of the same request
    StoredResponsePtr example;    // a response of this URI, from which Vary is known before a head arrives; or null
    std::function<bool(const StoredResponse&)> accepts;  // whether a response whose head has arrived will do
    std::function<bool()> is_stored;                     // whether a usable response has been stored meanwhile
  };
  struct Place {
    std::shared_ptr<OriginTransfer>
        transfer;        // null: is_stored returned true, or too many transfers of this URI are running
    bool leads = false;  // the caller starts the transfer
    bool is_stored = false;
  };
  /// Joins a running transfer, or registers a new one. Both functions of `wanted` are called with a lock held.
  Place join_or_lead(const Wanted& wanted);
  /// No further request joins. Called after the response was stored, so that a request finds one or the other.
  void remove(const std::string& key, const std::shared_ptr<OriginTransfer>&);
  /// No further request joins any transfer of this URI.
  void close(const std::string& key);

 private:
  static bool may_join(const OriginTransfer&, const Wanted&);

  std::mutex mutex_;
  std::unordered_map<std::string, std::vector<std::shared_ptr<OriginTransfer>>> running_;
};

}  // namespace tribune::http_cache
