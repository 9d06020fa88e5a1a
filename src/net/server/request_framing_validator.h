#pragma once
// Validates HTTP/1 framing (RFC 9112) over the raw bytes of one connection, and refuses the malformed requests that
// evhttp accepts. It counts bytes and fields, and stores no message. Owned by one worker; its owner is RequestReader.
//
// States of one message
//   waiting     no byte of it has arrived; one empty line may precede it      (next)
//   head        its request line or fields are arriving                       (feed)
//   body        the head is valid, its body or chunks are arriving            (feed)
//   complete    its last byte was read; feed accepts no more bytes            (feed)
//   refused     it is invalid; where the next message begins is unknown       (feed)

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "net/server/reject_reason.h"

namespace tribune::net {

struct RequestFramingLimits {
  std::uint64_t max_head_bytes = 16 * 1024;  // of request line and fields; the same limit applies to trailers
  std::uint64_t max_target_bytes = 8 * 1024;
  std::uint64_t max_fields = 100;
  std::uint64_t max_body_bytes = 1024 * 1024;
  bool any_method = false;  // unknown methods are valid, except CONNECT and TRACE
};

class RequestFramingValidator {
 public:
  enum class Step : std::uint8_t {
    more,        // all bytes were accepted, and the message continues
    empty_line,  // an empty line before the request ends here: the caller drops everything up to here
    complete,    // the message ends here
    refused,
  };
  struct Progress {
    std::size_t used;
    Step step;
  };

  /// The limits are read as bytes arrive and must outlive the validator.
  explicit RequestFramingValidator(const RequestFramingLimits& limits) : limits_(&limits) {}

  /// Validates the next bytes. Replaces in place bytes that are valid but that evhttp parses wrongly: a tab before a
  /// field's value, and chunk extensions, become spaces.
  Progress feed(char* bytes, std::size_t size);

  /// Prepares for the next message of the connection. Legal when complete.
  void next();

  RejectReason refusal() const { return refusal_; }
  bool begun() const { return state_ != State::start; }
  bool in_body() const { return state_ >= State::body && state_ < State::complete; }
  bool complete() const { return state_ == State::complete; }
  /// An unknown method that is valid (RequestFramingLimits::any_method). It is returned once, as soon as it was read
  /// completely; it is at the beginning of the message.
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
    // The states of the body begin here; in_body() depends on the order.
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
  /// The position of the next byte in a chunk extension (RFC 9112 section 7.1.1).
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

  // Each validates one byte and sets the state; false when the byte was refused.
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
  // Runs of bytes that are validated together; the number of bytes.
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
  std::string text_;  // the word or the value that is being read, when it is needed
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
