#pragma once
// The return type of fallible functions. They do not throw, because nearly every call stack contains C callbacks.

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace tribune::base {

enum class ErrorKind {
  invalid_input,  // malformed or out of bounds
  not_found,
  forbidden,
  conflict,
  too_large,
  timeout,
  refused,      // no process listens at the port
  unavailable,  // unreachable, overloaded, closing
  protocol,     // the other party broke its protocol
  io,           // disk or descriptor
  cancelled,
  internal,
};

/// The party that has to change something: the sender of the input, or this program.
enum class Fault { client, node, origin, tribune };

struct Error {
  ErrorKind kind = ErrorKind::internal;
  Fault fault = Fault::tribune;
  bool may_retry = false;  // the same request may succeed elsewhere or later, and repeating it is safe
  std::string text;        // for people; no secrets
};

std::string_view to_string(ErrorKind);
std::string_view to_string(Fault);

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> failure(ErrorKind kind, Fault fault, std::string text, bool may_retry = false) {
  return tl::unexpected<Error>(Error{kind, fault, may_retry, std::move(text)});
}

}  // namespace tribune::base
