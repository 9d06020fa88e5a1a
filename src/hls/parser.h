#pragma once
// Reads one playlist, line by line. Each known tag has one function; parse.cpp has their table. Tags that are not in
// the table are kept unchanged.

#include <string>
#include <string_view>
#include <vector>

#include "hls/attributes.h"
#include "hls/playlist.h"
#include "hls/variables.h"

namespace tribune::hls {

/// Parses one text once. The first error ends it; a flaw is recorded, or is an error when the context is strict.
class Parser {
 public:
  explicit Parser(const Context& context) : context_(context), variables_(context) {}
  base::Result<Playlist> run(std::string_view text);

 private:
  enum class Side { unknown, media, multivariant };
  /// The handling of a malformed tag.
  enum class OnFlaw { refuse, drop, salvage };  // salvage: the readable attributes remain
  struct TagType;

  // parse_flaws.cpp: the handling of flaws
  base::Status note(Flaw flaw, std::uint32_t line, base::Error as_error);
  base::Status drop(Flaw flaw, std::uint32_t line, std::string_view why);
  base::Status check_bytes();
  Side side_of_tags() const;
  void find_side();
  base::Status salvage(std::string_view problem);
  base::Status derive_target_duration();

  // parse.cpp: any playlist
  static const TagType* tag_type(std::string_view name);
  base::Status read_known_tag(const TagType&);
  void take_value();
  base::Status read_line(std::string_view line);
  base::Status read_tag(std::string_view line);
  base::Status choose(const TagType&);
  base::Status add_uri(UriKind kind, std::string_view attribute_name);
  base::Status add_uri_line(UriKind kind, std::string_view line);
  base::Result<std::string> value_of(std::string_view attribute_name);
  base::Status read_define();
  base::Status read_version();
  base::Status read_date_range();
  base::Status check_what_is_left();
  base::Status finish();
  base::Status finish_multivariant();

  // parse_multivariant.cpp
  base::Status read_stream_inf();
  base::Status read_i_frame_stream_inf();
  base::Status read_image_stream_inf();
  base::Status read_media();
  base::Status read_session_data();
  base::Status read_session_key();
  base::Status read_content_steering();
  std::int64_t read_bandwidth() const;
  base::Status add_variant(UriKind kind);

  // parse_media.cpp
  base::Status read_target_duration();
  base::Status read_media_sequence();
  base::Status read_discontinuity_sequence();
  base::Status read_sequence(Numbered::What what, std::int64_t& value);
  base::Status read_playlist_type();
  base::Status read_part_inf();
  base::Status read_server_control();
  base::Status read_end_list();
  base::Status read_skip();
  base::Status read_media_tag();
  base::Status read_rendition_report();
  base::Status finish_media();

  // parse_segment.cpp
  base::Status read_inf();
  base::Status read_byte_range();
  base::Status read_discontinuity();
  base::Status read_gap();
  base::Status read_program_date_time();
  base::Status read_key();
  base::Status read_map();
  base::Status read_part();
  base::Status read_preload_hint();
  base::Status read_segment_uri(std::string_view line);
  base::Result<SubRange> sub_range(std::string_view text, std::int64_t implied_offset, std::uint32_t end_of_text);

  tl::unexpected<base::Error> wrong(std::string_view what) const;
  std::int64_t current_msn() const { return out_.end_msn(); }

  const Context& context_;
  Variables variables_;
  Playlist out_;
  Side side_ = Side::unknown;
  std::uint32_t line_ = 0;
  std::string_view value_;  // of the current tag: the text after its ':'
  std::uint32_t value_begin_ = 0;
  std::vector<Attribute> attributes_;

  bool variant_pending_ = false;  // EXT-X-STREAM-INF without its URI yet
  std::uint32_t variant_line_ = 0;
  std::int64_t bandwidth_bps_ = 0;  // of the last variant

  /// Tags since the last segment's URI.
  struct Block {
    bool inf = false;
    std::uint32_t inf_line = 0;
    std::uint32_t discontinuities = 0;
    bool gap = false;
    std::int32_t parts = 0;
    std::chrono::microseconds duration{0};
    std::chrono::microseconds parts_duration{0};
    std::string_view program_date_time;
    bool has_byte_range = false;
    std::uint32_t byte_range_line = 0;
    std::uint32_t byte_range_begin = 0;
    std::string_view byte_range;
  };
  Block block_;
  bool has_target_duration_ = false;
  bool has_media_sequence_ = false;
  bool has_discontinuity_sequence_ = false;
  std::int64_t discontinuity_count_ = 0;
  std::uint32_t end_of_last_uri_ = 0;  // the line after the last segment's URI
  std::string range_uri_;              // the last sub-range of a segment, and of a part: the next one begins at its end
  std::int64_t range_end_ = -1;
  std::string part_range_uri_;
  std::int64_t part_range_end_ = -1;
};

}  // namespace tribune::hls
