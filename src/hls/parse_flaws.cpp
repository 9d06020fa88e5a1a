// Flaws that do not matter, or that have one repair on which all players agree.

#include <fmt/format.h>

#include <algorithm>

#include "hls/parser.h"
#include "hls/text.h"

namespace tribune::hls {

std::string_view to_string(Flaw flaw) {
  switch (flaw) {
    case Flaw::byte_order_mark: return "byte_order_mark";
    case Flaw::control_character: return "control_character";
    case Flaw::encoding: return "encoding";
    case Flaw::attributes: return "attributes";
    case Flaw::tag: return "tag";
    case Flaw::misplaced_tag: return "misplaced_tag";
    case Flaw::repeated_tag: return "repeated_tag";
    case Flaw::inf_without_uri: return "inf_without_uri";
    case Flaw::uri_without_inf: return "uri_without_inf";
    case Flaw::variant_without_uri: return "variant_without_uri";
    case Flaw::target_duration: return "target_duration";
  }
  return "unknown";
}

base::Status Parser::note(Flaw flaw, std::uint32_t line, base::Error as_error) {
  if (context_.strict) return tl::unexpected(std::move(as_error));
  const auto known =
      std::find_if(out_.flaws.begin(), out_.flaws.end(), [&](const FoundFlaw& f) { return f.flaw == flaw; });
  if (known == out_.flaws.end())
    out_.flaws.push_back({flaw, line, 1});
  else
    ++known->count;
  return {};
}

// The parser is at `line_`, where it detects the error; the dropped line may be an earlier one.
base::Status Parser::drop(Flaw flaw, std::uint32_t line, std::string_view why) {
  if (auto noted = note(flaw, line, wrong(why).value()); !noted) return noted;
  out_.lines[line].text = {};
  return {};
}

base::Status Parser::check_bytes() {
  for (line_ = 0; line_ < out_.lines.size(); ++line_) {
    auto& text = out_.lines[line_].text;
    const auto found = forbidden_bytes(text);
    if (found.not_utf8)
      if (auto noted = note(Flaw::encoding, line_, wrong("is not UTF-8").value()); !noted) return noted;
    if (!found.control) continue;
    if (auto noted = note(Flaw::control_character, line_, wrong("contains a control character").value()); !noted)
      return noted;
    const auto kept = text.substr(0, text.find_last_not_of('\r') + 1);  // of a line end that was converted twice
    const bool is_comment = text.starts_with('#') && !text.starts_with("#EXT");
    const bool ends_lines = kept.find('\r') != std::string_view::npos;  // for some players
    if (kept.size() < text.size() && !forbidden_bytes(kept).control) {
      text = kept;
      continue;
    }
    if (!text.starts_with('#')) return wrong("a URI contains a control character");
    if (ends_lines && !is_comment) return wrong("contains a carriage return");
    out_.texts.push_back(std::make_shared<const std::string>(without_controls(text)));
    text = *out_.texts.back();
  }
  line_ = 0;
  return {};
}

// The kinds are distinguished as players do. Without such a tag, or with both, the first tag of either decides.
Parser::Side Parser::side_of_tags() const {
  bool has_segments = false, has_target = false, has_variants = false;
  for (const auto& line : out_.lines) {
    has_segments = has_segments || line.text.starts_with("#EXTINF:");
    has_target = has_target || line.text.starts_with("#EXT-X-TARGETDURATION");
    has_variants = has_variants || line.text.starts_with("#EXT-X-STREAM-INF:");
  }
  if (has_variants && !has_segments) return Side::multivariant;
  return !has_variants && (has_segments || has_target) ? Side::media : Side::unknown;
}

void Parser::find_side() {
  if (!context_.strict) side_ = side_of_tags();
}

base::Status Parser::salvage(std::string_view problem) {
  if (auto noted = note(Flaw::attributes, line_, wrong(problem).value()); !noted) return noted;
  auto& text = out_.lines[line_].text;
  out_.texts.push_back(std::make_shared<const std::string>(std::string(text.substr(0, value_begin_)) +
                                                           salvaged_attributes(text, value_begin_)));
  text = *out_.texts.back();
  take_value();
  if (const auto again = read_attributes(text, value_begin_, attributes_)) return wrong(*again);
  return {};
}

base::Status Parser::derive_target_duration() {
  auto error = wrong("the media playlist has no EXT-X-TARGETDURATION");
  if (out_.segments.empty()) return error;
  if (auto noted = note(Flaw::target_duration, 0, std::move(error.value())); !noted) return noted;
  const auto longest = std::max_element(out_.segments.begin(), out_.segments.end(),
                                        [](const Segment& a, const Segment& b) { return a.duration < b.duration; });
  constexpr std::chrono::seconds kShortest{1}, kLongest{999'999'999};  // the range that the parser accepts
  const auto target = std::clamp(std::chrono::ceil<std::chrono::seconds>(longest->duration), kShortest, kLongest);
  out_.target_duration = target;
  const auto line_end = text_of(out_.lines[0].end);
  out_.implied.insert(out_.implied.begin(), {0, static_cast<std::uint32_t>(out_.lines[0].text.size()),
                                             fmt::format("{}#EXT-X-TARGETDURATION:{}", line_end, target.count())});
  return {};
}

}  // namespace tribune::hls
