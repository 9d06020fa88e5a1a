#pragma once
// The section "http_cache": a cache in front of one origin, under RFC 9111.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "config/section.h"

namespace tribune::http_cache {

/// Values; immutable once read.
struct HttpCacheSettings {
  std::string id = "tribune";  // in Via and Cache-Status
  std::vector<std::string> listen;
  std::string origin;
  std::vector<std::string> hosts;        // empty: any
  std::vector<std::string> pass_fields;  // request fields, in addition to those that are always forwarded
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
  bool keep_set_cookie = false;
  std::chrono::milliseconds heuristic_ceiling{24 * 3'600'000};
  std::chrono::milliseconds stale_if_error{600'000};
};

const config::Section<HttpCacheSettings>& http_cache_section();

}  // namespace tribune::http_cache
