// The tags of multivariant playlists (RFC 8216bis section 4.4.6).

#include "hls/parser.h"

namespace tribune::hls {

base::Status Parser::read_stream_inf() {
  if (variant_pending_) return wrong("the EXT-X-STREAM-INF before this one has no URI");
  variant_pending_ = true;
  return {};
}

base::Status Parser::read_i_frame_stream_inf() { return add_uri(UriKind::iframe_variant, "URI"); }
base::Status Parser::read_image_stream_inf() { return add_uri(UriKind::image_variant, "URI"); }
base::Status Parser::read_media() { return add_uri(UriKind::rendition, "URI"); }
base::Status Parser::read_session_data() { return add_uri(UriKind::session_data, "URI"); }
base::Status Parser::read_session_key() { return add_uri(UriKind::session_key, "URI"); }
base::Status Parser::read_content_steering() { return add_uri(UriKind::steering, "SERVER-URI"); }

base::Status Parser::finish_multivariant() {
  out_.multivariant = true;
  if (variant_pending_) return wrong("the playlist ends between EXT-X-STREAM-INF and its URI");
  return {};
}

}  // namespace tribune::hls
