#include "net/server/request_framing_validator.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "http/uri_bytes.h"

namespace tribune::net {
namespace {

constexpr std::uint32_t kMaxExtensionBytes =
    4 * 1024;  // of all chunks of a body (RFC 9112 section 7.1.1 requires a limit)
constexpr std::size_t kMaxMethodBytes = 32;

enum Class : unsigned char { kToken = 1, kTarget = 2, kValue = 4 };

constexpr std::array<unsigned char, 256> make_classes() {
  std::array<unsigned char, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    unsigned char& classes = table[static_cast<std::size_t>(c)];
    if (alnum || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos)
      classes = static_cast<unsigned char>(classes | kToken);
    // RFC 3986 excludes more, but players send raw quotes and brackets in queries. '#' is never valid in a target.
    if (c > 0x20 && c < 0x7f && c != '#') classes = static_cast<unsigned char>(classes | kTarget);
    if ((c >= 0x20 && c != 0x7f) || c == '\t') classes = static_cast<unsigned char>(classes | kValue);
  }
  return table;
}
constexpr auto kClasses = make_classes();

bool is(char c, Class wanted) { return (kClasses[static_cast<unsigned char>(c)] & wanted) != 0; }

/// The reason for a byte that is not valid in a line.
RejectReason reason_of(char c, RejectReason otherwise) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '\n') return RejectReason::bare_line_feed;
  if (c == '\r') return RejectReason::bare_carriage_return;
  if (byte < 0x20 || byte == 0x7f) return RejectReason::control_byte;
  return otherwise;
}

}  // namespace

bool RequestFramingValidator::refuse(RejectReason reason) {
  refusal_ = reason;
  state_ = State::refused;
  return false;
}

bool RequestFramingValidator::go(State next) {
  state_ = next;
  return true;
}

bool RequestFramingValidator::count_line_bytes(std::uint64_t bytes) {
  line_bytes_ += bytes;
  return line_bytes_ <= limits_->max_head_bytes || refuse(RejectReason::head_too_large);
}

void RequestFramingValidator::next() {
  const auto* limits = limits_;
  // The strings keep their memory for the next head. All other members are reset.
  auto authority = std::move(authority_), host = std::move(host_), text = std::move(text_);
  *this = RequestFramingValidator(*limits);
  authority.clear();
  host.clear();
  text.clear();
  authority_ = std::move(authority);
  host_ = std::move(host);
  text_ = std::move(text);
}

RequestFramingValidator::Progress RequestFramingValidator::feed(char* bytes, std::size_t size) {
  std::size_t used = 0;
  while (used < size) {
    if (state_ == State::complete) return {used, Step::complete};
    if (state_ == State::refused) return {used, Step::refused};
    const auto run = pass_run(bytes + used, size - used);
    used += run;
    if (run != 0) continue;
    const bool was_empty_line = state_ == State::start_lf;
    if (!take(bytes[used++])) return {used, Step::refused};
    if (was_empty_line) return {used, Step::empty_line};
  }
  if (state_ == State::complete) return {used, Step::complete};
  return {used, state_ == State::refused ? Step::refused : Step::more};
}

std::size_t RequestFramingValidator::pass_run(const char* bytes, std::size_t size) {
  const auto limit_left = [](std::uint64_t limit, std::uint64_t taken) { return taken < limit ? limit - taken : 0; };
  if (state_ == State::body || state_ == State::chunk_data) {
    const auto run = std::min<std::uint64_t>(left_, size);
    left_ -= run;
    if (left_ == 0) state_ = state_ == State::body ? State::complete : State::chunk_cr;
    return run;
  }
  if (state_ == State::name || state_ == State::trailer_name)
    return pass_name(bytes, std::min<std::uint64_t>(size, limit_left(limits_->max_head_bytes, line_bytes_)));
  const bool is_value = (state_ == State::value && field_ == Field::other) || state_ == State::trailer_value;
  const bool is_target = state_ == State::target && target_bytes_ > 1 &&
                         (target_form_ == TargetForm::origin || target_form_ == TargetForm::absolute_path);
  if (!is_value && !is_target) return 0;
  auto most = std::min<std::uint64_t>(size, limit_left(limits_->max_head_bytes, line_bytes_));
  if (is_target) most = std::min(most, limit_left(limits_->max_target_bytes, target_bytes_));
  std::size_t run = 0;
  while (run < most && is(bytes[run], is_value ? kValue : kTarget)) ++run;
  line_bytes_ += run;
  if (is_target) target_bytes_ += run;
  return run;
}

/// A quarter of a player's request head is field names. Validating them in runs costs a third of validating them byte
/// by byte.
std::size_t RequestFramingValidator::pass_name(const char* bytes, std::size_t most) {
  std::size_t run = 0;
  for (; run < most && is(bytes[run], kToken); ++run) {
    if (name_length_ < kNameBytes) name_[name_length_] = http::to_lower(bytes[run]);
    if (name_length_ <= kNameBytes) ++name_length_;
  }
  line_bytes_ += run;
  return run;
}

