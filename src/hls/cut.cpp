#include "hls/cut.h"

namespace tribune::hls {

Playlist cut(const Playlist& playlist, std::int64_t end_msn) {
  auto out = playlist;
  if (end_msn >= playlist.end_msn()) return out;
  out.segments.resize(static_cast<std::size_t>(end_msn - playlist.media_sequence));
  const auto end = out.segments.back().end_line;
  out.lines.resize(end);
  std::erase_if(out.uris, [&](const UriUse& use) { return use.line >= end; });
  std::erase_if(out.keys, [&](const KeyTag& key) { return key.line >= end; });
  std::erase_if(out.map_lines, [&](std::uint32_t line) { return line >= end; });
  std::erase_if(out.implied, [&](const Implied& implied) { return implied.line >= end; });
  std::erase_if(out.numbers, [&](const Numbered& number) { return number.line >= end; });
  out.ended = out.has_part_hint = false;
  out.trailing_parts = 0;
  out.trailing_duration = {};
  return out;
}

bool Playlist::is_gap(const UriUse& use) const {
  if (use.kind == UriKind::part) return use.gap;
  const bool is_listed = use.kind == UriKind::segment && use.msn >= media_sequence && use.msn < end_msn();
  return is_listed && segments[static_cast<std::size_t>(use.msn - media_sequence)].gap;
}

}  // namespace tribune::hls
