// Any bytes as requests, in any pieces: the validator never reads out of bounds, its result does not depend on the
// pieces, it stays within its limits, and an accepted message has the announced framing.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/server/proxy_protocol.h"
#include "net/server/request_framing_validator.h"

using namespace tribune::net;

namespace {

struct Outcome {
  std::size_t used = 0;
  std::size_t messages = 0;
  RejectReason refusal = RejectReason::none;
  std::string bytes;
  bool operator==(const Outcome&) const = default;
};

/// `step` determines the sizes of the pieces; 0 feeds all at once.
Outcome run(std::string_view input, std::uint8_t step, const RequestFramingLimits& limits) {
  RequestFramingValidator guard(limits);
  Outcome outcome;
  outcome.bytes = input;
  std::size_t at = 0, message_begin = 0;
  for (std::size_t piece = 0; at < input.size(); ++piece) {
    std::size_t size = step == 0 ? input.size() - at : 1 + (piece * 7 + step) % step;
    if (size > input.size() - at) size = input.size() - at;
    for (const auto end = at + size; at < end;) {
      const auto progress = guard.feed(outcome.bytes.data() + at, end - at);
      if (progress.used > end - at) std::abort();
      at += progress.used;
      outcome.used = at;
      if (progress.step == RequestFramingValidator::Step::refused) {
        outcome.refusal = guard.refusal();
        if (outcome.refusal == RejectReason::none || outcome.refusal == RejectReason::framing_disagreement)
          std::abort();
        return outcome;
      }
      if (progress.step == RequestFramingValidator::Step::empty_line) message_begin = at;
      if (progress.step == RequestFramingValidator::Step::complete) {
        const auto message = std::string_view(outcome.bytes).substr(message_begin, at - message_begin);
        const auto head_end = message.find("\r\n\r\n");
        if (head_end == std::string_view::npos || head_end + 4 > limits.max_head_bytes) std::abort();
        if (message.substr(0, head_end).find('\0') != std::string_view::npos) std::abort();
        ++outcome.messages;
        guard.next();
        message_begin = at;
      } else if (progress.used == 0) {
        std::abort();
      }
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  RequestFramingLimits limits;
  limits.max_head_bytes = 512;
  limits.max_target_bytes = 128;
  limits.max_fields = 8;
  limits.max_body_bytes = 256;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = run(input, 0, limits);
  if (!(run(input, 1, limits) == whole)) std::abort();
  if (!(run(input, data[0], limits) == whole)) std::abort();

  const auto header = read_proxy_header(input);
  if (header.state == ProxyHeader::State::complete &&
      (header.length > input.size() || header.length > kMaxProxyHeaderBytes))
    std::abort();
  return 0;
}
