#pragma once
// The section "cache_node.proxy": a listener of its own that caches one origin under RFC 9111.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "config/section.h"

namespace tribune::cache_node {

/// Values; immutable once read.
struct ProxySettings {
  std::vector<std::string> listen;  // empty: no proxy
  std::string origin;
  std::vector<std::string> hosts;        // empty: any
  std::vector<std::string> pass_fields;  // of requests, beside those that always go to the origin
  bool keep_forwarded_for = false;
  std::uint64_t max_bytes = 256ull << 20;
  std::uint64_t max_object_bytes = 16ull << 20;
  std::uint64_t max_filling_bytes = 64ull << 20;
  std::chrono::milliseconds connect_timeout{1'000};
  std::chrono::milliseconds first_byte_timeout{30'000};
  std::chrono::milliseconds total_timeout{3'600'000};
  std::uint64_t low_speed_bytes = 1'024;
  std::chrono::milliseconds low_speed_window{30'000};
  std::chrono::milliseconds stall_timeout{20'000};
  std::chrono::milliseconds keep_errors{1'000};
  std::chrono::milliseconds heuristic_ceiling{24 * 3'600'000};
  std::chrono::milliseconds stale_if_error{600'000};
};

const config::Section<ProxySettings>& proxy_section();

}  // namespace tribune::cache_node
