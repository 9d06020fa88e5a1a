// The tags that describe a media playlist as a whole (RFC 8216bis sections 4.4.3 and 4.4.5).

#include "base/bytes.h"
#include "hls/numbers.h"
#include "hls/parser.h"
#include "hls/text.h"

namespace tribune::hls {

base::Status Parser::read_target_duration() {
  const auto duration = read_seconds(base::trimmed(value_));
  if (!duration) return wrong("EXT-X-TARGETDURATION is not a number");
  out_.target_duration = std::chrono::ceil<std::chrono::milliseconds>(*duration);
  has_target_duration_ = true;
  return {};
}

base::Status Parser::read_media_sequence() {
  return read_sequence(Numbered::What::media_sequence, out_.media_sequence);
}

base::Status Parser::read_discontinuity_sequence() {
  return read_sequence(Numbered::What::discontinuity_sequence, out_.discontinuity_sequence);
}

base::Status Parser::read_sequence(Numbered::What what, std::int64_t& value) {
  auto& has_one = what == Numbered::What::media_sequence ? has_media_sequence_ : has_discontinuity_sequence_;
  if (has_one) return drop(Flaw::repeated_tag, line_, "a sequence number occurs twice");
  if (!out_.segments.empty() || block_.parts > 0 || discontinuity_count_ > 0)
    return wrong("a sequence number appears after the first segment");
  const auto text = base::trimmed(value_);
  const auto number = read_integer(text);
  if (!number) return wrong("a sequence number is not a number, or too large");
  value = *number;
  has_one = true;
  const auto begin = static_cast<std::uint32_t>(text.data() - out_.lines[line_].text.data());
  out_.numbers.push_back({what, line_, begin, static_cast<std::uint32_t>(text.size()), *number});
  return {};
}

base::Status Parser::read_playlist_type() {
  out_.vod = base::trimmed(value_) == "VOD";
  out_.is_event = base::trimmed(value_) == "EVENT";
  return {};
}

base::Status Parser::read_part_inf() {
  const auto* target = find(attributes_, "PART-TARGET");
  const auto duration = target ? read_seconds(target->value) : std::nullopt;
  if (!duration) return wrong("EXT-X-PART-INF has no PART-TARGET");
  out_.part_target = *duration;
  return {};
}

base::Status Parser::read_server_control() {
  const auto* can_block = find(attributes_, "CAN-BLOCK-RELOAD");
  out_.can_block_reload = can_block && can_block->value == "YES";
  return {};
}

base::Status Parser::read_end_list() {
  out_.ended = true;
  return {};
}

base::Status Parser::read_skip() { return wrong("a delta update (EXT-X-SKIP) was not requested"); }

base::Status Parser::read_media_tag() { return {}; }

base::Status Parser::read_rendition_report() {
  if (const auto* last = find(attributes_, "LAST-MSN")) {
    const auto number = read_integer(last->value);
    if (!number) return wrong("LAST-MSN is not a number, or too large");
    out_.numbers.push_back(
        {Numbered::What::last_msn, line_, last->begin, static_cast<std::uint32_t>(last->value.size()), *number});
  }
  return add_uri(UriKind::rendition_report, "URI");
}

base::Status Parser::finish_media() {
  if (block_.inf)
    if (auto fine = drop(Flaw::inf_without_uri, block_.inf_line, "the playlist ends between EXTINF and its URI"); !fine)
      return fine;
  if (!has_target_duration_)
    if (auto fine = derive_target_duration(); !fine) return fine;
  out_.trailing_parts = block_.parts;
  out_.trailing_duration = block_.parts_duration;
  return {};
}

}  // namespace tribune::hls
