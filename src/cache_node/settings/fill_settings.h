#pragma once
// The settings of fills: deadlines, sizes, retries and circuits.

#include <chrono>
#include <cstdint>

#include "net/client/http_client.h"

namespace tribune::cache_node {

struct CircuitSettings {
  std::int64_t failures = 5;  // consecutive
  std::chrono::milliseconds rest{1'000};
};

/// Values; immutable once read.
struct FillSettings {
  net::FetchDeadlines deadlines;
  bool allow_special_addresses = false;
  std::int64_t max_redirects = 5;
  std::uint64_t max_object_bytes = 256ull << 20;
  std::uint64_t slice_bytes = 0;  // slice size for objects above slice_above; 0: no slices
  std::uint64_t slice_above = 64ull << 20;
  std::chrono::milliseconds hold{1'000};       // for a listed segment that the origin answers with 404, 403 or 5xx
  std::chrono::milliseconds hold_retry{100};   // the first pause during the hold; each further one is twice as long
  std::chrono::milliseconds keep_errors{500};  // at most a second
  std::int64_t max_resumes = 2;
  CircuitSettings circuit;  // circuit of an origin
  std::chrono::milliseconds disk_patience{
      500};  // wait with full fill buffers before an object is passed through without being stored
};

}  // namespace tribune::cache_node