bool RequestFramingValidator::take(char& c) {
  switch (state_) {
    case State::start: return take_first(c);
    case State::start_lf: return expect(c, '\n', State::start, RejectReason::bare_carriage_return);
    case State::method: return count_line_bytes(1) && take_method(c);
    case State::target: return take_target(c);
    case State::version: return count_line_bytes(1) && take_version(c);
    case State::version_lf:
    case State::value_lf:
      return count_line_bytes(1) && expect(c, '\n', State::line, RejectReason::bare_carriage_return);
    case State::line: return count_line_bytes(1) && take_line(c, false);
    case State::name: return count_line_bytes(1) && take_name(c, false);
    case State::before_value: return count_line_bytes(1) && take_before_value(c, false);
    case State::value: return count_line_bytes(1) && take_value(c, false);
    case State::head_lf:
      return count_line_bytes(1) && expect(c, '\n', State::line, RejectReason::bare_carriage_return) && end_head();
    case State::chunk_size:
    case State::chunk_extension: return take_chunk_size(c);
    case State::chunk_size_lf:
      return expect(c, '\n', State::chunk_data, RejectReason::bare_carriage_return) && end_chunk_size();
    case State::chunk_cr: return expect(c, '\r', State::chunk_lf, RejectReason::chunk_end_missing);
    case State::chunk_lf: return expect(c, '\n', State::chunk_size, RejectReason::chunk_end_missing);
    case State::trailer_line: return count_line_bytes(1) && take_line(c, true);
    case State::trailer_name: return count_line_bytes(1) && take_name(c, true);
    case State::trailer_before_value: return count_line_bytes(1) && take_before_value(c, true);
    case State::trailer_value: return count_line_bytes(1) && take_value(c, true);
    case State::trailer_value_lf: return expect(c, '\n', State::trailer_line, RejectReason::bare_carriage_return);
    case State::trailer_end_lf: return expect(c, '\n', State::complete, RejectReason::bare_carriage_return);
    case State::body:
    case State::chunk_data:
    case State::complete:
    case State::refused: break;
  }
  return refuse(RejectReason::framing_disagreement);
}

bool RequestFramingValidator::expect(char c, char wanted, State next, RejectReason otherwise) {
  return c == wanted ? go(next) : refuse(otherwise);
}

bool RequestFramingValidator::take_first(char c) {
  if (c == '\r' &&
      !empty_line_seen_) {  // RFC 9112 section 2.2: an empty line before the request is ignored, one of them
    empty_line_seen_ = true;
    return go(State::start_lf);
  }
  if (!is(c, kToken)) return refuse(reason_of(c, RejectReason::request_line_invalid));
  state_ = State::method;
  return count_line_bytes(1) && take_method(c);
}

bool RequestFramingValidator::take_method(char c) {
  if (c == ' ') return end_method();
  if (!is(c, kToken) || text_.size() == kMaxMethodBytes)
    return refuse(reason_of(c, RejectReason::request_line_invalid));
  text_ += c;
  return true;
}

bool RequestFramingValidator::take_target(char c) {
  if (c == ' ') return count_line_bytes(1) && end_target();
  if (!is(c, kTarget)) {
    // A request line without a version is HTTP/0.9.
    return refuse(c == '\r' ? RejectReason::request_line_invalid : reason_of(c, RejectReason::target_invalid));
  }
  if (target_bytes_ == limits_->max_target_bytes) return refuse(RejectReason::target_too_long);
  if (!count_line_bytes(1)) return false;
  if (target_bytes_++ == 0) return first_of_target(c);
  switch (target_form_) {
    case TargetForm::asterisk: return refuse(RejectReason::target_invalid);
    case TargetForm::scheme:
      text_ += http::to_lower(c);
      is_https_target_ = text_ == "https://";
      if (text_ == "http://" || is_https_target_) target_form_ = TargetForm::authority;
      return text_.size() < 8 || target_form_ == TargetForm::authority || refuse(RejectReason::target_invalid);
    case TargetForm::authority:
      if (c == '/' || c == '?')
        target_form_ = TargetForm::absolute_path;
      else
        authority_ += c;
      return authority_.size() <= 255 || refuse(RejectReason::target_invalid);
    case TargetForm::origin:
      // "//a:b" is an authority to evhttp, and no canonical path has an empty segment.
      return target_bytes_ != 2 || c != '/' || refuse(RejectReason::target_invalid);
    case TargetForm::absolute_path: return true;
  }
  return true;
}

bool RequestFramingValidator::take_version(char c) {
  if (c == '\r') return end_version();
  if (!is(c, kTarget) || text_.size() == 16) return refuse(reason_of(c, RejectReason::version_invalid));
  text_ += c;
  return true;
}

bool RequestFramingValidator::take_line(char c, bool trailer) {
  if (c == '\r') return go(trailer ? State::trailer_end_lf : State::head_lf);
  if (c == ' ' || c == '\t') return refuse(RejectReason::folded_field);
  auto& count = trailer ? trailer_fields_ : fields_;
  if (++count > limits_->max_fields) return refuse(RejectReason::too_many_fields);
  name_length_ = 0;
  state_ = trailer ? State::trailer_name : State::name;
  return take_name(c, trailer);
}

