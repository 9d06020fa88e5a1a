#pragma once
// The strict reader in front of the lenient one: follows HTTP/1 framing (RFC 9112) over the raw bytes of one connection
// and refuses what evhttp would let through (FAULTS rows 1 to 3). It judges and counts; it keeps no message. Owned by
// one worker.
//
// Lifetime of one message
//   waiting     nothing of it arrived; one empty line may come first     (next())
//   head        its request line or fields are arriving                  (feed)
//   body        the head was fine, its body or chunks are arriving       (feed)
//   complete    its last byte was seen; feed takes nothing more          (feed)
//   refused     it broke a rule; nothing after it can be trusted         (feed)

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "net/server/reject_reason.h"

namespace tribune::net {

struct RequestFramingLimits {
  std::uint64_t max_head_bytes = 16 * 1024;  // request line and fields; trailers again as much
  std::uint64_t max_target_bytes = 8 * 1024;
  std::uint64_t max_fields = 100;
  std::uint64_t max_body_bytes = 1024 * 1024;
  bool any_method = false;  // methods that are not known here may come, but for CONNECT and TRACE
};

class RequestFramingValidator {
 public:
  enum class Step : std::uint8_t {
    more,        // all bytes were taken, the message goes on
    empty_line,  // an empty line before the request ends here: drop everything up to here
    complete,    // the message ends here
    refused,
  };
  struct Progress {
    std::size_t used;
    Step step;
  };

  /// The limits are looked up as bytes arrive and must outlive the guard.
  explicit RequestFramingValidator(const RequestFramingLimits& limits) : limits_(&limits) {}

  /// Judges the next bytes, in order. It rewrites in place what is legal and evhttp misreads: a tab before a field's
  /// value and chunk extensions become spaces.
  Progress feed(char* bytes, std::size_t size);

  /// Makes ready for the next message of the connection; legal once complete.
  void next();

  RejectReason refusal() const { return refusal_; }
  bool begun() const { return state_ != State::start; }
  bool in_body() const { return state_ >= State::body && state_ < State::complete; }
  bool complete() const { return state_ == State::complete; }
  /// The word of a method that is not known here but may come (RequestFramingLimits::any_method); once, from the end of
  /// the word on. It stands at the beginning of the message.
  std::string take_other_method() { return std::exchange(other_method_, {}); }
  /// Field lines of the head, trailers not counted. Legal in body and complete.
  std::size_t fields() const { return fields_; }

 private:
  enum class State : std::uint8_t {
    start,
    start_lf,
    method,
    target,
    version,
    version_lf,
    line,
    name,
    before_value,
    value,
    value_lf,
    head_lf,
    // From here on the body; the order is meant (in_body()).
    body,
    chunk_size,
    chunk_extension,
    chunk_size_lf,
    chunk_data,
    chunk_cr,
    chunk_lf,
    trailer_line,
    trailer_name,
    trailer_before_value,
    trailer_value,
    trailer_value_lf,
    trailer_end_lf,
    complete,
    refused,
  };
  enum class Field : std::uint8_t { other, host, length, coding, expect };
  /// Where in a chunk extension the next byte stands (RFC 9112 section 7.1.1).
  enum class Extension : std::uint8_t {
    before_name,
    name,
    after_name,
    before_value,
    token,
    quoted,
    escaped,
    after_quoted,
    after_value
  };
  enum class TargetForm : std::uint8_t { origin, asterisk, scheme, authority, absolute_path };

  // One byte each; false when it was refused. The state says what comes next.
  bool take(char& c);
  bool take_first(char c);
  bool take_method(char c);
  bool take_target(char c);
  bool take_version(char c);
  bool take_line(char c, bool trailer);
  bool take_name(char c, bool trailer);
  bool take_before_value(char& c, bool trailer);
  bool take_value(char c, bool trailer);
  bool take_chunk_size(char& c);
  bool take_chunk_extension(char& c);
  bool is_next_in_extension(char c);
  bool expect(char c, char wanted, State next, RejectReason otherwise);
  // Whole runs of bytes that need no look at each one; how many were passed.
  std::size_t pass_run(const char* bytes, std::size_t size);
  std::size_t pass_name(const char* bytes, std::size_t most);

  bool refuse(RejectReason);
  bool go(State next);
  bool end_method();
  bool first_of_target(char c);
  bool end_target();
  bool end_version();
  bool end_field();
  bool end_host();
  bool end_length();
  bool end_coding();
  bool end_head();
  bool end_chunk_size();
  bool count_line_bytes(std::uint64_t bytes);
  Field field_of_name() const;

  static constexpr std::size_t kNameBytes = 17;  // "transfer-encoding"

  const RequestFramingLimits* limits_;
  std::uint64_t line_bytes_ = 0;  // of the head, or of the trailers
  std::uint64_t target_bytes_ = 0;
  std::uint64_t left_ = 0;        // of the body or chunk
  std::uint64_t body_bytes_ = 0;  // announced so far by chunks
  std::string authority_;         // of an absolute-form target
  std::string host_;
  std::string other_method_;
  std::string kept_;  // the word or the value that is being read and will be looked at
  std::uint32_t fields_ = 0;
  std::uint32_t trailer_fields_ = 0;
  std::uint32_t extension_bytes_ = 0;
  State state_ = State::start;
  RejectReason refusal_ = RejectReason::none;
  Field field_ = Field::other;
  TargetForm target_form_ = TargetForm::origin;
  Extension extension_ = Extension::before_name;
  bool is_https_target_ = false;  // of an absolute-form target
  std::uint8_t name_length_ = 0;  // saturates above kNameBytes
  char name_[kNameBytes] = {};
  bool is_http_1_0_ = false;
  bool is_options_ = false;
  bool may_have_body_ = true;
  bool empty_line_seen_ = false;
  bool has_host_ = false;
  bool has_length_ = false;
  bool has_coding_ = false;
};

/// Whether the text is a host with an optional port as Host and absolute targets carry it (RFC 9110 section 7.2): a
/// name, an IPv4 address or a bracketed IPv6 address; no userinfo.
bool is_valid_authority(std::string_view text);

}  // namespace tribune::net
