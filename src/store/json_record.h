#pragma once
// Reads a stored record that is a JSON object, member by member.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/json.h"

namespace tribune::store {

/// As records hold a time.
inline std::int64_t milliseconds_of(base::WallTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
}
inline base::WallTime time_of_milliseconds(std::int64_t milliseconds) {
  return base::WallTime(std::chrono::milliseconds(milliseconds));
}

/// A parsed record. A member that is absent or wrong makes the whole record invalid: result() is nullopt then.
class JsonRecord {
 public:
  explicit JsonRecord(std::string_view text) {
    if (auto parsed = base::json::parse(text)) value_ = std::move(*parsed);
    is_valid_ = value_.is(base::json::Kind::object);
  }

  std::string text(std::string_view name) { return std::string(needed(value_.text(name)).value_or("")); }
  /// What base::to_hex64() wrote; never 0.
  std::uint64_t id(std::string_view name) {
    auto found = base::from_hex64(value_.text(name).value_or(""));
    if (found == 0) found.reset();
    return needed(found).value_or(0);
  }
  /// At least 0.
  std::int64_t number(std::string_view name) {
    auto found = value_.whole(name);
    if (found && *found < 0) found.reset();
    return needed(found).value_or(0);
  }
  std::int64_t signed_number(std::string_view name) { return needed(value_.whole(name)).value_or(0); }
  bool flag(std::string_view name) { return needed(value_.flag(name)).value_or(false); }
  base::WallTime time(std::string_view name) { return time_of_milliseconds(number(name)); }
  /// nullopt when the member is absent.
  std::optional<base::WallTime> optional_time(std::string_view name) {
    if (value_.find(name) == nullptr) return std::nullopt;
    return time(name);
  }
  const base::json::Value& value() const { return value_; }

  void fail() { is_valid_ = false; }
  template <class T>
  std::optional<T> result(T made) const {
    if (!is_valid_) return std::nullopt;
    return made;
  }

 private:
  template <class T>
  std::optional<T> needed(std::optional<T> found) {
    is_valid_ = is_valid_ && found;
    return found;
  }

  base::json::Value value_;
  bool is_valid_ = false;
};

}  // namespace tribune::store
