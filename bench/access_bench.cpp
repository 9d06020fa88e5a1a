// The speed of access decisions, and the memory of a million waiting tickets. Prints one line per figure; exits with 1
// when a limit is exceeded: 2 microseconds per decision, 200,000 decisions per second on one core, 200 MB for 1,000,000
// tickets.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <variant>
#include <vector>

#include "access/admission.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

using namespace tribune;
using namespace std::chrono_literals;

namespace {

constexpr int kCount = 1'000'000;
constexpr double kMostMicroseconds = 2;
constexpr double kMostMegabytes = 200;

/// The resident memory of this process in MB.
double resident() {
  std::ifstream status("/proc/self/statm");
  double pages = 0;
  status >> pages >> pages;
  return pages * 4096 / 1e6;
}

/// CPU time, so that other processes do not count.
double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

bool is_kept = true;

template <class F>
void measure(const char* what, int count, F f) {
  const auto start = processor_seconds();
  for (int i = 0; i < count; ++i) f(i);
  const auto took = processor_seconds() - start;
  const auto microseconds = took * 1e6 / count;
  std::printf("%-52s %8.3f us  %10.0f per second and core\n", what, microseconds, count / took);
  is_kept = is_kept && microseconds <= kMostMicroseconds;
}

access::AccessSettings settings() {
  access::AccessSettings made;
  made.max_sessions = 500'000;
  made.max_queue = 2 * kCount;
  made.max_tickets_per_address = kCount;
  return made;
}

}  // namespace

int main() {
  base::LogSettings silent;
  silent.level = base::LogLevel::off;
  base::Log log(silent);
  base::Metrics metrics;
  base::ManualClock clock;
  access::Admission admission(clock, log, metrics, settings(), 4'000'000);
  admission.configure(settings(), {{"main", 5}});

  std::vector<access::SessionId> sessions;
  sessions.reserve(500'000);
  std::vector<access::TicketClaim> tickets;
  tickets.reserve(kCount);
  const auto newcomer = [&](int i) {
    const auto client =
        "10." + std::to_string(i >> 16 & 255) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255);
    const auto decision =
        admission.decide({.channel = "main", .client = client, .group = "stadium", .node = "a"}, nullptr, 1h);
    if (const auto* granted = std::get_if<access::Granted>(&decision)) sessions.push_back(granted->session);
    if (const auto* queued = std::get_if<access::Queued>(&decision)) tickets.push_back(queued->ticket);
  };
  measure("newcomer, let in", 500'000, newcomer);
  const auto before = resident();
  measure("newcomer, queued", kCount, newcomer);
  const auto took = resident() - before;
  std::printf("%-52s %8.1f MB\n", "1,000,000 waiting tickets", took);
  is_kept = is_kept && took <= kMostMegabytes && tickets.size() == static_cast<std::size_t>(kCount);

  measure("ticket shown, waits on (any place in the line)", kCount, [&](int i) {
    admission.decide({.channel = "main", .group = "stadium", .node = "a"},
                     &tickets[static_cast<std::size_t>(i) * 7'919 % kCount], 1h);
  });
  measure("session renewed", kCount, [&](int i) {
    admission.renew(sessions[static_cast<std::size_t>(i) % sessions.size()],
                    {.channel = "main", .group = "stadium", .node = "a"}, 1h);
  });
  std::size_t claimed = 0;
  measure("in turns: one leaves, the next is called, and claims", 300'000, [&](int i) {
    if (i % 3 == 0) {
      admission.release(sessions[static_cast<std::size_t>(i) / 3]);
      return;
    }
    const auto decision = admission.decide({.channel = "main", .group = "stadium", .node = "a"}, &tickets[claimed], 1h);
    claimed += std::holds_alternative<access::Granted>(decision);
  });
  std::printf("%-52s %8zu of 100000\n", "claimed", claimed);

  auto longest = 0.0;
  for (int i = 0; i < 100; ++i) {
    clock.advance(100ms);
    const auto start = processor_seconds();
    admission.tick();
    longest = std::max(longest, processor_seconds() - start);
  }
  std::printf("%-52s %8.3f us\n", "longest tick with 900,000 waiting", longest * 1e6);
  if (!is_kept) std::printf("A promise is broken.\n");
  return is_kept ? 0 : 1;
}
