#pragma once
// A parser and a writer of JSON (RFC 8259). Parsed values keep their offset in the text. Only the .cpp files include
// RapidJSON.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tribune::base::json {

enum class Kind { null, boolean, integer, number, string, array, object };

struct Member;

/// A parsed value. Immutable after parsing.
struct Value {
  Kind kind = Kind::null;
  bool boolean = false;
  std::int64_t integer = 0;  // kind integer; also set in `number`
  double number = 0;
  std::string string;
  std::vector<Value> array;
  std::vector<Member> object;  // in the order of the text; parse() rejects duplicate names
  std::size_t offset = 0;      // where the value begins in the text, in bytes

  bool is(Kind k) const { return kind == k; }
  const Value* find(std::string_view name) const;
  // Members by name and kind; nullopt when absent or of another kind.
  std::optional<std::string_view> text(std::string_view name) const;
  std::optional<std::int64_t> whole(std::string_view name) const;
  std::optional<double> real(std::string_view name) const;
  std::optional<bool> flag(std::string_view name) const;
};

struct Member {
  std::string name;
  std::size_t name_offset = 0;
  Value value;
};

struct ParseLimits {
  bool comments = false;  // as in configuration files: // and /* */, and a trailing comma
  std::size_t max_depth = 32;
  std::size_t max_bytes = 1 << 20;
  std::size_t max_values = 200'000;
};

/// A syntax error with its position.
struct SyntaxError {
  std::size_t offset = 0;
  std::string text;
};

tl::expected<Value, SyntaxError> parse(std::string_view text, const ParseLimits& limits = {});

/// Line and column of a byte offset, both from 1; columns count bytes.
struct TextPosition {
  std::size_t line = 1;
  std::size_t column = 1;
};
TextPosition position_of(std::string_view text, std::size_t offset);

/// Writes compact JSON with commas and escapes. The caller must balance begin and end calls.
class Writer {
 public:
  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);
  Writer& value(std::string_view text);
  Writer& value(const char* text) { return value(std::string_view(text)); }
  Writer& value(const std::string& text) { return value(std::string_view(text)); }
  Writer& value(bool);
  Writer& value(std::int64_t);
  Writer& value(std::uint64_t);
  Writer& value(int v) { return value(std::int64_t{v}); }
  Writer& value(unsigned v) { return value(std::uint64_t{v}); }
  Writer& value(double);
  Writer& null();
  template <class T>
  Writer& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }
  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  void before_value();
  std::string text_;
  bool need_comma_ = false;
};

/// `text` escaped for a JSON string, without the quotes.
std::string escape(std::string_view text);

}  // namespace tribune::base::json
