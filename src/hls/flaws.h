#pragma once
// What may be wrong in a playlist that is read all the same. docs/playlists.md says what becomes of each.

#include <cstdint>
#include <string_view>
#include <vector>

namespace tribune::hls {

enum class Flaw : std::uint8_t {
  byte_order_mark,      // before #EXTM3U: dropped
  control_character,    // in a tag or comment: dropped
  encoding,             // not UTF-8: passed on
  attributes,           // some of a list cannot be read: dropped, the others stay
  tag,                  // cannot be read, and players do without it: dropped
  misplaced_tag,        // of the other kind of playlist: dropped
  repeated_tag,         // a sequence number that stands twice: the first one counts
  inf_without_uri,      // dropped
  uri_without_inf,      // dropped
  variant_without_uri,  // dropped
  target_duration,      // missing or no number: the longest segment's
};

/// "byte_order_mark": in logs and metrics.
std::string_view to_string(Flaw);

/// How often one flaw was met, and where first.
struct FoundFlaw {
  Flaw flaw{};
  std::uint32_t line = 0;  // from 0
  std::uint32_t count = 0;
};

}  // namespace tribune::hls
