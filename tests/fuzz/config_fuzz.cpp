// Any bytes as a configuration: the result is settings or problems, without a crash, and every position is in the text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/settings.h"
#include "contracts/event.h"
#include "net/server/http_server.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tribune;
  static const config::Schema schema = [] {
    config::Schema made;
    made.add(contracts::event_section(), config::Presence::optional);
    made.add(net::server_section(), config::Presence::optional);
    return made;
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto outcome = schema.read(text);
  if (outcome.settings.has_value() != outcome.problems.empty()) std::abort();
  for (const auto& problem : outcome.problems) {
    if (problem.offset > size || problem.text.empty()) std::abort();
  }
  if (!outcome.problems.empty() && config::describe(outcome.problems, "fuzz", text).empty()) std::abort();
  return 0;
}
