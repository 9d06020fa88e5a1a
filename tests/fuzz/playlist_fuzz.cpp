// Any bytes as a playlist: parsing ends, a parsed playlist survives writing, and two of them are joined or refused with
// a reason. The input is one playlist, or two with a NUL between them.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hls/playlist.h"

namespace {

using namespace tribune;

void require(bool holds) {
  if (!holds) std::abort();
}

hls::Limits small_limits() {
  hls::Limits limits;
  limits.max_bytes = 64 * 1024;
  return limits;
}

// The first writing makes implied ranges explicit; further ones do not change a byte.
void check_round_trip(const hls::Playlist& playlist, const hls::Context& context) {
  const auto once = hls::write(playlist, {});
  auto loose = context;
  loose.limits.max_bytes *= 4;
  loose.limits.max_line_bytes *= 4;
  const auto again = hls::parse(once, loose);
  require(again.has_value());
  require(again->implied.empty());
  require(again->uris.size() == playlist.uris.size());
  require(again->segments.size() == playlist.segments.size());
  require(hls::write(*again, {}) == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  hls::Context context;
  context.limits = small_limits();
  context.imports = {{"imported", "value"}};
  context.query = "key=%41&other";
  const auto cut = input.find('\0');
  const auto first = hls::parse(input.substr(0, cut), context);
  if (!first) return 0;
  check_round_trip(*first, context);
  hls::write(*first, [](const hls::UriUse& use) { return use.uri + "\"\n{$x}"; }, {5, 1, true, true});
  if (first->multivariant || first->segments.empty()) return 0;
  const auto second = hls::parse(cut == std::string_view::npos ? input : input.substr(cut + 1), context);
  if (!second || second->multivariant || second->segments.empty()) return 0;
  const hls::Joint joint{first->next_msn() - second->media_sequence,
                         first->segments.back().discontinuity_sequence + 1 - second->discontinuity_sequence, 1};
  const auto joined = hls::join(*first, first->media_sequence, *second, joint);
  if (joined) require(joined->end_msn() == second->end_msn() + joint.msn_shift);
  return 0;
}
