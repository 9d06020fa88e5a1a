#pragma once
// What is known of the media of a source that has no multivariant playlist. Once a generation of the source was looked
// into, it stays as it was found; a look that failed is made again after a while. Owned by one worker.
//
// States, of the present generation
//   unknown    not looked into: there is no segment, or a look failed and its time has not come     (look)
//   looking    the first viewers wait, for the bounded time that the caller gives them              (look)
//   known      found, or what is there cannot be understood                                         (on_looked)

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
  /// What a look came to, for the log and the counters.
  enum class Result { found, not_understood, failed };

  KnownMedia(net::HttpClient& client, net::EventLoop& loop) : probe_(client, loop) {}

  /// Begins a look when one is due. `on_looked` is called later, on the loop.
  void look(const std::string& generation, const hls::Playlist&, const http::Uri& base, const net::FetchRequest& like,
            base::SteadyTime now, std::function<void(Result, const std::optional<base::Error>&)> on_looked);
  bool is_looking() const { return probe_.is_looking(); }
  /// Whether it is the generation's first look.
  bool is_first_look() const { return failures_ == 0; }
  /// For how long nothing more will be found out; nothing: for ever.
  std::optional<std::chrono::seconds> next_look_in() const;
  void end() { probe_.cancel(); }

  /// `said_bps`: what the configuration announces; nothing: it leaves that to the media, or else to `otherwise_bps`.
  OnlyVariant variant(std::optional<std::int64_t> said_bps, std::int64_t otherwise_bps) const;

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
