#include "balancer/sources/probe/known_media.h"

#include <algorithm>

namespace tribune::balancer {
namespace {

constexpr std::chrono::seconds kLookAgainAfter{30};

}  // namespace

void KnownMedia::look(const std::string& generation, const hls::Playlist& playlist, const http::Uri& base,
                      const net::FetchRequest& like, base::SteadyTime now,
                      std::function<void(Result, const std::optional<base::Error>&)> on_looked) {
  if (!has_begun_ || generation != generation_) {
    probe_.cancel();
    has_begun_ = true;
    is_known_ = false;
    failures_ = 0;
    generation_ = generation;
    found_ = {};
  }
  if (is_known_ || probe_.is_looking() || (failures_ > 0 && now < next_)) return;
  const auto question = probe_question(playlist, base);
  if (!question) return;
  next_ = now + kLookAgainAfter;
  probe_.begin(*question, like, [this, on_looked = std::move(on_looked)](ProbeResult result) {
    is_known_ = !result.facts.codecs.empty() || !result.error;
    if (!is_known_) ++failures_;
    const auto what = !result.facts.codecs.empty() ? Result::found
                      : is_known_                  ? Result::not_understood
                                                   : Result::failed;
    const auto error = result.error;
    if (is_known_) found_ = std::move(result);
    on_looked(what, error);
  });
}

std::optional<std::chrono::seconds> KnownMedia::next_look_in() const {
  return is_known_ ? std::nullopt : std::optional(kLookAgainAfter);
}

OnlyVariant KnownMedia::variant(std::optional<std::int64_t> said_bps, std::int64_t otherwise_bps) const {
  const auto measured = found_.bandwidth_bps;
  OnlyVariant variant;
  variant.media = found_.facts;
  variant.average_bandwidth_bps = measured;
  // Of one segment; others may be larger.
  const auto peak = measured > 0 ? measured + measured / 4 : otherwise_bps;
  variant.bandwidth_bps = std::max(said_bps.value_or(peak), measured);
  return variant;
}

}  // namespace tribune::balancer
