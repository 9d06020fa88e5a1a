#pragma once
// Probes the media of a source that has no multivariant playlist, so that the generated one states codecs, resolution
// and bandwidth. It fetches the init section and the beginning of one segment, beside the playlist fetches. Owned by
// one worker.
//
// States
//   idle       no probe is running                                                    (end, cancel)
//   probing    the fetches are running, with a deadline                               (begin)
// A probe ends with what was found when both fetches are done, or when the deadline has passed.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "hls/media/media_facts.h"
#include "hls/playlist.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"

namespace tribune::balancer {

/// Bytes fetched of each file.
inline constexpr std::int64_t kProbeBytes = 512 * 1024;

/// The files to probe.
struct ProbeTarget {
  struct File {
    std::string url;  // empty: there is none
    std::optional<hls::SubRange> range;
  };
  File init;
  File segment;
  std::chrono::microseconds duration{0};  // of the segment
};

/// The newest segment of a live playlist, or the first one of another, with its init section, relative to the playlist
/// at `base`. Nullopt without a complete segment that is no gap.
std::optional<ProbeTarget> probe_target(const hls::Playlist&, const http::Uri& base);

struct ProbeResult {
  hls::MediaFacts facts;
  std::int64_t bandwidth_bps = 0;    // of the segment; 0: unknown
  std::optional<base::Error> error;  // the failure of a fetch
};

class SourceProbe {
 public:
  SourceProbe(net::HttpClient& client, net::EventLoop& loop) : client_(client), loop_(loop) {}

  /// `like`: a request to the source, for its destinations and deadlines. `on_found` runs once, later, on the loop, and
  /// never after cancel() or the destructor. Must not be called while a probe is running.
  void begin(const ProbeTarget&, const net::FetchRequest& like, std::function<void(ProbeResult)>);
  bool is_probing() const { return is_probing_; }
  void cancel();

 private:
  struct Part {
    std::unique_ptr<net::Fetch> fetch;
    std::string bytes;
    std::optional<std::uint64_t> whole_bytes;  // of the file, or of its range
    bool is_done = false;
    std::optional<base::Error> error;
  };
  void fetch(Part&, const ProbeTarget::File&, net::FetchRequest);
  void on_head(Part&, const ProbeTarget::File&, const net::FetchHead&);
  void finish(Part&, std::optional<base::Error>);
  void end();

  net::HttpClient& client_;
  net::EventLoop& loop_;
  Part init_, segment_;
  std::chrono::microseconds duration_{0};
  bool is_probing_ = false;
  std::function<void(ProbeResult)> on_found_;
  net::Timer deadline_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace tribune::balancer
