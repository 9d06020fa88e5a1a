#include "access/admission.h"

#include <utility>

namespace tribune::access {

struct Admission::Inner {
  Sessions sessions;
  Limits limits;
};

Admission::Admission(const base::Clock& clock, base::Log&, base::Metrics& metrics, const AccessSettings& settings, std::size_t max_known)
    : inner_(std::unique_ptr<Inner>(new Inner{Sessions(clock, metrics, max_known), settings.limits()})) {}
Admission::~Admission() = default;

base::Status Admission::load(store::Store&) { return {}; }
void Admission::stop() {}
void Admission::configure(const AccessSettings&, const std::vector<ChannelFacts>&) {}
void Admission::predict(std::string_view, double) {}

Decision Admission::decide(const Visitor& visitor, const TicketClaim*, std::chrono::milliseconds idle) {
  const auto session = inner_->sessions.open(visitor.channel, idle);
  if (!session) return Refused{Refusal::queue_full};
  return Granted{*session};
}

Admission::Renewal Admission::renew(SessionId id, const Visitor& visitor, std::chrono::milliseconds idle) {
  switch (inner_->sessions.renew(id, visitor.channel, idle)) {
    case Sessions::Renewal::known: return Renewal::known;
    case Sessions::Renewal::adopted: return Renewal::adopted;
    case Sessions::Renewal::uncounted: return Renewal::uncounted;
  }
  return Renewal::uncounted;
}

bool Admission::cancel(std::string_view, const TicketClaim&) { return false; }
bool Admission::release(SessionId id) { return inner_->sessions.release(id); }
void Admission::tick(const std::function<void(SessionId)>& on_released) { inner_->sessions.sweep(on_released); }
void Admission::measured(const Traffic&) {}
Limits Admission::limits() const { return inner_->limits; }
base::Status Admission::change_limits(std::string_view json) { return apply(inner_->limits, json); }
void Admission::reset_limits() {}
void Admission::set_drill(std::string_view, const Drill&) {}
Drill Admission::drill(std::string_view) const { return {}; }
void Admission::open_now(std::string_view) {}
std::optional<QueueStatus> Admission::queue_status(std::string_view) const { return std::nullopt; }
std::size_t Admission::sessions() const { return inner_->sessions.count(); }
std::size_t Admission::sessions(std::string_view channel) const { return inner_->sessions.count(channel); }
void Admission::describe(base::json::Writer&) const {}

std::string_view word(Refusal refusal) {
  switch (refusal) {
    case Refusal::queue_full: return "queue_full";
    case Refusal::account_full: return "account_full";
    case Refusal::too_many_tickets: return "too_many_tickets";
    case Refusal::ticket_unknown: return "ticket_unknown";
    case Refusal::ticket_expired: return "ticket_expired";
    case Refusal::ticket_used: return "ticket_used";
    case Refusal::busy: return "busy";
  }
  return "";
}

}  // namespace tribune::access
