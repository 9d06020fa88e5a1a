#pragma once
// Orders of an operator to cache nodes: purge, warm up, report progress. A node receives them on its admin listener, or
// from the balancer: POST /internal/v1/nodes/{id}/orders, signed as heartbeats are. Values, their JSON and pure
// functions.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace tribune::contracts {

/// The objects to purge. Hard: they are removed. Soft: they become stale, so that the next request asks the origin
/// again, and they are served when that fails.
struct PurgeOrder {
  enum class By { url, prefix, channel, tag, all };
  By by = By::url;
  std::string value;  // "channel/epoch/path[?query]" or its beginning; a channel; a tag of Surrogate-Key or Cache-Tag;
                      // for all: "*"
  bool soft = false;
  bool operator==(const PurgeOrder&) const = default;
};
std::string_view to_string(PurgeOrder::By);

/// Objects to be fetched before viewers request them.
struct WarmOrder {
  std::string job;                   // an id, by which the progress is requested
  std::vector<std::string> objects;  // "channel/epoch/path[?query]"
  bool operator==(const WarmOrder&) const = default;
};

struct ProgressQuestion {
  std::string job;
  bool operator==(const ProgressQuestion&) const = default;
};

using Order = std::variant<PurgeOrder, WarmOrder, ProgressQuestion>;

/// The progress of a warm-up: objects not begun, running, stored, and failed.
struct WarmProgress {
  std::uint64_t total = 0, left = 0, running = 0, stored = 0, failed = 0;
  bool is_done() const { return left == 0 && running == 0; }
  bool operator==(const WarmProgress&) const = default;
};

/// The outcome of an order on one node.
struct OrderResult {
  std::string id;            // id of the order
  std::string problem;       // the reason why it was not carried out; empty when it was
  std::uint64_t purged = 0;  // objects that matched
  WarmProgress progress;     // for a warm-up
  bool operator==(const OrderResult&) const = default;
};

inline constexpr std::size_t kMaxOrderBytes = 1 << 20;
inline constexpr std::size_t kMaxWarmObjects = 10'000;

/// {"purge":{"url"|"prefix"|"channel"|"tag"|"all":"…","soft":true}}, {"warm":{"job":"…","urls":[…]}} or
/// {"progress":{"job":"…"}}
std::string to_json(const Order&);
/// Errors: invalid_input.
base::Result<Order> order_from_json(std::string_view text);
/// Writes the members of the order into the open object.
void write_members(base::json::Writer&, const Order&);
base::Result<Order> order_from_value(const base::json::Value&);

void write(base::json::Writer&, const OrderResult&);
/// Errors: invalid_input.
base::Result<OrderResult> order_result(const base::json::Value&);

/// As above, from the inner objects as operators write them: {"url":"…","soft":true}; {"urls":[…]}, whose job is `job`.
base::Result<PurgeOrder> purge_order(std::string_view text);
base::Result<WarmOrder> warm_order(std::string_view text, std::string_view job);

/// The text of the key for each form of URL that an operator may write: "http://node/media/c/e/p?tl=…", "/media/c/e/p",
/// "c/e/p".
std::string object_of_url(std::string_view url);

/// Whether the newer purge matches all objects that the older one matches.
bool covers(const PurgeOrder& newer, const PurgeOrder& older);

/// The text for the log. It leaves out queries, which may contain secrets of the origin.
std::string log_text(const PurgeOrder&);

/// Whether the purge matches an object of this key and these tags (each after a space).
bool is_meant(const PurgeOrder&, std::string_view key, std::string_view tags);

/// The tags of an origin's response, each after a space: words of Surrogate-Key, comma-separated ones of Cache-Tag.
std::string tags_of(std::string_view surrogate_key, std::string_view cache_tag);

/// "/internal/v1/nodes/{id}/orders"; the contexts of the signatures are derived from it as for heartbeats.
std::string orders_path(std::string_view node);

}  // namespace tribune::contracts
