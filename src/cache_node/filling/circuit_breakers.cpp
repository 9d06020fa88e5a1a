#include "cache_node/filling/circuit_breakers.h"

namespace tribune::cache_node {

Circuits::Circuits(base::Log& log, base::Metrics& metrics)
    : log_(log),
      opened_(metrics.counter("tribune_cache_circuits_opened_total",
                              "Openings of a circuit breaker: an origin or another node failed several times in a row "
                              "and gets no requests until the circuit closes.")),
      open_(metrics.gauge("tribune_cache_circuits_open", "Origins and other nodes whose circuit breaker is open.")) {}

bool Circuits::may_request(std::string_view name, base::SteadyTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = circuits_.find(name);
  if (found == circuits_.end() || !found->second.open) return true;
  auto& circuit = found->second;
  if (now < circuit.next_try) return false;
  circuit.next_try = now + circuit.rest;
  return true;
}

void Circuits::succeeded(std::string_view name) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = circuits_.find(name);
    if (found == circuits_.end()) return;
    found->second.failures = 0;
    if (!found->second.open) return;
    found->second.open = false;
    open_.add(-1);
  }
  log_.info("cache_node", "circuit_closed", {{"place", name}});
}

void Circuits::failed(std::string_view name, const CircuitSettings& settings, base::SteadyTime now,
                      std::string_view why, bool is_unusable) {
  {
    const std::lock_guard lock(mutex_);
    auto found = circuits_.find(name);
    if (found == circuits_.end()) {
      if (circuits_.size() >= kMaxNames) return;
      found = circuits_.emplace(std::string(name), Circuit{}).first;
    }
    auto& circuit = found->second;
    circuit.rest = settings.rest;
    circuit.is_unusable = is_unusable;
    if (circuit.open) {
      circuit.next_try = now + circuit.rest;
      return;
    }
    if (++circuit.failures < settings.failures) return;
    circuit.open = true;
    circuit.next_try = now + circuit.rest;
    open_.add(1);
    opened_.add();
  }
  log_.warning("cache_node", "circuit_opened", {{"place", name}, {"error", why}});
}

bool Circuits::sent_unusable_response(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = circuits_.find(name);
  return found != circuits_.end() && found->second.is_unusable;
}

bool Circuits::is_open(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = circuits_.find(name);
  return found != circuits_.end() && found->second.open;
}

}  // namespace tribune::cache_node