bool RequestFramingValidator::take_name(char c, bool trailer) {
  if (is(c, kToken)) {
    if (name_length_ < kNameBytes) name_[name_length_] = http::to_lower(c);
    if (name_length_ <= kNameBytes) ++name_length_;
    return true;
  }
  if (c == ' ' || c == '\t') return refuse(RejectReason::space_before_colon);
  if (c != ':' || name_length_ == 0) return refuse(reason_of(c, RejectReason::field_name_invalid));
  field_ = trailer ? Field::other : field_of_name();
  text_.clear();
  return go(trailer ? State::trailer_before_value : State::before_value);
}

bool RequestFramingValidator::take_before_value(char& c, bool trailer) {
  if (c == ' ') return true;
  if (c == '\t') {
    c = ' ';  // evhttp strips spaces only and would parse "Content-Length:<tab>5" as another number
    return true;
  }
  state_ = trailer ? State::trailer_value : State::value;
  return take_value(c, trailer);
}

bool RequestFramingValidator::take_value(char c, bool trailer) {
  if (c == '\r') {
    state_ = trailer ? State::trailer_value_lf : State::value_lf;
    return field_ == Field::other || end_field();
  }
  if (!is(c, kValue)) return refuse(reason_of(c, RejectReason::control_byte));
  if (field_ == Field::other) return true;
  if (text_.size() == 512) {
    if (field_ == Field::host) return refuse(RejectReason::host_invalid);
    return refuse(field_ == Field::length   ? RejectReason::length_invalid
                  : field_ == Field::coding ? RejectReason::coding_invalid
                                            : RejectReason::expectation_unknown);
  }
  text_ += c;
  return true;
}

/// Whether the byte is valid at this position; sets extension_ for the next byte.
bool RequestFramingValidator::is_next_in_extension(char c) {
  const auto next = [this](Extension position) {
    extension_ = position;
    return true;
  };
  const bool is_space = c == ' ' || c == '\t';
  switch (extension_) {
    case Extension::before_name: return is_space || (is(c, kToken) && next(Extension::name));
    case Extension::name:
      if (is(c, kToken)) return true;
      [[fallthrough]];
    case Extension::after_name:
      if (is_space) return next(Extension::after_name);
      if (c == '=') return next(Extension::before_value);
      return c == ';' && next(Extension::before_name);
    case Extension::before_value:
      if (c == '"') return next(Extension::quoted);
      return is_space || (is(c, kToken) && next(Extension::token));
    case Extension::quoted:
      return c == '"' ? next(Extension::after_quoted) : c == '\\' ? next(Extension::escaped) : true;
    case Extension::escaped: return next(Extension::quoted);
    case Extension::token:
      if (is(c, kToken)) return true;
      [[fallthrough]];
    case Extension::after_quoted:
    case Extension::after_value:
      if (is_space) return next(Extension::after_value);
      return c == ';' && next(Extension::before_name);
  }
  return false;
}

bool RequestFramingValidator::take_chunk_extension(char& c) {
  if (c == '\r') {
    const bool is_whole =
        extension_ == Extension::name || extension_ == Extension::token || extension_ == Extension::after_quoted;
    return is_whole ? go(State::chunk_size_lf) : refuse(RejectReason::chunk_extension_invalid);
  }
  if (!is(c, kValue)) return refuse(reason_of(c, RejectReason::chunk_extension_invalid));
  if (++extension_bytes_ > kMaxExtensionBytes) return refuse(RejectReason::chunk_extension_too_long);
  if (!is_next_in_extension(c)) return refuse(RejectReason::chunk_extension_invalid);
  c = ' ';  // evhttp refuses extensions, which a recipient must ignore (RFC 9112 section 7.1.1)
  return true;
}

bool RequestFramingValidator::take_chunk_size(char& c) {
  if (state_ == State::chunk_extension) return take_chunk_extension(c);
  if (const int digit = http::hex_value(c); digit >= 0) {
    if (text_.size() == 16) return refuse(RejectReason::chunk_size_invalid);
    text_ += c;
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    return true;
  }
  if (text_.empty()) return refuse(reason_of(c, RejectReason::chunk_size_invalid));
  if (c == '\r') return go(State::chunk_size_lf);
  if (c != ';') return refuse(reason_of(c, RejectReason::chunk_size_invalid));
  c = ' ';
  extension_ = Extension::before_name;
  return go(State::chunk_extension);
}

bool RequestFramingValidator::end_chunk_size() {
  text_.clear();
  if (left_ == 0) {
    line_bytes_ = 0;
    return go(State::trailer_line);
  }
  if (left_ > limits_->max_body_bytes - std::min(body_bytes_, limits_->max_body_bytes))
    return refuse(RejectReason::body_too_large);
  body_bytes_ += left_;
  return true;
}

}  // namespace tribune::net
