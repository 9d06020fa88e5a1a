#pragma once
// Validates the raw lines of a response's head and refuses errors that libcurl accepts: contradictory or malformed
// framing, invalid bytes, heads without a limit. Does not use sockets.
//
// States
//   status    the next line must be a status line; again after each interim (1xx) head      (constructor, line)
//   fields    field lines, up to the empty line                                             (line)
//   complete  the final head was read; further lines are trailers, validated and dropped    (line)

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace tribune::net {

/// Owned by one worker.
class ResponseFramingValidator {
 public:
  static constexpr std::size_t kMaxHeadBytes = 64 * 1024;  // interim heads and trailers included
  static constexpr std::size_t kMaxFieldBytes = 16 * 1024;
  static constexpr std::size_t kMaxFields = 200;
  static constexpr int kMaxInterimHeads = 8;

  /// The method of the request: a response to HEAD has no body, regardless of its fields.
  explicit ResponseFramingValidator(http::Method method) : method_(method) {}

  enum class Seen { more, interim_head, whole_head };
  /// The next line with its line end. `whole_head` for the empty line that ends the final head, `interim_head` for that
  /// of a 1xx head. Errors: protocol, fault origin; the connection must not be used again.
  base::Result<Seen> line(std::string_view raw);

  /// Whether the connection uses HTTP/2; false until this is called. A response with the other version is refused.
  void over_http2(bool is) { over_http2_ = is; }

  // The last interim head. Legal directly after `interim_head`.
  int interim_status() const { return interim_status_; }
  const http::Headers& interim_fields() const { return interim_fields_; }

  bool has_whole_head() const { return state_ == State::complete; }
  bool has_begun() const { return bytes_ != 0; }

  // The final head. Legal when it is complete.
  int status() const { return status_; }
  const http::Headers& headers() const { return headers_; }
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  bool has_body() const;
  /// The end of the connection ends the body: there is no length, no chunks and no frames.
  bool ends_with_connection() const;
  bool is_http1() const { return version_ == Version::http10 || version_ == Version::http11; }

 private:
  enum class State { status, fields, complete };
  enum class Version { http10, http11, http2 };

  base::Status status_line(std::string_view line);
  base::Status field_line(std::string_view line);
  base::Status framing_field(std::string_view name, std::string_view value);
  base::Result<Seen> end_of_head();

  http::Method method_;
  State state_ = State::status;
  Version version_ = Version::http11;
  int status_ = 0;
  int interim_heads_ = 0;
  int interim_status_ = 0;
  http::Headers interim_fields_;
  bool over_http2_ = false;
  std::size_t bytes_ = 0;
  std::size_t fields_ = 0;
  bool is_chunked_ = false;
  std::optional<std::uint64_t> content_length_;
  http::Headers headers_;
};

}  // namespace tribune::net
