#include "cache_node/objects/checksum.h"

// WHY: XXH64_state_t is an incomplete type without it.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <new>
#include <type_traits>

namespace tribune::cache_node {
namespace {

using State = std::array<std::byte, 88>;
static_assert(sizeof(XXH64_state_t) <= sizeof(State) && alignof(XXH64_state_t) <= alignof(std::uint64_t));
static_assert(std::is_trivially_copyable_v<XXH64_state_t>);  // as XXH64_copyState does

XXH64_state_t* state_in(State& storage) { return std::launder(reinterpret_cast<XXH64_state_t*>(storage.data())); }
const XXH64_state_t* state_in(const State& storage) {
  return std::launder(reinterpret_cast<const XXH64_state_t*>(storage.data()));
}

}  // namespace

Checksum::Checksum() { XXH64_reset(new (state_.data()) XXH64_state_t, 0); }

void Checksum::add(std::string_view bytes) {
  if (bytes.empty()) return;
  length_ += bytes.size();
  XXH64_update(state_in(state_), bytes.data(), bytes.size());
}

std::uint64_t Checksum::value() const { return XXH64_digest(state_in(state_)); }

std::uint64_t checksum(std::string_view bytes) { return XXH64(bytes.data(), bytes.size(), 0); }

}  // namespace tribune::cache_node
