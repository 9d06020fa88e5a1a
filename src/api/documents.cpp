#include "api/documents.h"

#include "base/json.h"

namespace tribune::api {
namespace {

using base::json::Writer;

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

std::string channels_document(const contracts::Event& event, const ApiSettings& settings) {
  Writer w;
  w.begin_object().key("channels").begin_array();
  for (const auto& channel : event.channels) {
    w.begin_object()
        .member("id", channel.id)
        .member("title", channel.title.empty() ? channel.id : channel.title)
        .member("playback_url", without_slash(settings.balancer_url) + "/live/" + channel.id + "/index.m3u8")
        .end_object();
  }
  return w.end_array().end_object().take();
}

std::string caches_document(const ApiSettings& settings) {
  Writer w;
  w.begin_object().key("caches").begin_array();
  for (const auto& cache : settings.caches) {
    const auto url = without_slash(cache.url);
    w.begin_object().member("id", cache.id).member("url", url).member("ping_url", url + "/ping").end_object();
  }
  return w.end_array().end_object().take();
}

}  // namespace tribune::api
