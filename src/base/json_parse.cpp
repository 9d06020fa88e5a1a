// The only file that includes RapidJSON's reader.
#include "base/json.h"

#define RAPIDJSON_HAS_STDSTRING 1
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <unordered_set>

namespace tribune::base::json {

namespace {

using Stream = rapidjson::MemoryStream;

/// Where the next token begins: after white space, comments, commas and colons.
std::size_t token_start(std::string_view text, std::size_t from) {
  while (from < text.size()) {
    const char c = text[from];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ':') {
      ++from;
    } else if (c == '/' && from + 1 < text.size() && text[from + 1] == '/') {
      from = std::min(text.find('\n', from), text.size());
    } else if (c == '/' && from + 1 < text.size() && text[from + 1] == '*') {
      const auto end = text.find("*/", from + 2);
      from = end == std::string_view::npos ? text.size() : end + 2;
    } else {
      break;
    }
  }
  return from;
}

constexpr const char* kLoneSurrogate = "the text has half of a surrogate pair, which is no character";

/// Whether UTF-8 contains an encoded surrogate (ED A0 to ED BF). RapidJSON refuses one that is written as bytes, and a
/// high one that is escaped, but accepts an escaped low one that follows no high one.
bool has_surrogate(std::string_view text) {
  for (auto at = text.find('\xed'); at != std::string_view::npos; at = text.find('\xed', at + 1))
    if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xa0) return true;
  return false;
}

/// Builds the tree from RapidJSON's events. An event handler returns false to stop at a bound. RapidJSON does not
/// report offsets, so each event finds the beginning of its token: after the end of the previous one.
class Builder {
 public:
  Builder(std::string_view text, const Stream& stream, const ParseLimits& limits)
      : text_(text), stream_(stream), limits_(limits) {}

  bool Null() { return add(Value{}); }
  bool Bool(bool b) {
    return add(scalar(Kind::boolean, [&](Value& v) { v.boolean = b; }));
  }
  /// Receives every number as valid text. WHY: RapidJSON 1.1.0 reads beyond its table of powers when it converts a long
  /// number with a large exponent.
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
    const auto* end = text + length;
    std::int64_t whole = 0;
    if (const auto read = std::from_chars(text, end, whole); read.ec == std::errc{} && read.ptr == end) {
      return add(scalar(Kind::integer, [&](Value& v) {
        v.integer = whole;
        v.number = static_cast<double>(whole);
      }));
    }
    double real = 0;
    if (std::from_chars(text, end, real).ec == std::errc::result_out_of_range) {
      real = std::strtod(std::string(text, end).c_str(), nullptr);  // distinguishes overflow from underflow
      if (std::isinf(real)) return stop(scalar_offset(), "the number is too large for a double");
    }
    return add(scalar(Kind::number, [&](Value& v) { v.number = real; }));
  }
  // Required by RapidJSON's interface; not called, because every number is raw.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    if (has_surrogate({text, length})) return stop(scalar_offset(), kLoneSurrogate);
    return add(scalar(Kind::string, [&](Value& v) { v.string.assign(text, length); }));
  }
  bool StartObject() { return open(Kind::object); }
  bool StartArray() { return open(Kind::array); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool EndArray(rapidjson::SizeType) { return close(); }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    auto& frame = open_.back();
    frame.member_name.assign(text, length);
    frame.member_offset = scalar_offset();
    if (has_surrogate(frame.member_name)) return stop(frame.member_offset, kLoneSurrogate);
    if (!frame.names.insert(frame.member_name).second)
      return stop(frame.member_offset, "\"" + escape(frame.member_name) + "\" occurs twice in this object");
    return true;
  }

  Value root;
  SyntaxError error;

 private:
  struct Frame {
    Value value;
    std::string member_name;
    std::size_t member_offset = 0;
    std::unordered_set<std::string> names;
  };

  template <class Fill>
  Value scalar(Kind kind, Fill fill) {
    Value v;
    v.kind = kind;
    fill(v);
    return v;
  }
  bool stop(std::size_t offset, std::string text) {
    error = {offset, std::move(text)};
    return false;
  }
  /// The offset of the token that RapidJSON has just read completely.
  std::size_t scalar_offset() {
    const auto offset = token_start(text_, token_end_);
    token_end_ = stream_.Tell();
    return offset;
  }
  /// The offset of a bracket, which RapidJSON reports before it has consumed it.
  std::size_t bracket_offset() {
    const auto offset = token_start(text_, token_end_);
    token_end_ = offset + 1;
    return offset;
  }
  bool counted(std::size_t offset) {
    if (++values_ <= limits_.max_values) return true;
    return stop(offset, "more than " + std::to_string(limits_.max_values) + " values");
  }
  bool add(Value v) {
    v.offset = scalar_offset();
    if (!counted(v.offset)) return false;
    place(std::move(v));
    return true;
  }
  bool open(Kind kind) {
    Frame frame;
    frame.value.kind = kind;
    frame.value.offset = bracket_offset();
    if (!counted(frame.value.offset)) return false;
    if (open_.size() >= limits_.max_depth)
      return stop(frame.value.offset, "nested deeper than " + std::to_string(limits_.max_depth));
    open_.push_back(std::move(frame));
    return true;
  }
  bool close() {
    bracket_offset();
    Value v = std::move(open_.back().value);
    open_.pop_back();
    place(std::move(v));
    return true;
  }
  void place(Value v) {
    if (open_.empty()) {
      root = std::move(v);
      return;
    }
    auto& frame = open_.back();
    if (frame.value.kind == Kind::array)
      frame.value.array.push_back(std::move(v));
    else
      frame.value.object.push_back({std::move(frame.member_name), frame.member_offset, std::move(v)});
  }

  std::string_view text_;
  const Stream& stream_;
  const ParseLimits& limits_;
  std::vector<Frame> open_;
  std::size_t values_ = 0;
  std::size_t token_end_ = 0;
};

}  // namespace

