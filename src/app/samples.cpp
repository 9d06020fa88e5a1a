#include "app/samples.h"

#include <array>

#include "app/schema.h"

namespace tribune::app {
namespace {

constexpr const char* kAllInOne = R"({
  "front": {"listen": ["0.0.0.0:8080"]},
  "admin": {"listen": ["127.0.0.1:9080"]},
  "event": {
    "keys": [{"id": "k1", "secret_file": "k1.secret"}],
    "channels": [{"id": "match", "title": "The match", "source": "http://origin.example.com/live/match/master.m3u8"}]
  },
  "balancer": {"state_dir": "/var/lib/tribune/all-in-one/state", "nodes": [{"id": "local"}]},
  "cache_node": {
    "id": "local",
    "public_url": "http://tribune.example.com:8080",
    "balancers": ["http://127.0.0.1:8080"],
    "store_dir": "/var/lib/tribune/all-in-one/store"
  },
  "api": {},
  "web": {"folder": "/usr/share/tribune/web"},
  "http_cache": {"listen": ["0.0.0.0:8090"], "origin": "http://origin.example.com"}
})";

constexpr const char* kBalancer = R"({
  "front": {"listen": ["0.0.0.0:8080"]},
  "admin": {"listen": ["127.0.0.1:9080"]},
  "log": {"format": "json"},
  "event": {
    "keys": [{"id": "k1", "secret_file": "k1.secret"}],
    "channels": [{"id": "match", "title": "The match", "source": "http://origin.example.com/live/match/master.m3u8"}]
  },
  "balancer": {
    "state_dir": "/var/lib/tribune/balancer/state",
    "nodes": [
      {"id": "stadium", "url": "http://stadium.example.com:8081"},
      {"id": "city", "url": "http://city.example.com:8081"}
    ]
  },
  "api": {},
  "web": {"folder": "/usr/share/tribune/web"}
})";

constexpr const char* kCacheNode = R"({
  "front": {"listen": ["0.0.0.0:8081"]},
  "admin": {"listen": ["127.0.0.1:9081"]},
  "log": {"format": "json"},
  "event": {"keys": [{"id": "k1", "secret_file": "k1.secret"}]},
  "cache_node": {
    "id": "stadium",
    "public_url": "http://stadium.example.com:8081",
    "balancers": ["http://balancer.example.com:8080"],
    "store_dir": "/var/lib/tribune/cache-node/store",
    "max_bytes": "200GiB"
  }
})";

struct NamedSample {
  std::string_view name;
  config::Sample sample;
};

const std::array<NamedSample, 3>& samples() {
  static const std::array table{
      NamedSample{
          "all-in-one",
          {"All roles in one process, with all settings: for a small event or for evaluation.", kAllInOne, true}},
      NamedSample{
          "balancer",
          {"A balancer with the API and the viewer page; the cache nodes run on other machines.", kBalancer, false}},
      NamedSample{"cache-node",
                  {"A cache node, for example in a stadium or a city. It receives the channel map from the balancer.",
                   kCacheNode, false}},
  };
  return table;
}

}  // namespace

std::vector<std::string> sample_names() {
  std::vector<std::string> names;
  for (const auto& entry : samples()) names.emplace_back(entry.name);
  return names;
}

std::string sample_text(std::string_view name) {
  for (const auto& entry : samples())
    if (entry.name == name) return schema().sample(entry.sample);
  return "";
}

}  // namespace tribune::app
