// The readers of single values. A problem contains the value and the allowed values.

#include <cmath>
#include <string>

#include "config/section.h"
#include "config/units.h"

namespace tribune::config {
namespace {

using base::json::Kind;
using base::json::Value;

constexpr std::size_t kLongestQuote = 80;

bool is_secret(std::string_view key) {
  for (const auto* word : {"secret", "token", "password"})
    if (key.find(word) != std::string_view::npos) return true;
  return false;
}

/// The value in the file, for the message; never a secret, and at most one line.
std::string shown(const Value& value, std::string_view key) {
  switch (value.kind) {
    case Kind::null: return "null";
    case Kind::boolean: return value.boolean ? "true" : "false";
    case Kind::integer: return std::to_string(value.integer);
    case Kind::number: return base::json::Writer().value(value.number).take();
    case Kind::array: return "a list";
    case Kind::object: return "an object";
    case Kind::string: break;
  }
  if (is_secret(key)) return "this text";
  if (value.string.size() <= kLongestQuote) return "\"" + base::json::escape(value.string) + "\"";
  auto end = kLongestQuote;
  while (end > 0 && (static_cast<unsigned char>(value.string[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return "\"" + base::json::escape(value.string.substr(0, end)) + "…\"";
}

/// "1e3" and "5.0" are whole numbers too, in an unusual notation.
std::string as_whole(const Value& value) {
  constexpr double kMost = 9e15;
  if (!value.is(Kind::number) || std::floor(value.number) != value.number || std::abs(value.number) > kMost) return "";
  return "; write it without a decimal point and an exponent: " +
         std::to_string(static_cast<std::int64_t>(value.number));
}

/// "${NAME}", which some tools substitute; this program does not.
std::string variable_in(const std::string& text) {
  const auto begin = text.find("${");
  const auto end = begin == std::string::npos ? begin : text.find('}', begin);
  if (end == std::string::npos || end == begin + 2) return "";
  for (const char c : std::string_view(text).substr(begin + 2, end - begin - 2))
    if (c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9')) return "";
  return text.substr(begin, end - begin + 1);
}

bool refuse(const Value& value, std::string_view key, std::string_view allowed, Problems& problems) {
  // The text of a check is either the allowed values ("1 to 9") or a sentence ("must be 1 to 9").
  const std::string_view verb = allowed.starts_with("must ") || allowed.starts_with("allowed ") ? "" : "must be ";
  problems.add(value.offset, key, shown(value, key) + " is not allowed; " + std::string(verb) + std::string(allowed));
  return false;
}

template <class N, class Text>
bool read_between(const Value& value, std::string_view key, N number, const Between<N>& range, const std::string& what,
                  Text text, N& out, Problems& problems) {
  if (number < range.least || number > range.most)
    return refuse(value, key, "must be " + what + " from " + text(range.least) + " to " + text(range.most), problems);
  out = number;
  return true;
}

std::string real_text(double number) { return base::json::Writer().value(number).take(); }

}  // namespace

void Problems::add(std::size_t offset, std::string_view key, std::string text) {
  all_.push_back({offset, std::string(key), std::move(text)});
}

bool read_flag(const Value& value, std::string_view key, bool& out, Problems& problems) {
  if (!value.is(Kind::boolean)) return refuse(value, key, "must be true or false", problems);
  out = value.boolean;
  return true;
}

bool read_whole(const Value& value, std::string_view key, Between<std::int64_t> range, std::int64_t& out,
                Problems& problems) {
  const auto text = [](std::int64_t number) { return std::to_string(number); };
  if (!value.is(Kind::integer))
    return refuse(value, key,
                  "must be a whole number from " + text(range.least) + " to " + text(range.most) + as_whole(value),
                  problems);
  return read_between(value, key, value.integer, range, "a whole number", text, out, problems);
}

bool read_real(const Value& value, std::string_view key, Between<double> range, double& out, Problems& problems) {
  if (!value.is(Kind::integer) && !value.is(Kind::number))
    return refuse(value, key, "must be a number from " + real_text(range.least) + " to " + real_text(range.most),
                  problems);
  return read_between(value, key, value.number, range, "a number", real_text, out, problems);
}

bool read_duration(const Value& value, std::string_view key, Between<Milliseconds> range, Milliseconds& out,
                   Problems& problems) {
  const std::string what = "a duration such as \"200ms\", \"2s\", \"5min\" or \"1h\",";
  const auto parsed = value.is(Kind::string) ? parse_duration(value.string) : std::nullopt;
  if (!parsed)
    return refuse(value, key,
                  "must be " + what + " from " + duration_text(range.least) + " to " + duration_text(range.most),
                  problems);
  return read_between(value, key, *parsed, range, what, duration_text, out, problems);
}

bool read_bytes(const Value& value, std::string_view key, Between<std::uint64_t> range, std::uint64_t& out,
                Problems& problems) {
  const std::string what = "a size such as \"16KiB\" or \"10GiB\", or a whole number of bytes,";
  std::optional<std::uint64_t> parsed;
  if (value.is(Kind::string)) parsed = parse_bytes(value.string);
  if (value.is(Kind::integer) && value.integer >= 0) parsed = static_cast<std::uint64_t>(value.integer);
  if (!parsed)
    return refuse(value, key, "must be " + what + " from " + bytes_text(range.least) + " to " + bytes_text(range.most),
                  problems);
  return read_between(value, key, *parsed, range, what, bytes_text, out, problems);
}

bool read_text(const Value& value, std::string_view key, const Check& check, std::string& out, Problems& problems) {
  if (!value.is(Kind::string)) return refuse(value, key, "must be text in quotes", problems);
  if (const auto variable = variable_in(value.string); !variable.empty()) {
    problems.add(value.offset, key,
                 "contains " + variable +
                     ", which this program does not substitute: write the value, or substitute it before the program "
                     "reads the file");
    return false;
  }
  const auto allowed = check ? check(value.string) : std::string();
  if (!allowed.empty()) return refuse(value, key, allowed, problems);
  out = value.string;
  return true;
}

bool read_texts(const Value& value, std::string_view key, const Check& check, std::vector<std::string>& out,
                Problems& problems) {
  if (!value.is(Kind::array)) return refuse(value, key, "must be a list of texts", problems);
  std::vector<std::string> texts;
  bool fine = true;
  for (std::size_t i = 0; i < value.array.size(); ++i) {
    std::string text;
    fine &= read_text(value.array[i], std::string(key) + "[" + std::to_string(i) + "]", check, text, problems);
    texts.push_back(std::move(text));
  }
  if (fine) out = std::move(texts);
  return fine;
}

}  // namespace tribune::config
