#pragma once
// Defects of a playlist that is accepted nevertheless. docs/playlists.md describes the handling of each.

#include <cstdint>
#include <string_view>
#include <vector>

namespace tribune::hls {

enum class Flaw : std::uint8_t {
  byte_order_mark,      // before #EXTM3U: dropped
  control_character,    // in a tag or comment: dropped
  encoding,             // not UTF-8: passed on
  attributes,           // some attributes of a list are malformed: dropped, the others remain
  tag,                  // malformed, and not needed by players: dropped
  misplaced_tag,        // of the other kind of playlist: dropped
  repeated_tag,         // a repeated sequence number: the first one counts
  inf_without_uri,      // dropped
  uri_without_inf,      // dropped
  variant_without_uri,  // dropped
  target_duration,      // missing or not a number: the duration of the longest segment
};

/// "byte_order_mark": in logs and metrics.
std::string_view to_string(Flaw);

/// The number of occurrences of one flaw, and the first one.
struct FoundFlaw {
  Flaw flaw{};
  std::uint32_t line = 0;  // from 0
  std::uint32_t count = 0;
};

}  // namespace tribune::hls
