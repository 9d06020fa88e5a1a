#include "hls/rewriting.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "hls/attributes.h"
#include "hls/text.h"
#include "hls/variables.h"

namespace tribune::hls {
namespace {

/// Percent-encodes characters that a quoted string cannot contain, and references to variables.
std::string quotable(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '{')
      out += fmt::format("%{:02X}", byte);
    else
      out += c;
  }
  return out;
}

/// A variable's value as written into a line. A query parameter is percent-decoded and may contain any byte: those that
/// would end the line or the quoted string are encoded.
std::string written_out(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '"')
      out += fmt::format("%{:02X}", byte);
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string_view tag_name(std::string_view line) {
  if (line.substr(0, 4) != "#EXT") return {};
  return base::trimmed(line.substr(1, line.find(':') - 1));
}

bool Rewriting::take(std::uint64_t bytes) {
  constexpr std::uint64_t kOverhead = 64;  // of storing a change
  if (fits_ && bytes + kOverhead <= available_)
    available_ -= bytes + kOverhead;
  else
    fits_ = false;
  return fits_;
}

void Rewriting::append(std::uint32_t line, std::string text) {
  if (take(text.size())) suffixes_[line] = std::move(text);
}

void Rewriting::replace(std::uint32_t line, std::uint32_t begin, std::uint32_t length, std::string text) {
  if (!take(text.size())) return;
  if (is_bounded_) added_[line] += text.size();
  changes_.push_back({line, begin, length, std::move(text)});
  sorted_ = false;
}

void Rewriting::insert_before(std::uint32_t line, std::string text) {
  if (!take(text.size() + 2)) return;
  insertions_.push_back({line, std::move(text), false, 0});
  sorted_ = false;
}

void Rewriting::repeat_before(std::uint32_t line, std::uint32_t source, std::string suffix) {
  const auto added = added_.find(source);
  if (!take(playlist_.lines[source].text.size() + (added == added_.end() ? 0 : added->second) + suffix.size() + 2))
    return;
  insertions_.push_back({line, std::move(suffix), true, source});
  sorted_ = false;
}

void Rewriting::drop(std::uint32_t line) {
  dropped_.push_back(line);
  sorted_ = false;
}

std::string_view Rewriting::line_end() const { return playlist_.lines[0].end == LineEnd::crlf ? "\r\n" : "\n"; }

