#include "access/sharing_check.h"

#include <fmt/format.h>

namespace tribune::access {

SharingCheck::SharingCheck(base::Log& log, base::Metrics& metrics, Sessions& sessions)
    : log_(log),
      sessions_(sessions),
      shared_(metrics.counter("tribune_access_shared_requests_total",
                              "Requests of sessions that are used from more networks than max_networks_per_session.")),
      concurrent_(metrics.counter("tribune_access_concurrent_viewing_total",
                                  "Requests by which two players watched one session in different networks: those "
                                  "that showed it, and those that were refused.")) {}

void SharingCheck::configure(const AccessSettings& settings) {
  max_networks_ = settings.max_networks_per_session;
  handover_ = settings.handover;
  rule_ = settings.sharing_rule;
  paid_rule_ = settings.paid_sharing_rule;
}

SharingCheck::Outcome SharingCheck::check(SessionId id, const Visitor& visitor) {
  if (visitor.network == 0) return Outcome::serve;
  const auto usage = sessions_.record_network(id, visitor.network, {max_networks_, handover_});
  if (usage == SessionNetworks::Usage::allowed) return Outcome::serve;
  shared_.add();
  const auto rule = rule_.load();
  if (usage == SessionNetworks::Usage::exceeded)
    log_shared("session_shared", id, visitor.channel, visitor.client, rule);
  return rule == SharingRule::log ? Outcome::serve : rule == SharingRule::refuse ? Outcome::refuse : Outcome::end;
}

SharingCheck::Outcome SharingCheck::check_progress(SessionId id, const PlaylistProgress& progress) {
  if (progress.network == 0) return Outcome::serve;
  const auto rule = paid_rule_.load();
  const auto verdict = sessions_.record_progress(id, progress.network, progress.version, {rule, handover_});
  if (verdict.is_found || verdict.is_refused) concurrent_.add();
  if (verdict.is_found) log_shared("session_watched_twice", id, progress.channel, progress.client, rule);
  if (verdict.is_found && rule == SharingRule::end) return Outcome::end;
  return verdict.is_refused ? Outcome::refuse : Outcome::serve;
}

void SharingCheck::log_shared(std::string_view event, SessionId id, std::string_view channel, std::string_view client,
                              SharingRule rule) {
  const std::string_view outcome = rule == SharingRule::log      ? "served"
                                   : rule == SharingRule::refuse ? "refused"
                                                                 : "ended";
  log_.warning(
      "access", event,
      {{"session", fmt::format("{:016x}", id)}, {"channel", channel}, {"client", client}, {"outcome", outcome}});
}

}  // namespace tribune::access
