#pragma once
// The section "cache_node" of a configuration.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cache_node/policy/query_rules.h"
#include "cache_node/policy/retention_rules.h"
#include "cache_node/policy/vary_rules.h"
#include "cache_node/settings/fill_settings.h"
#include "config/section.h"

namespace tribune::cache_node {

/// A flat form of FillSettings.
struct NodeOriginSettings {
  std::chrono::milliseconds connect_timeout = FillSettings{}.deadlines.connect;
  std::chrono::milliseconds first_byte_timeout = FillSettings{}.deadlines.first_byte;
  std::chrono::milliseconds low_speed_window = FillSettings{}.deadlines.low_speed_window;
  std::uint64_t low_speed_bytes = FillSettings{}.deadlines.low_speed_bytes;
  std::chrono::milliseconds total_timeout = FillSettings{}.deadlines.total;
  bool allow_special_addresses = FillSettings{}.allow_special_addresses;
  std::int64_t max_redirects = FillSettings{}.max_redirects;
  std::chrono::milliseconds hold = FillSettings{}.hold;
  std::chrono::milliseconds hold_retry = FillSettings{}.hold_retry;
  std::chrono::milliseconds keep_errors = FillSettings{}.keep_errors;
  std::int64_t max_resumes = FillSettings{}.max_resumes;
  std::int64_t circuit_failures = CircuitSettings{}.failures;
  std::chrono::milliseconds circuit_rest = CircuitSettings{}.rest;
};

/// The settings of requests to other nodes.
struct PeerSettings {
  std::chrono::milliseconds connect_timeout{500};
  std::chrono::milliseconds answer_timeout{1'500};
  std::chrono::milliseconds low_speed_window{4'000};
  std::chrono::milliseconds rest{1'000};
};

/// Values; immutable once read.
struct CacheNodeSettings {
  std::string id;
  std::string public_url;
  std::vector<std::string> balancers;
  std::string store = "disk";
  std::string store_dir;
  std::uint64_t max_bytes = 10ull << 30;
  std::uint64_t min_free_bytes = 256ull << 20;
  std::chrono::milliseconds min_age{60'000};
  std::vector<std::string> keep;
  std::vector<std::string> query_keys;
  std::vector<std::string> vary_on;
  std::uint64_t slice_bytes = 8ull << 20;
  std::uint64_t slice_above = 64ull << 20;
  std::uint64_t max_index_bytes = 1ull << 30;
  std::uint64_t max_object_bytes = FillSettings{}.max_object_bytes;
  std::uint64_t fill_buffer_bytes = 128ull << 20;
  std::chrono::milliseconds disk_patience = FillSettings{}.disk_patience;
  std::int64_t open_files = 1'024;
  double capacity_mbps = 1'000;
  bool cmsd = false;
  std::chrono::milliseconds heartbeat_interval{1'000};
  NodeOriginSettings origin;
  std::string group;
  std::string peer_url;
  std::vector<std::string> fill{"peers", "parent", "origin"};
  std::vector<std::string> parents;
  PeerSettings peers;

  FillSettings fill_settings() const;
  RetentionRules retention_rules() const;
  QueryRules query_rules() const;
  VaryRules vary_rules() const;
  bool is_memory_only() const { return store == "memory"; }
};

const config::Section<CacheNodeSettings>& cache_node_section();

}  // namespace tribune::cache_node
