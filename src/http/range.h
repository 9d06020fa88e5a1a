#pragma once
// Byte ranges (RFC 9110 section 14). Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace tribune::http {

/// First and last byte position, both inclusive.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t length() const { return last - first + 1; }
  bool operator==(const ByteRange&) const = default;
};

struct WholeBody {};       // no Range, not bytes, malformed (section 14.2: ignored), or several ranges
struct NotSatisfiable {};  // 416 with Content-Range: bytes */length
using RangeDecision = std::variant<WholeBody, ByteRange, NotSatisfiable>;

/// The range that a Range field requests of a representation of `length` bytes.
RangeDecision decide_range(std::optional<std::string_view> range, std::uint64_t length);

/// A single range before the length is known: `first-`, `first-last` or `-suffix`.
struct RequestedRange {
  std::optional<std::uint64_t> first;  // nullopt: the last `last` bytes
  std::optional<std::uint64_t> last;
};
std::optional<RequestedRange> parse_single_range(std::string_view range);

/// "bytes 0-4/10" of a 206; nullopt when it is malformed or the length is unknown.
struct ContentRange {
  ByteRange range;
  std::uint64_t whole_length = 0;
};
std::optional<ContentRange> parse_content_range(std::string_view);

/// "bytes first-last/length"
std::string content_range(const ByteRange&, std::uint64_t length);

}  // namespace tribune::http
