#pragma once
// The purges that a cache node sends with its request for an object to another node: those that it knows and that match
// the object. A node that has not carried out one of them does not serve its stored object. Values and pure functions.
//
//   X-Tribune-Purges: k3x9-12;channel;hard;40;demo k3x9-14;url;soft;0;demo/e1/a.m3u8
//
// The number before the value is the purge's age in seconds, rounded up: the receiver forgets it at the same time as
// the sender. Otherwise nodes would exchange it forever.
//
// An id is "{issuer}-{number}": an issuer's numbers increase, so that the newer one of two equal purges replaces the
// older one.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "contracts/order.h"

namespace tribune::contracts {

inline constexpr std::string_view kPurgesHeader = "X-Tribune-Purges";

/// The maximum length; an object with more purges is fetched from the origin. Half of the default bound on a request
/// head.
inline constexpr std::size_t kMaxPurgeMarks = 128;
inline constexpr std::size_t kMaxPurgeMarkBytes = 8'192;

struct NamedPurge {
  std::string id;
  PurgeOrder order;
  std::chrono::seconds age{0};  // since the first node began it
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
/// Reads the marks of a field's value. Errors: invalid_input.
base::Result<std::vector<NamedPurge>> read_purge_marks(std::string_view text);

}  // namespace tribune::contracts
