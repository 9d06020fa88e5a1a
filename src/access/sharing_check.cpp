#include "access/sharing_check.h"

#include <fmt/format.h>

#include <string_view>

namespace tribune::access {

SharingCheck::SharingCheck(base::Log& log, base::Metrics& metrics, Sessions& sessions)
    : log_(log),
      sessions_(sessions),
      shared_(metrics.counter("tribune_access_shared_requests_total",
                              "Requests of sessions that are used from more networks than max_networks_per_session.")) {
}

void SharingCheck::configure(const AccessSettings& settings) {
  max_networks_ = settings.max_networks_per_session;
  handover_ = settings.handover;
  rule_ = settings.sharing_rule;
}

SharingCheck::Outcome SharingCheck::check(SessionId id, const Visitor& visitor) {
  if (visitor.network == 0) return Outcome::serve;
  const auto usage = sessions_.record_network(id, visitor.network, {max_networks_, handover_});
  if (usage == SessionNetworks::Usage::allowed) return Outcome::serve;
  shared_.add();
  const auto rule = rule_.load();
  if (usage == SessionNetworks::Usage::exceeded) {
    const std::string_view outcome = rule == SharingRule::log      ? "served"
                                     : rule == SharingRule::refuse ? "refused"
                                                                   : "ended";
    log_.warning("access", "session_shared",
                 {{"session", fmt::format("{:016x}", id)},
                  {"channel", visitor.channel},
                  {"client", visitor.client},
                  {"outcome", outcome}});
  }
  return rule == SharingRule::log ? Outcome::serve : rule == SharingRule::refuse ? Outcome::refuse : Outcome::end;
}

}  // namespace tribune::access
