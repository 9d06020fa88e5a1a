#pragma once
// An Admission with a manual clock, and shorthands for its calls.

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <doctest/doctest.h>

#include "access/admission.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

namespace tribune::test {

using namespace std::chrono_literals;

inline base::LogSettings quiet() {
  base::LogSettings settings;
  settings.level = base::LogLevel::error;
  return settings;
}

struct Gate {
  base::ManualClock clock;
  base::Log log{quiet()};
  base::Metrics metrics;
  access::AccessSettings settings;
  std::optional<access::Admission> admission;
  std::chrono::milliseconds idle{10'000};

  Gate() = default;
  explicit Gate(std::int64_t max_sessions) {
    settings.max_sessions = max_sessions;
    open();
  }
  void open(std::vector<access::Admission::ChannelFacts> channels = {{"main", 5}}, store::Store* store = nullptr) {
    admission.emplace(clock, log, metrics, settings);
    admission->configure(settings, channels);
    if (store) REQUIRE(admission->load(*store));
  }

  access::Decision ask(std::string_view lane = "", std::string_view channel = "main") {
    return ask({.channel = channel, .lane = lane});
  }
  access::Decision ask(const access::Visitor& visitor) { return admission->decide(visitor, nullptr, idle); }
  access::Decision show(const access::TicketClaim& ticket, std::string_view channel = "main") {
    return admission->decide({.channel = channel}, &ticket, idle);
  }
  access::SessionId granted(const access::Decision& decision) {
    REQUIRE(std::holds_alternative<access::Granted>(decision));
    return std::get<access::Granted>(decision).session;
  }
  access::TicketClaim ticket(const access::Decision& decision) { return queued(decision).ticket; }
  access::Queued queued(const access::Decision& decision) {
    REQUIRE(std::holds_alternative<access::Queued>(decision));
    return std::get<access::Queued>(decision);
  }
  std::optional<access::DenyReason> refusal(const access::Decision& decision) {
    if (const auto* refused = std::get_if<access::Refused>(&decision)) return refused->reason;
    return std::nullopt;
  }
  static bool is_granted(const access::Decision& decision) { return std::holds_alternative<access::Granted>(decision); }
  static bool is_queued(const access::Decision& decision) { return std::holds_alternative<access::Queued>(decision); }

  /// Time passes in ticks, as with the balancer's timer.
  void pass(std::chrono::milliseconds time) {
    for (std::chrono::milliseconds gone{0}; gone < time; gone += 100ms) {
      clock.advance(100ms);
      admission->tick();
    }
  }
};

}  // namespace tribune::test