void Rewriting::sort() {
  if (sorted_) return;
  const auto by_place = [](const Change& a, const Change& b) {
    return std::pair(a.line, a.begin) < std::pair(b.line, b.begin);
  };
  if (!std::is_sorted(changes_.begin(), changes_.end(), by_place))
    std::stable_sort(changes_.begin(), changes_.end(), by_place);
  std::stable_sort(insertions_.begin(), insertions_.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  std::sort(dropped_.begin(), dropped_.end());
  sorted_ = true;
}

void Rewriting::add_line(std::uint32_t line, std::string& out) {
  const auto text = playlist_.lines[line].text;
  auto change = std::lower_bound(changes_.begin(), changes_.end(), line,
                                 [](const Change& c, std::uint32_t l) { return c.line < l; });
  std::size_t done = 0;
  for (; change != changes_.end() && change->line == line; ++change) {
    out.append(text.substr(done, change->begin - done)).append(change->text);
    done = change->begin + change->length;
  }
  out.append(text.substr(done));
}

std::string Rewriting::text_of_line(std::uint32_t line) {
  sort();
  std::string out;
  add_line(line, out);
  return out;
}

void Rewriting::add_insertion(const Insertion& insertion, std::string& out) {
  if (insertion.repeats) {
    std::string line;
    add_line(insertion.source, line);
    out.append(base::trimmed(line));
  }
  out.append(insertion.text).append(line_end());
}

void Rewriting::emit(std::uint32_t first, std::uint32_t end, std::string& out, bool more_follows) {
  sort();
  auto insertion =
      std::lower_bound(insertions_.begin(), insertions_.end(), first, [](const auto& i, auto l) { return i.line < l; });
  for (auto line = first; line < end; ++line) {
    for (; insertion != insertions_.end() && insertion->line == line; ++insertion) add_insertion(*insertion, out);
    if (std::binary_search(dropped_.begin(), dropped_.end(), line)) continue;
    add_line(line, out);
    if (const auto suffix = suffixes_.find(line); suffix != suffixes_.end()) {
      while (out.back() == ' ' || out.back() == '\t') out.pop_back();
      out.append(suffix->second);
    }
    const auto line_end_kind = playlist_.lines[line].end;
    out.append(line_end_kind == LineEnd::none && (more_follows || line + 1 < end) ? line_end()
                                                                                  : hls::text_of(line_end_kind));
  }
}

void Rewriting::make_ranges_explicit() {
  for (const auto& implied : playlist_.implied) replace(implied.line, implied.at, 0, implied.text);
}

// The MSN of each segment is the IV of an implied one, so the tag is restated for every segment with that segment's IV.
void Rewriting::make_ivs_explicit() {
  auto key = playlist_.keys.begin();
  const KeyTag* active = nullptr;
  const auto visit_block = [&](std::uint32_t first, std::uint32_t end, std::int64_t msn) {
    const auto iv = fmt::format(",IV=0x{:032x}", msn);
    bool own = false;
    for (; key != playlist_.keys.end() && key->line < end; ++key) {
      if (!key->none && key->keyformat != "identity") continue;
      active = key->implied_iv ? &*key : nullptr;
      own = true;
      if (active) append(active->line, iv);
    }
    if (active && !own) repeat_before(first, active->line, iv);
  };
  for (const auto& segment : playlist_.segments) visit_block(segment.first_line, segment.end_line, segment.msn);
  const auto rest = playlist_.segments.empty() ? 0 : playlist_.segments.back().end_line;
  if (playlist_.trailing_parts > 0 || playlist_.has_part_hint)
    visit_block(rest, static_cast<std::uint32_t>(playlist_.lines.size()), playlist_.end_msn());
}

void Rewriting::expand_line(std::uint32_t line, const Values& values) {
  const auto text = playlist_.lines[line].text;
  for (auto reference = next_reference(text, 0); reference && fits_;
       reference = next_reference(text, reference->begin + reference->length)) {
    const auto value = values.find(reference->name);
    if (value == values.end()) continue;
    replace(line, static_cast<std::uint32_t>(reference->begin), static_cast<std::uint32_t>(reference->length),
            written_out(value->second));
  }
}

void Rewriting::expand_variables() {
  if (playlist_.variables.empty()) return;
  const Values values(playlist_.variables.begin(), playlist_.variables.end());
  for (std::uint32_t line = 0; line < playlist_.lines.size(); ++line) {
    const auto text = playlist_.lines[line].text;
    const bool attributes = text.substr(0, 7) == "#EXT-X-";
    if (attributes && tag_name(text) == "EXT-X-DEFINE")
      drop(line);
    else if (attributes || text.empty() || text[0] != '#')
      expand_line(line, values);
  }
}

/// The variables that the text refers to, without the replaced parts.
std::set<std::string_view> Rewriting::names_left() {
  sort();
  std::set<std::string_view> names;
  auto change = changes_.begin();
  for (std::uint32_t line = 0; line < playlist_.lines.size(); ++line) {
    while (change != changes_.end() && change->line < line) ++change;
    const auto text = playlist_.lines[line].text;
    for (auto reference = next_reference(text, 0); reference;
         reference = next_reference(text, reference->begin + reference->length)) {
      bool is_replaced = false;
      for (auto one = change; one != changes_.end() && one->line == line && !is_replaced; ++one)
        is_replaced = one->begin <= reference->begin &&
                      reference->begin + reference->length <= std::size_t{one->begin} + one->length;
      if (!is_replaced) names.insert(reference->name);
    }
  }
  return names;
}

void Rewriting::resolve_query_parameters() {
  const auto is_definition = [](const Line& line) {
    return tag_name(line.text) == "EXT-X-DEFINE" && line.text.find("QUERYPARAM") != std::string_view::npos;
  };
  if (playlist_.variables.empty() || std::none_of(playlist_.lines.begin(), playlist_.lines.end(), is_definition))
    return;
  const auto needed = names_left();
  for (std::uint32_t line = 0; line < playlist_.lines.size(); ++line) {
    const auto text = playlist_.lines[line].text;
    std::vector<Attribute> attributes;
    if (!is_definition(playlist_.lines[line]) || read_attributes(text, text.find(':') + 1, attributes)) continue;
    const auto* parameter = find(attributes, "QUERYPARAM");
    if (!parameter) continue;
    // A variable of replaced URIs only may be a secret of the origin.
    std::string shown;
    for (const auto& [name, value] : playlist_.variables)
      if (name == parameter->value && needed.count(name) != 0) shown = quotable(value);
    replace(line, parameter->name_begin, parameter->end - parameter->name_begin,
            fmt::format("NAME=\"{}\",VALUE=\"{}\"", parameter->value, shown));
  }
}

void Rewriting::remove_attributes(std::uint32_t line, std::string_view first, std::string_view second) {
  const auto text = playlist_.lines[line].text;
  std::vector<Attribute> attributes;
  if (read_attributes(text, text.find(':') + 1, attributes)) return;
  std::string kept;
  bool removed = false;
  for (const auto& attribute : attributes) {
    if (attribute.name == first || attribute.name == second) {
      removed = true;
      continue;
    }
    if (!kept.empty()) kept += ',';
    kept += text.substr(attribute.name_begin, attribute.end - attribute.name_begin);
  }
  if (!removed) return;
  if (kept.empty()) return drop(line);
  const auto begin = static_cast<std::uint32_t>(text.find(':') + 1);
  replace(line, begin, static_cast<std::uint32_t>(text.size()) - begin, kept);
}

void Rewriting::drop_delta_updates() {
  for (std::uint32_t line = 0; line < playlist_.lines.size(); ++line)
    if (tag_name(playlist_.lines[line].text) == "EXT-X-SERVER-CONTROL")
      remove_attributes(line, "CAN-SKIP-UNTIL", "CAN-SKIP-DATERANGES");
}

void Rewriting::offer_blocking_reload() {
  if (playlist_.multivariant || playlist_.lines.size() < 2) return;
  for (std::uint32_t line = 0; line < playlist_.lines.size(); ++line) {
    const auto text = playlist_.lines[line].text;
    if (tag_name(text) != "EXT-X-SERVER-CONTROL") continue;
    std::vector<Attribute> attributes;
    const auto begin = text.find(':') + 1;
    const bool says_it = read_attributes(text, begin, attributes).has_value() || find(attributes, "CAN-BLOCK-RELOAD");
    if (!says_it)
      replace(line, static_cast<std::uint32_t>(begin), 0,
              attributes.empty() ? "CAN-BLOCK-RELOAD=YES" : "CAN-BLOCK-RELOAD=YES,");
    return;
  }
  insert_before(1, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES");
}

void Rewriting::drop_end() {
  for (std::uint32_t line = 0; line < playlist_.lines.size(); ++line) {
    const auto name = tag_name(playlist_.lines[line].text);
    if (name == "EXT-X-ENDLIST" || (name == "EXT-X-PLAYLIST-TYPE" && playlist_.vod)) drop(line);
  }
}

}  // namespace tribune::hls
