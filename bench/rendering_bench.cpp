// The cost of 1,000 lists of pins on one core: rendering each once, looking up a cached one, and the bytes of the
// cache.
//   a live window     6 segments
//   a DVR window      1,800 segments
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "balancer/sources/rendering.h"
#include "contracts/origin_path.h"

using namespace tribune;
using namespace tribune::balancer;

namespace {

constexpr int kLists = 1'000, kRounds = 200;

std::string source_text(int segments) {
  std::string text = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:1000\n";
  for (int i = 0; i < segments; ++i) text += fmt::format("#EXTINF:6.000,\nseg{}.ts\n", 1000 + i);
  return text;
}

/// Each list changes the node at another segment.
std::vector<LinkPins> pin_lists(int segments) {
  std::vector<LinkPins> lists;
  for (int i = 0; i < kLists; ++i)
    lists.push_back({{0, fmt::format("http://node{}.example:8081", i / segments)},
                     {1001 + i % segments, fmt::format("http://node{}.example:8081", 500 + i / segments)}});
  return lists;
}

template <typename Work>
double seconds_of(Work work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

bool measure(const char* name, int segments) {
  base::SystemClock clock;
  base::Metrics metrics;
  const auto texts = std::make_shared<RenderedPlaylists>(clock, metrics, 4ull << 30);
  auto source = hls::parse(source_text(segments));
  if (!source) return false;
  Timeline timeline{[] { return std::string("ep1"); }};
  auto seen = timeline.observe("v", std::move(*source), 2'000'000'000, clock.steady_now());
  if (!seen) return false;
  const auto keys =
      std::make_shared<base::KeyRing>(std::vector<base::SigningKey>{{"k1", "0123456789abcdef", std::nullopt}});
  const LinkMaking making{"demo", contracts::origin_set("http://origin/live/demo/main.m3u8", {}), keys};
  SourceLinks links;
  auto linked = links.link(*seen->playlist, making,
                           {"v/v.m3u8", "v", *http::parse_uri("http://origin/live/demo/v/v.m3u8"), &timeline, "ep1",
                            2'000'000'000, clock.wall_now()},
                           {});
  if (!linked) return false;
  const MediaSnapshot snapshot(seen->playlist, *linked, clock.wall_now(), metrics.counter("renders", "r"), texts);
  const auto lists = pin_lists(segments);
  const auto first = seconds_of([&] {
    for (const auto& pins : lists) snapshot.render(pins);
  });
  const auto again = seconds_of([&] {
    for (int round = 0; round < kRounds; ++round)
      for (const auto& pins : lists) snapshot.render(pins);
  });
  fmt::print("{:18} {:7} bytes a text, rendered in {:8.1f} us, looked up in {:6.1f} ns, {:6.1f} MiB kept\n", name,
             snapshot.render(lists[0])->body->size(), first / kLists * 1e6, again / kLists / kRounds * 1e9,
             static_cast<double>(texts->bytes()) / (1 << 20));
  return true;
}

}  // namespace

int main() { return measure("a live window", 6) && measure("a DVR window", 1'800) ? 0 : 1; }
