// Writes a playlist's text with the necessary changes.

#include <algorithm>

#include "hls/rewriting.h"

namespace tribune::hls {
namespace {

// Encodes a mapped URI so that it cannot end its attribute or line, start a comment, or be a variable reference.
std::string made_safe(std::string text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool reference = c == '{' && i + 1 < text.size() && text[i + 1] == '$';
    if (c == '"')
      out += "%22";
    else if (c == '\n')
      out += "%0A";
    else if (c == '\r')
      out += "%0D";
    else if (c == '#' && i == 0)
      out += "%23";
    else if (reference)
      out += "%7B";
    else
      out += c;
  }
  return out;
}

bool has(const Playlist& playlist, Numbered::What what) {
  return std::any_of(playlist.numbers.begin(), playlist.numbers.end(), [&](const auto& n) { return n.what == what; });
}

void shift_numbers(const Playlist& playlist, const Edits& edits, Rewriting& rewriting) {
  for (const auto& number : playlist.numbers) {
    const auto shift =
        number.what == Numbered::What::discontinuity_sequence ? edits.discontinuity_shift : edits.msn_shift;
    if (shift != 0)
      rewriting.replace(number.line, number.begin, number.length,
                        std::to_string(std::max<std::int64_t>(0, number.value + shift)));
  }
  if (playlist.multivariant || playlist.lines.size() < 2) return;
  if (edits.msn_shift != 0 && !has(playlist, Numbered::What::media_sequence))
    rewriting.insert_before(1, "#EXT-X-MEDIA-SEQUENCE:" + std::to_string(std::max<std::int64_t>(0, edits.msn_shift)));
  if (edits.discontinuity_shift != 0 && !has(playlist, Numbered::What::discontinuity_sequence))
    rewriting.insert_before(
        1, "#EXT-X-DISCONTINUITY-SEQUENCE:" + std::to_string(std::max<std::int64_t>(0, edits.discontinuity_shift)));
}

}  // namespace

std::string write(const Playlist& playlist, const MapUri& map, const Edits& edits) {
  Rewriting rewriting(playlist);
  std::size_t size = 0;
  for (const auto& line : playlist.lines) size += line.text.size() + 2;
  if (map) {
    for (const auto& use : playlist.uris) {
      auto text = map(use);
      if (!text) continue;
      size += text->size();
      rewriting.replace(use.line, use.begin, use.length, made_safe(std::move(*text)));
    }
  }
  rewriting.make_ranges_explicit();
  rewriting.resolve_query_parameters();
  shift_numbers(playlist, edits, rewriting);
  if (edits.explicit_ivs) rewriting.make_ivs_explicit();
  if (edits.drop_delta_updates) rewriting.drop_delta_updates();
  if (edits.offer_blocking_reload) rewriting.offer_blocking_reload();
  if (edits.without_end) rewriting.drop_end();
  std::string out;
  out.reserve(size + 256);
  rewriting.emit(0, static_cast<std::uint32_t>(playlist.lines.size()), out);
  return out;
}

}  // namespace tribune::hls
