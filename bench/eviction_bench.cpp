// Compares SIEVE, the eviction policy of a cache node, with LRU on the trace of a live event: an hour of six channels
// in four renditions, and a thousand viewers, of whom most are at the live edge, some are shifted by up to half an
// hour, and some watch clips. The trace is generated and always the same. Prints hit ratios by requests and by bytes
// for several sizes of the store.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <list>
#include <memory>
#include <random>
#include <unordered_map>
#include <vector>

#include "base/sieve.h"

namespace {

constexpr int kChannels = 6, kRenditions = 4, kClips = 3'000, kClipSegments = 10, kViewers = 1'000;
constexpr int kSegments = 1'800;  // segments of 2 s
constexpr int kShift = 900;       // half an hour in segments
constexpr std::uint64_t kBytes[kRenditions] = {200'000, 500'000, 1'000'000, 2'000'000};

struct Request {
  std::uint64_t object;
  std::uint64_t bytes;
};

/// Ranks from 0 with a power-law distribution.
class Zipf {
 public:
  Zipf(int count, double exponent) {
    std::vector<double> weights;
    for (int i = 1; i <= count; ++i) weights.push_back(std::pow(i, -exponent));
    choice_ = std::discrete_distribution<int>(weights.begin(), weights.end());
  }
  int operator()(std::mt19937_64& chance) { return choice_(chance); }

 private:
  std::discrete_distribution<int> choice_;
};

std::vector<Request> live_event() {
  std::mt19937_64 chance(20'240'615);
  Zipf channel(kChannels, 1.2), clip(kClips, 0.9);
  std::discrete_distribution<int> rendition({1, 2, 4, 3}), kind({80, 12, 8});
  struct Viewer {
    int kind, channel, rendition, behind, clip, at;
  };
  std::vector<Viewer> viewers;
  for (int i = 0; i < kViewers; ++i)
    viewers.push_back({kind(chance), channel(chance), rendition(chance), static_cast<int>(chance() % kShift),
                       clip(chance), static_cast<int>(chance() % kClipSegments)});
  std::vector<Request> requests;
  for (int now = 0; now < kSegments; ++now) {
    for (auto& viewer : viewers) {
      if (chance() % 60 == 0) viewer.rendition = rendition(chance);  // the bandwidth changed
      if (chance() % 300 == 0) viewer.channel = channel(chance);
      const auto bytes = kBytes[viewer.rendition];
      if (viewer.kind == 2) {
        if (++viewer.at >= kClipSegments) viewer.at = 0, viewer.clip = clip(chance);
        requests.push_back(
            {1'000'000'000ull +
                 static_cast<std::uint64_t>((viewer.clip * kClipSegments + viewer.at) * kRenditions + viewer.rendition),
             bytes});
        continue;
      }
      const auto msn = static_cast<std::uint64_t>(viewer.kind == 0 ? now + kShift : now + kShift - viewer.behind);
      requests.push_back({(msn * kChannels + static_cast<std::uint64_t>(viewer.channel)) * kRenditions +
                              static_cast<std::uint64_t>(viewer.rendition),
                          bytes});
    }
  }
  return requests;
}

struct Score {
  std::uint64_t hits = 0, hit_bytes = 0, all = 0, all_bytes = 0;
  void count(const Request& request, bool hit) {
    ++all, all_bytes += request.bytes;
    if (hit) ++hits, hit_bytes += request.bytes;
  }
};

Score by_sieve(const std::vector<Request>& requests, std::uint64_t room) {
  struct Entry : tribune::base::SieveLink {
    std::uint64_t object = 0, bytes = 0;
  };
  tribune::base::Sieve sieve;
  std::unordered_map<std::uint64_t, std::unique_ptr<Entry>> entries;
  std::uint64_t used = 0;
  Score score;
  for (const auto& request : requests) {
    auto& entry = entries[request.object];
    score.count(request, entry != nullptr);
    if (entry) {
      entry->marked = true;
      continue;
    }
    entry = std::make_unique<Entry>();
    entry->object = request.object;
    entry->bytes = request.bytes;
    used += request.bytes;
    while (used > room) {
      auto* gone = static_cast<Entry*>(
          sieve.candidate([](const auto&) { return false; }, [](const auto&) { return false; }, 1'000));
      if (!gone) break;
      sieve.remove(*gone);
      used -= gone->bytes;
      entries.erase(gone->object);
    }
    sieve.add(*entries.at(request.object));
  }
  return score;
}

Score by_lru(const std::vector<Request>& requests, std::uint64_t room) {
  std::list<Request> order;  // the least recently used first
  std::unordered_map<std::uint64_t, std::list<Request>::iterator> entries;
  std::uint64_t used = 0;
  Score score;
  for (const auto& request : requests) {
    const auto found = entries.find(request.object);
    score.count(request, found != entries.end());
    if (found != entries.end()) {
      order.splice(order.end(), order, found->second);
      continue;
    }
    used += request.bytes;
    while (used > room && !order.empty()) {
      used -= order.front().bytes;
      entries.erase(order.front().object);
      order.pop_front();
    }
    entries.emplace(request.object, order.insert(order.end(), request));
  }
  return score;
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

int main() {
  const auto requests = live_event();
  std::printf("%zu requests\n%10s %22s %22s\n", requests.size(), "store", "SIEVE hits / bytes", "LRU hits / bytes");
  for (const std::uint64_t gigabytes : {1, 2, 4, 8, 16, 32}) {
    const auto sieve = by_sieve(requests, gigabytes * 1'000'000'000), lru = by_lru(requests, gigabytes * 1'000'000'000);
    std::printf("%7llu GB %12.2f%% %7.2f%% %12.2f%% %7.2f%%\n", static_cast<unsigned long long>(gigabytes),
                percent(sieve.hits, sieve.all), percent(sieve.hit_bytes, sieve.all_bytes), percent(lru.hits, lru.all),
                percent(lru.hit_bytes, lru.all_bytes));
  }
}
