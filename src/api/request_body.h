#pragma once
// The JSON object in the body of a request, read member by member. The first thing that is wrong becomes the error, in
// both languages of the API.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/localized.h"
#include "base/json.h"
#include "http/message.h"
#include "shop/money.h"

namespace tribune::api {

/// At most kMaxBodyBytes, 4 levels and 64 values; duplicate names, lone surrogates, and text that is not UTF-8 are
/// refused. Owned by one worker.
class RequestBody {
 public:
  static constexpr std::size_t kMaxBodyBytes = 8 * 1024;

  explicit RequestBody(const http::Request&);

  /// The text of a member, with a length in bytes between these bounds. Empty and an error when it is not.
  std::string text(std::string_view name, std::size_t least, std::size_t most);
  /// Empty when the member is absent or null.
  std::string optional_text(std::string_view name, std::size_t most);
  /// True or false, and an error when it is absent.
  bool flag(std::string_view name);
  bool optional_flag(std::string_view name);
  /// nullopt when the member is absent or null, and an error when it is not a whole number between these bounds.
  std::optional<std::int64_t> optional_whole(std::string_view name, std::int64_t least, std::int64_t most);
  /// {amount, currency}: whole minor units between `least` and shop::kMaxAmount.
  shop::Money money(std::string_view name, std::int64_t least = 0);

  /// After all members were read: what is wrong, or nullopt. A member that was not asked for is an error.
  std::optional<Localized> finish();
  /// The problem of what is wrong: body_too_large or bad_request.
  const http::ProblemType& problem_type() const;

 private:
  const base::json::Value* member(std::string_view name);
  std::string checked_text(const base::json::Value&, std::string_view name, std::size_t least, std::size_t most);
  void fail(Localized);

  base::json::Value value_;
  std::vector<std::string_view> known_;
  std::optional<Localized> error_;
  bool is_too_large_ = false;
};

}  // namespace tribune::api
