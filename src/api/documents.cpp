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

std::string playback_url(const ApiSettings& settings, std::string_view channel) {
  return without_slash(settings.balancer_url) + "/live/" + std::string(channel) + "/index.m3u8";
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
