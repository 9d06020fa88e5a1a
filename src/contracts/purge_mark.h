#pragma once
// The purges that one cache node tells another when it asks for an object: those that it knows and that cover the
// object. A node that has not carried one of them out does not answer with what it holds. Values and pure functions.
//
//   X-Tribune-Purges: k3x9-12;channel;hard;40;demo k3x9-14;url;soft;0;demo/e1/a.m3u8
//
// The number before the value is the purge's age in seconds, rounded up: whoever learns of it forgets it when the
// teller does. Otherwise nodes would tell it each other for ever.
//
// An id is "{issuer}-{number}": an issuer's numbers grow, so the newer one of two equal purges stands for both.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "contracts/order.h"

namespace tribune::contracts {

inline constexpr std::string_view kPurgesHeader = "X-Tribune-Purges";

/// What finds no room here cannot be told: such an object is fetched from the origin. Half of what a node's front takes
/// for a head by itself.
inline constexpr std::size_t kMaxPurgeMarks = 128;
inline constexpr std::size_t kMaxPurgeMarkBytes = 8'192;

struct NamedPurge {
  std::string id;
  PurgeOrder order;
  std::chrono::seconds age{0};  // since the first node that knew of it began it
  bool operator==(const NamedPurge&) const = default;
};

/// "{issuer}-{number}"; an id of another form is an issuer of its own.
struct OrderName {
  std::string_view issuer;
  std::int64_t number = 0;
};
OrderName order_name(std::string_view id);
std::string order_id(std::string_view issuer, std::int64_t number);

/// One mark, without a space.
std::string purge_mark(const NamedPurge&);
/// Of a field's value. Errors: invalid_input.
base::Result<std::vector<NamedPurge>> read_purge_marks(std::string_view text);

}  // namespace tribune::contracts
