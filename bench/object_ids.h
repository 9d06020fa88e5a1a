#pragma once
// Ids of generated objects, the same in every run.

#include <cstdint>
#include <cstring>
#include <random>

#include "cache_node/objects/object_index.h"

namespace tribune::bench {

inline cache_node::ObjectId id_of(std::uint64_t number) {
  std::mt19937_64 mixed(number);
  cache_node::ObjectId id;
  for (std::size_t at = 0; at < id.bytes.size(); at += 8) {
    const auto part = mixed();
    std::memcpy(id.bytes.data() + at, &part, sizeof part);
  }
  return id;
}

}  // namespace tribune::bench
