#include "api/documents.h"

#include "base/json.h"

namespace tribune::api {
namespace {

using base::json::Writer;

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

/// {"200": {description, content: {application/json: {schema: {$ref}}}}, "default": the problem}
void write_responses(Writer& w, std::string_view description, std::string_view schema) {
  w.key("responses").begin_object();
  w.key("200").begin_object().member("description", description).key("content").begin_object().key("application/json").begin_object();
  w.key("schema").begin_object();
  if (schema.empty()) w.member("type", "object");
  else w.member("$ref", "#/components/schemas/" + std::string(schema));
  w.end_object().end_object().end_object().end_object();
  w.key("default").begin_object().member("$ref", "#/components/responses/Problem").end_object();
  w.end_object();
}

void write_get(Writer& w, std::string_view path, std::string_view id, std::string_view summary, std::string_view answer, std::string_view schema) {
  w.key(path).begin_object().key("get").begin_object().member("operationId", id).member("summary", summary);
  write_responses(w, answer, schema);
  w.end_object().end_object();
}

struct Property {
  std::string_view name;
  std::string_view type;
  std::string_view description;
};

void write_object(Writer& w, std::string_view name, const std::vector<Property>& properties) {
  w.key(name).begin_object().member("type", "object").key("required").begin_array();
  for (const auto& property : properties) w.value(property.name);
  w.end_array().key("properties").begin_object();
  for (const auto& property : properties)
    w.key(property.name).begin_object().member("type", property.type).member("description", property.description).end_object();
  w.end_object().end_object();
}

void write_list(Writer& w, std::string_view name, std::string_view member, std::string_view item) {
  w.key(name).begin_object().member("type", "object").key("required").begin_array().value(member).end_array();
  w.key("properties").begin_object().key(member).begin_object().member("type", "array");
  w.key("items").begin_object().member("$ref", "#/components/schemas/" + std::string(item)).end_object();
  w.end_object().end_object().end_object();
}

void write_components(Writer& w) {
  w.key("components").begin_object();
  w.key("schemas").begin_object();
  write_list(w, "Channels", "channels", "Channel");
  write_object(w, "Channel",
               {{"id", "string", "Names the channel in URLs."},
                {"title", "string", "What people call it."},
                {"playback_url", "string", "The URL to give to a player; relative to this API's address when it is a path."}});
  write_list(w, "Caches", "caches", "Cache");
  write_object(w, "Cache",
               {{"id", "string", "What to send as cache= or X-Cache-Id with playlist requests once its ping was answered."},
                {"url", "string", "Where the cache node is reached."},
                {"ping_url", "string", "GET it: an answer means that this client reaches the node."}});
  write_object(w, "Problem",
               {{"type", "string", "A stable name of the kind of error."},
                {"title", "string", "The kind of error, for people."},
                {"status", "integer", "The HTTP status code."}});
  w.end_object();
  w.key("responses").begin_object().key("Problem").begin_object().member("description", "What is wrong (RFC 9457).");
  w.key("content").begin_object().key("application/problem+json").begin_object().key("schema").begin_object();
  w.member("$ref", "#/components/schemas/Problem").end_object().end_object().end_object().end_object().end_object();
  w.end_object();
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

std::string openapi_document(std::string_view version) {
  Writer w;
  w.begin_object().member("openapi", "3.1.0");
  w.key("info").begin_object().member("title", "Tribune").member("version", version.empty() ? "0" : version);
  w.member("description", "What an app needs to watch a live event: the channels, and the caches worth pinging.").end_object();
  w.key("paths").begin_object();
  write_get(w, "/api/v1/channels", "listChannels", "The channels of the event.", "The channels in the order of the configuration.", "Channels");
  write_get(w, "/api/v1/caches", "listCaches", "The cache nodes worth pinging.", "The cache nodes in the order of the configuration.", "Caches");
  write_get(w, "/api/v1/openapi.json", "describeApi", "This document.", "OpenAPI 3.1.", "");
  w.end_object();
  write_components(w);
  return w.end_object().take();
}

}  // namespace tribune::api
