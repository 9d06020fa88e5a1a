// The tags of media segments and partial segments (RFC 8216bis section 4.4.4).

#include <algorithm>

#include "base/bytes.h"
#include "hls/numbers.h"
#include "hls/parser.h"
#include "hls/text.h"

namespace tribune::hls {
namespace {

constexpr std::chrono::microseconds kMaxPartsDuration = std::chrono::hours{24 * 365};

}  // namespace

base::Status Parser::read_inf() {
  if (block_.inf)
    if (auto fine = drop(Flaw::inf_without_uri, block_.inf_line, "the EXTINF before this one has no URI"); !fine)
      return fine;
  const auto duration = read_seconds(base::trimmed(value_.substr(0, value_.find(','))));
  if (!duration) return wrong("EXTINF has no duration");
  block_.inf = true;
  block_.inf_line = line_;
  block_.duration = *duration;
  return {};
}

base::Status Parser::read_byte_range() {
  const auto text = base::trimmed(value_);
  block_.has_byte_range = true;
  block_.byte_range = text;
  block_.byte_range_line = line_;
  block_.byte_range_begin = static_cast<std::uint32_t>(text.data() - out_.lines[line_].text.data());
  return {};
}

base::Status Parser::read_discontinuity() {
  ++block_.discontinuities;
  ++discontinuity_count_;
  return {};
}

base::Status Parser::read_gap() {
  block_.gap = true;
  return {};
}

base::Status Parser::read_program_date_time() {
  block_.program_date_time = base::trimmed(value_);
  return {};
}

base::Status Parser::read_key() {
  const auto method = value_of("METHOD");
  if (!method) return tl::unexpected(method.error());
  const auto keyformat = value_of("KEYFORMAT");
  if (!keyformat) return tl::unexpected(keyformat.error());
  KeyTag key;
  key.line = line_;
  key.none = *method == "NONE";
  key.keyformat = keyformat->empty() ? "identity" : *keyformat;
  // Section 5.2: with the identity format and no IV, the MSN is the IV.
  key.implied_iv =
      key.keyformat == "identity" && (*method == "AES-128" || *method == "SAMPLE-AES") && !find(attributes_, "IV");
  out_.keys.push_back(std::move(key));
  return add_uri(UriKind::key, "URI");
}

base::Status Parser::read_map() {
  if (const auto* range = find(attributes_, "BYTERANGE")) {
    const auto text = value_of("BYTERANGE");
    if (!text) return tl::unexpected(text.error());
    const auto at = range->begin + static_cast<std::uint32_t>(range->value.size());
    if (auto fine = sub_range(*text, 0, at); !fine) return tl::unexpected(fine.error());
  }
  out_.map_lines.push_back(line_);
  return add_uri(UriKind::map, "URI");
}

base::Status Parser::read_part() {
  const auto uri = value_of("URI");
  if (!uri) return tl::unexpected(uri.error());
  if (uri->empty()) return wrong("EXT-X-PART has no URI");
  const auto* seconds = find(attributes_, "DURATION");
  const auto duration = seconds ? read_seconds(seconds->value) : std::nullopt;
  if (!duration) return wrong("EXT-X-PART has no DURATION");
  if (const auto* range = find(attributes_, "BYTERANGE")) {
    const auto text = value_of("BYTERANGE");
    if (!text) return tl::unexpected(text.error());
    const bool follows = part_range_end_ >= 0 && part_range_uri_ == *uri;
    const auto at = range->begin + static_cast<std::uint32_t>(range->value.size());
    const auto sub = sub_range(*text, follows ? part_range_end_ : -1, at);
    if (!sub) return tl::unexpected(sub.error());
    part_range_uri_ = *uri;
    part_range_end_ = sub->offset + sub->length;
  } else {
    part_range_end_ = -1;
  }
  if (auto fine = add_uri(UriKind::part, "URI"); !fine) return fine;
  const auto* gap = find(attributes_, "GAP");
  out_.uris.back().gap = gap && gap->value == "YES";
  out_.uris.back().part = block_.parts++;
  block_.parts_duration = std::min(block_.parts_duration + *duration, kMaxPartsDuration);
  return {};
}

base::Status Parser::read_preload_hint() {
  const auto type = value_of("TYPE");
  if (!type) return tl::unexpected(type.error());
  const bool map = *type == "MAP";
  const auto before = out_.uris.size();
  if (auto fine = add_uri(map ? UriKind::map : UriKind::preload_hint, "URI"); !fine) return fine;
  if (map || out_.uris.size() == before) return {};
  out_.uris.back().part = block_.parts;
  out_.has_part_hint = true;
  return {};
}

base::Result<SubRange> Parser::sub_range(std::string_view text, std::int64_t implied_offset,
                                         std::uint32_t end_of_text) {
  const auto at = text.find('@');
  const auto length = read_integer(base::trimmed(text.substr(0, at)));
  if (!length) return wrong("a byte range has no length");
  if (at != std::string_view::npos) {
    const auto offset = read_integer(base::trimmed(text.substr(at + 1)));
    if (!offset || *offset > kMaxInteger - *length) return wrong("a byte range has an invalid offset");
    return SubRange{*length, *offset};
  }
  if (implied_offset < 0)
    return wrong("a byte range has no offset and does not follow another byte range of the same resource");
  if (implied_offset > kMaxInteger - *length) return wrong("the sum of the byte ranges exceeds the integer range");
  out_.implied.push_back({line_, end_of_text, "@" + std::to_string(implied_offset)});
  return SubRange{*length, implied_offset};
}

base::Status Parser::read_segment_uri(std::string_view line) {
  if (!block_.inf) return drop(Flaw::uri_without_inf, line_, "a segment URI has no EXTINF");
  if (auto fine = add_uri_line(UriKind::segment, line); !fine) return fine;
  const auto& uri = out_.uris.back().uri;
  Segment segment;
  if (block_.has_byte_range) {
    const auto at = block_.byte_range_begin + static_cast<std::uint32_t>(block_.byte_range.size());
    const auto uri_line = line_;
    line_ = block_.byte_range_line;  // the line of errors and of the explicit offset
    const auto sub = sub_range(block_.byte_range, range_uri_ == uri ? range_end_ : -1, at);
    line_ = uri_line;
    if (!sub) return tl::unexpected(sub.error());
    segment.byterange = *sub;
    range_uri_ = uri;
    range_end_ = sub->offset + sub->length;
  } else {
    range_end_ = -1;
  }
  segment.msn = current_msn();
  segment.discontinuity_sequence = out_.discontinuity_sequence + discontinuity_count_;
  segment.duration = block_.duration;
  segment.first_line = end_of_last_uri_;
  segment.end_line = line_ + 1;
  segment.uri_use = static_cast<std::uint32_t>(out_.uris.size() - 1);
  segment.discontinuities = block_.discontinuities;
  segment.parts = block_.parts;
  segment.gap = block_.gap;
  segment.program_date_time = block_.program_date_time;
  out_.segments.push_back(segment);
  out_.has_part_hint = false;  // the hint was for this segment
  end_of_last_uri_ = line_ + 1;
  block_ = Block{};
  return {};
}

}  // namespace tribune::hls
