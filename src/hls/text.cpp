#include "hls/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace tribune::hls {
namespace {

constexpr std::string_view kSignature = "#EXTM3U";

std::size_t count_line_ends(std::string_view text, std::size_t enough) {
  std::size_t count = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (count <= enough && at != end) {
    at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
    if (!at) break;
    ++count;
    ++at;
  }
  return count;
}

// Length of the well-formed UTF-8 sequence (RFC 3629) at `at`, without C1 controls; 0 when it is invalid.
std::size_t sequence_length(const unsigned char* at, std::size_t left) {
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < left && at[i] >= low && at[i] <= high;
  };
  const unsigned lead = at[0];
  if (lead == 0xC2) return follows(1, 0xA0) ? 2 : 0;  // U+0080 to U+009F are control characters
  if (lead >= 0xC3 && lead <= 0xDF) return follows(1) ? 2 : 0;
  if (lead == 0xE0) return follows(1, 0xA0) && follows(2) ? 3 : 0;
  if (lead == 0xED) return follows(1, 0x80, 0x9F) && follows(2) ? 3 : 0;
  if (lead >= 0xE1 && lead <= 0xEF) return follows(1) && follows(2) ? 3 : 0;
  if (lead == 0xF0) return follows(1, 0x90) && follows(2) && follows(3) ? 4 : 0;
  if (lead >= 0xF1 && lead <= 0xF3) return follows(1) && follows(2) && follows(3) ? 4 : 0;
  if (lead == 0xF4) return follows(1, 0x80, 0x8F) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

// The length of the control character at `at`; 0 for other characters and tabs.
std::size_t control_length(std::string_view line, std::size_t at) {
  const auto c = static_cast<unsigned char>(line[at]);
  // WHY: section 4.1 forbids tabs, but packagers write them into titles and players accept them
  if ((c < 0x20 && c != '\t') || c == 0x7F) return 1;
  if (c != 0xC2 || at + 1 >= line.size()) return 0;
  const auto next = static_cast<unsigned char>(line[at + 1]);
  return next >= 0x80 && next < 0xA0 ? 2 : 0;
}

}  // namespace

tl::unexpected<base::Error> playlist_error(std::size_t line_index, std::string_view what, base::ErrorKind kind) {
  return base::failure(kind, base::Fault::origin, fmt::format("line {}: {}", line_index + 1, what), true);
}

std::string_view text_of(LineEnd end) {
  switch (end) {
    case LineEnd::lf: return "\n";
    case LineEnd::crlf: return "\r\n";
    case LineEnd::none: break;
  }
  return "";
}

base::Status check_shape(std::string_view text, const Limits& limits) {
  if (text.size() > limits.max_bytes)
    return playlist_error(0, fmt::format("{} bytes exceed the limit of {} bytes", text.size(), limits.max_bytes),
                          base::ErrorKind::too_large);
  if (text.empty()) return playlist_error(0, "empty");
  const auto rest = text.substr(std::min(kSignature.size(), text.size()));
  const bool signed_well = text.substr(0, kSignature.size()) == kSignature &&
                           (rest.empty() || rest[0] == '\n' || rest[0] == '\r' || rest[0] == ' ' || rest[0] == '\t');
  if (!signed_well) return playlist_error(0, "does not begin with #EXTM3U");
  const auto most = static_cast<std::size_t>(limits.max_lines);
  if (count_line_ends(text, most) > most)
    return playlist_error(most, fmt::format("more lines than the limit of {}", most), base::ErrorKind::too_large);
  return {};
}

base::Result<std::vector<Line>> split_lines(std::string_view text, const Limits& limits) {
  std::vector<Line> lines;
  lines.reserve(count_line_ends(text, text.size()) + 1);
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    auto line_end = end == std::string_view::npos ? LineEnd::none : LineEnd::lf;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line_end == LineEnd::lf && !line.empty() && line.back() == '\r') {
      line.remove_suffix(1);
      line_end = LineEnd::crlf;
    }
    if (line.size() > limits.max_line_bytes)
      return playlist_error(lines.size(), fmt::format("longer than the limit of {} bytes", limits.max_line_bytes),
                            base::ErrorKind::too_large);
    lines.push_back({line, line_end});
  }
  return lines;
}

ForbiddenBytes forbidden_bytes(std::string_view line) {
  ForbiddenBytes found;
  const auto* bytes = reinterpret_cast<const unsigned char*>(line.data());
  for (std::size_t i = 0; i < line.size();) {
    if (bytes[i] >= 0x20 && bytes[i] < 0x7F) {
      ++i;
    } else if (const auto control = control_length(line, i); control > 0) {
      found.control = true;
      found.carriage_return = found.carriage_return || line[i] == '\r';
      i += control;
    } else {
      const auto length = bytes[i] == '\t' ? 1 : sequence_length(bytes + i, line.size() - i);
      found.not_utf8 = found.not_utf8 || length == 0;
      i += std::max<std::size_t>(1, length);
    }
  }
  return found;
}

// The bytes around a removed control character may form another one (U+0080 to U+009F are 0xC2 and one more byte),
// which is removed too.
std::string without_controls(std::string_view line) {
  std::string kept;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    if (control_length(line, i) == 1) continue;
    const bool ends_control =
        byte >= 0x80 && byte <= 0x9F && !kept.empty() && static_cast<unsigned char>(kept.back()) == 0xC2;
    if (ends_control)
      kept.pop_back();
    else
      kept += line[i];
  }
  return kept;
}

}  // namespace tribune::hls