tl::expected<Value, SyntaxError> parse(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.max_bytes)
    return tl::unexpected(SyntaxError{limits.max_bytes, "longer than " + std::to_string(limits.max_bytes) + " bytes"});
  Stream stream(text.data(), text.size());
  Builder builder(text, stream, limits);
  rapidjson::Reader reader;
  constexpr unsigned kStrict =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
  const auto outcome =
      limits.comments
          ? reader.Parse<kStrict | rapidjson::kParseCommentsFlag | rapidjson::kParseTrailingCommasFlag>(stream, builder)
          : reader.Parse<kStrict>(stream, builder);
  if (outcome.IsError()) {
    if (!builder.error.text.empty()) return tl::unexpected(std::move(builder.error));
    return tl::unexpected(SyntaxError{outcome.Offset(), rapidjson::GetParseError_En(outcome.Code())});
  }
  return std::move(builder.root);
}

const Value* Value::find(std::string_view name) const {
  for (const auto& member : object)
    if (member.name == name) return &member.value;
  return nullptr;
}

std::optional<std::string_view> Value::text(std::string_view name) const {
  const auto* v = find(name);
  if (!v || v->kind != Kind::string) return std::nullopt;
  return v->string;
}

std::optional<std::int64_t> Value::whole(std::string_view name) const {
  const auto* v = find(name);
  if (!v || v->kind != Kind::integer) return std::nullopt;
  return v->integer;
}

std::optional<double> Value::real(std::string_view name) const {
  const auto* v = find(name);
  if (!v || (v->kind != Kind::integer && v->kind != Kind::number)) return std::nullopt;
  return v->number;
}

std::optional<bool> Value::flag(std::string_view name) const {
  const auto* v = find(name);
  if (!v || v->kind != Kind::boolean) return std::nullopt;
  return v->boolean;
}

TextPosition position_of(std::string_view text, std::size_t offset) {
  TextPosition place;
  for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++place.line;
      place.column = 1;
    } else {
      ++place.column;
    }
  }
  return place;
}

}  // namespace tribune::base::json
