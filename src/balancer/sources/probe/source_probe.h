#pragma once
// Looks into the media of a source that has no multivariant playlist, so that the one that viewers get can say codecs,
// picture and bandwidth: the init section and the beginning of one segment, fetched beside everything else. Owned by
// one worker.
//
// States
//   idle       nothing was asked, or all was told                                                   (begin)
//   looking    the fetches are under way, with a deadline                                           (begin)
// From looking to idle, with what was found: both fetches are done, or the deadline has passed     (end)

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

/// What is looked at, of each file.
inline constexpr std::int64_t kProbeBytes = 512 * 1024;

/// Where the media of a playlist lies.
struct ProbeQuestion {
  struct File {
    std::string url;  // empty: there is none
    std::optional<hls::SubRange> range;
  };
  File init;
  File segment;
  std::chrono::microseconds duration{0};  // of the segment
};

/// The newest segment of a live playlist, the first one of another, and its init section; as the playlist at `base`
/// names them. Nothing without a complete segment that is there.
std::optional<ProbeQuestion> probe_question(const hls::Playlist&, const http::Uri& base);

struct ProbeResult {
  hls::MediaFacts facts;
  std::int64_t bandwidth_bps = 0;    // of the segment; 0: not known
  std::optional<base::Error> error;  // why a fetch brought nothing
};

class SourceProbe {
 public:
  SourceProbe(net::HttpClient& client, net::EventLoop& loop) : client_(client), loop_(loop) {}

  /// `like`: a request for anything of the source, with its destinations and deadlines. Calls back once, later, on the
  /// loop, and never after it is destroyed or cancelled. Not while it is looking.
  void begin(const ProbeQuestion&, const net::FetchRequest& like, std::function<void(ProbeResult)>);
  bool is_looking() const { return is_looking_; }
  void cancel();

 private:
  struct Part {
    std::unique_ptr<net::Fetch> fetch;
    std::string bytes;
    std::optional<std::uint64_t> whole_bytes;  // of the file, or of its range
    bool is_done = false;
    std::optional<base::Error> error;
  };
  void fetch(Part&, const ProbeQuestion::File&, net::FetchRequest);
  void on_head(Part&, const ProbeQuestion::File&, const net::FetchHead&);
  void finish(Part&, std::optional<base::Error>);
  void end();

  net::HttpClient& client_;
  net::EventLoop& loop_;
  Part init_, segment_;
  std::chrono::microseconds duration_{0};
  bool is_looking_ = false;
  std::function<void(ProbeResult)> on_found_;
  net::Timer deadline_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace tribune::balancer
