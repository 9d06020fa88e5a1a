#pragma once
// The known properties of the media of a source that has no multivariant playlist. A generation of the source is probed
// once; a failed probe is repeated after kRetryAfter. Owned by one worker.
//
// States of the present generation
//   unknown    not probed: there is no segment, or a probe failed and its retry is not due       (probe_if_due)
//   probing    the first viewers wait, for the time that the caller sets                         (probe_if_due)
//   known      probed: the properties were found, or the media is not understood                 (on_media_probed)

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "balancer/sources/probe/source_probe.h"
#include "balancer/sources/rendering.h"
#include "base/clock.h"

namespace tribune::balancer {

class KnownMedia {
 public:
  /// The result of a probe, for the log and the counters.
  enum class Result { found, not_understood, failed };

  KnownMedia(net::HttpClient& client, net::EventLoop& loop) : probe_(client, loop) {}

  /// Begins a probe when one is due. `on_media_probed` is called later, on the loop.
  void probe_if_due(const std::string& generation, const hls::Playlist&, const http::Uri& base,
                    const net::FetchRequest& like, base::SteadyTime now,
                    std::function<void(Result, const std::optional<base::Error>&)> on_media_probed);
  bool is_probing() const { return probe_.is_probing(); }
  /// Whether the generation has no failed probe.
  bool is_first_probe() const { return failures_ == 0; }
  /// The time to the next probe; nullopt when none will follow.
  std::optional<std::chrono::seconds> next_probe_in() const;
  void end() { probe_.cancel(); }

  /// `configured_bps`: the bandwidth of the configuration. Nullopt: the bandwidth of the media, or `default_bps` while
  /// that is unknown.
  OnlyVariant variant(std::optional<std::int64_t> configured_bps, std::int64_t default_bps) const;

 private:
  SourceProbe probe_;
  std::string generation_;
  bool has_begun_ = false;
  bool is_known_ = false;
  int failures_ = 0;
  base::SteadyTime next_{};
  ProbeResult found_;
};

}  // namespace tribune::balancer
