#include "balancer/sources/probe/known_media.h"

#include <algorithm>

namespace tribune::balancer {
namespace {

constexpr std::chrono::seconds kProbeRetryAfter{30};

}  // namespace

void KnownMedia::probe_if_due(const std::string& generation, const hls::Playlist& playlist, const http::Uri& base,
                              const net::FetchRequest& like, base::SteadyTime now,
                              std::function<void(Result, const std::optional<base::Error>&)> on_media_probed) {
  if (!has_begun_ || generation != generation_) {
    probe_.cancel();
    has_begun_ = true;
    is_known_ = false;
    failures_ = 0;
    generation_ = generation;
    found_ = {};
  }
  if (is_known_ || probe_.is_probing() || (failures_ > 0 && now < next_)) return;
  const auto target = probe_target(playlist, base);
  if (!target) return;
  next_ = now + kProbeRetryAfter;
  probe_.begin(*target, like, [this, on_media_probed = std::move(on_media_probed)](ProbeResult result) {
    is_known_ = !result.facts.codecs.empty() || !result.error;
    if (!is_known_) ++failures_;
    const auto what = !result.facts.codecs.empty() ? Result::found
                      : is_known_                  ? Result::not_understood
                                                   : Result::failed;
    const auto error = result.error;
    if (is_known_) found_ = std::move(result);
    on_media_probed(what, error);
  });
}

std::optional<std::chrono::seconds> KnownMedia::next_probe_in() const {
  return is_known_ ? std::nullopt : std::optional(kProbeRetryAfter);
}

OnlyVariant KnownMedia::variant(std::optional<std::int64_t> configured_bps, std::int64_t default_bps) const {
  const auto measured = found_.bandwidth_bps;
  OnlyVariant variant;
  variant.media = found_.facts;
  variant.average_bandwidth_bps = measured;
  // The measured segment may not be the largest one.
  const auto peak = measured > 0 ? measured + measured / 4 : default_bps;
  variant.bandwidth_bps = std::max(configured_bps.value_or(peak), measured);
  return variant;
}

}  // namespace tribune::balancer
