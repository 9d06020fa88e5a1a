// The tags of multivariant playlists (RFC 8216bis section 4.4.6).

#include <algorithm>

#include "hls/numbers.h"
#include "hls/parser.h"

namespace tribune::hls {

base::Status Parser::read_stream_inf() {
  if (variant_pending_)
    if (auto fine = drop(Flaw::variant_without_uri, variant_line_, "the EXT-X-STREAM-INF before this one has no URI");
        !fine)
      return fine;
  variant_pending_ = true;
  variant_line_ = line_;
  bandwidth_bps_ = read_bandwidth();
  return {};
}

/// 0 when it is missing or not a number: players accept such variants too.
std::int64_t Parser::read_bandwidth() const {
  const auto* attribute = find(attributes_, "BANDWIDTH");
  return attribute ? std::max<std::int64_t>(read_integer(attribute->value).value_or(0), 0) : 0;
}

base::Status Parser::add_variant(UriKind kind) {
  const auto before = out_.uris.size();
  if (auto fine = add_uri(kind, "URI"); !fine) return fine;
  if (out_.uris.size() > before) out_.uris.back().bandwidth_bps = read_bandwidth();
  return {};
}

base::Status Parser::read_i_frame_stream_inf() { return add_variant(UriKind::iframe_variant); }
base::Status Parser::read_image_stream_inf() { return add_variant(UriKind::image_variant); }
base::Status Parser::read_media() { return add_uri(UriKind::rendition, "URI"); }
base::Status Parser::read_session_data() { return add_uri(UriKind::session_data, "URI"); }
base::Status Parser::read_session_key() { return add_uri(UriKind::session_key, "URI"); }
base::Status Parser::read_content_steering() { return add_uri(UriKind::steering, "SERVER-URI"); }

base::Status Parser::finish_multivariant() {
  out_.multivariant = true;
  if (variant_pending_)
    if (auto fine =
            drop(Flaw::variant_without_uri, variant_line_, "the playlist ends between EXT-X-STREAM-INF and its URI");
        !fine)
      return fine;
  std::int64_t largest = 0;
  for (const auto& use : out_.uris)
    if (use.kind == UriKind::variant) largest = std::max(largest, use.bandwidth_bps);
  for (auto& use : out_.uris)
    if (use.kind == UriKind::rendition) use.bandwidth_bps = largest;
  return {};
}

}  // namespace tribune::hls
