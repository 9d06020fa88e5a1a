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
  w.key("200")
      .begin_object()
      .member("description", description)
      .key("content")
      .begin_object()
      .key("application/json")
      .begin_object();
  w.key("schema").begin_object();
  if (schema.empty())
    w.member("type", "object");
  else
    w.member("$ref", "#/components/schemas/" + std::string(schema));
  w.end_object().end_object().end_object().end_object();
  w.key("default").begin_object().member("$ref", "#/components/responses/Problem").end_object();
  w.end_object();
}

void write_get(Writer& w, std::string_view path, std::string_view id, std::string_view summary, std::string_view answer,
               std::string_view schema) {
  w.key(path).begin_object().key("get").begin_object().member("operationId", id).member("summary", summary);
  write_responses(w, answer, schema);
  w.end_object().end_object();
}

void write_parameter(Writer& w, std::string_view name, std::string_view description) {
  w.key("parameters").begin_array().begin_object().member("name", name).member("in", "path").member("required", true);
  w.member("description", description)
      .key("schema")
      .begin_object()
      .member("type", "string")
      .end_object()
      .end_object()
      .end_array();
}

void write_stop(Writer& w, std::string_view path, std::string_view method, std::string_view id,
                std::string_view summary) {
  w.key(path).begin_object().key(method).begin_object().member("operationId", id).member("summary", summary);
  write_parameter(w, "session", "The member session of a granted response, or the ticket of a queued response.");
  write_responses(w,
                  "The session or ticket has ended; was_open is false when it had already ended before this request.",
                  "Stopped");
  w.end_object().end_object();
}

/// Describes a required JSON body with this schema.
void write_request_body(Writer& w, std::string_view schema) {
  w.key("requestBody")
      .begin_object()
      .member("required", true)
      .key("content")
      .begin_object()
      .key("application/json")
      .begin_object();
  w.key("schema")
      .begin_object()
      .member("$ref", "#/components/schemas/" + std::string(schema))
      .end_object()
      .end_object()
      .end_object()
      .end_object();
}

void write_access_paths(Writer& w) {
  w.key("/api/v1/access").begin_object().key("post").begin_object().member("operationId", "access");
  w.member("summary",
           "Requests access to a channel. Granted: play playback_url. Queued: repeat the request with the ticket after "
           "retry_after_seconds; until then, queue_url returns the progress of the queue.");
  write_request_body(w, "AccessRequest");
  write_responses(
      w, "Granted, queued or full. The response has a Retry-After field when the client is to repeat the request.",
      "Access");
  w.end_object().end_object();
  write_stop(w, "/api/v1/access/{session}", "delete", "endAccess",
             "Ends a session, or gives up a position in the queue.");
  write_stop(
      w, "/api/v1/access/{session}/stop", "post", "endAccessByBeacon",
      "Same as DELETE, for navigator.sendBeacon. The session ends five seconds later unless it requests a playlist "
      "before then, so a page that is reloaded keeps its session. The request body is ignored.");
}

void write_report_path(Writer& w) {
  w.key("/api/v1/sessions/{session}/reports").begin_object().key("post").begin_object().member("operationId", "report");
  w.member("summary",
           "Reports which cache this client can no longer reach and which caches it reaches. The session is routed to "
           "another "
           "cache at once.");
  write_parameter(
      w, "session",
      "The member session of a granted response, or the path element after ~ in the URLs of the playlists.");
  write_request_body(w, "Report");
  write_responses(w, "The cache that now serves the segments of the session.", "Routed");
  w.end_object().end_object();
}

struct Property {
  std::string_view name;
  std::string_view type;
  std::string_view description;
};

void write_object(Writer& w, std::string_view name, const std::vector<Property>& properties,
                  const std::vector<Property>& optional = {}) {
  w.key(name).begin_object().member("type", "object").key("required").begin_array();
  for (const auto& property : properties) w.value(property.name);
  w.end_array().key("properties").begin_object();
  for (const auto* some : {&properties, &optional})
    for (const auto& property : *some)
      w.key(property.name)
          .begin_object()
          .member("type", property.type)
          .member("description", property.description)
          .end_object();
  w.end_object().end_object();
}

void write_list(Writer& w, std::string_view name, std::string_view member, std::string_view item) {
  w.key(name).begin_object().member("type", "object").key("required").begin_array().value(member).end_array();
  w.key("properties").begin_object().key(member).begin_object().member("type", "array");
  w.key("items").begin_object().member("$ref", "#/components/schemas/" + std::string(item)).end_object();
  w.end_object().end_object().end_object();
}

void write_lists(Writer& w) {
  write_list(w, "Channels", "channels", "Channel");
  write_object(
      w, "Channel",
      {{"id", "string", "Id of the channel, as used in URLs."},
       {"title", "string", "Display name of the channel."},
       {"playback_url", "string", "URL of the playlist for the player. A path is relative to the URL of this API."}});
  write_list(w, "Caches", "caches", "Cache");
  write_object(
      w, "Cache",
      {{"id", "string",
        "Id of the cache. Send it as cache= or X-Cache-Id with playlist requests after a successful ping."},
       {"url", "string", "URL of the cache node."},
       {"ping_url", "string", "URL for a GET request. A response means that this client can reach the node."}});
}

void write_access(Writer& w) {
  write_object(
      w, "AccessRequest", {{"channel", "string", "Id of the channel."}},
      {{"ticket", "string", "The ticket of the last queued response."},
       {"cache", "string", "Id of the cache that this client found by a ping."},
       {"account", "string", "Account of the session. Requires the operator token (Authorization: Bearer)."},
       {"device", "string",
        "Name by which the account owner knows the device; a response with status full lists it. Requires account."},
       {"client", "string", "IP address of the viewer. Requires the operator token."},
       {"lane", "string",
        "Queue lane for the ticket if the client must wait. Requires the operator token. Default: the general lane."}});
  write_object(
      w, "Access", {{"status", "string", "granted, queued or full."}, {"channel", "string", "Id of the channel."}},
      {{"session", "string", "Granted: id of the session, used to end it."},
       {"playback_url", "string",
        "Granted: URL of the playlist for the player. A path is relative to the URL of this API."},
       {"ticket", "string",
        "Queued: ticket for the position in the queue. Store it and send it with the next request."},
       {"lane", "string", "Queued: lane in which the ticket waits."},
       {"number", "integer", "Queued: number of the ticket in its lane."},
       {"position", "integer", "Queued: position in the queue; 1 is the next to be admitted."},
       {"ahead", "integer", "Queued: number of tickets ahead of this one."},
       {"served", "integer", "Queued: all tickets of the lane with a number up to this one have been called."},
       {"eta_seconds", "integer",
        "Queued: estimated wait in seconds at the current rate of admission; null when unknown."},
       {"retry_after_seconds", "integer", "Queued and full: number of seconds to wait before the next request."},
       {"queue_url", "string",
        "Queued: URL of the queue status, which is the same for all clients; the balancer and all cache nodes serve "
        "it."},
       {"message", "string", "Human-readable explanation."}});
}

void write_reports(Writer& w) {
  write_object(w, "Report", {},
               {{"gone", "string", "Id of the cache that this client can no longer reach."},
                {"cache", "string", "Id of a cache that this client found by a ping."},
                {"reachable", "array",
                 "At most 8 objects {receipt, rtt_ms}: the receipt from the response to a ping, and the round-trip "
                 "time in ms."}});
  write_object(w, "Routed",
               {{"status", "string", "routed."},
                {"node", "string", "Id of the cache; empty when no cache can serve the session."},
                {"url", "string", "URL of the cache."},
                {"reason", "string", "Reason of the selection; docs/routing.md lists the values."}},
               {{"receipts_refused", "array", "Reasons why receipts were rejected."}});
  write_object(w, "Stopped",
               {{"status", "string", "stopped."},
                {"was_open", "boolean", "Whether the session or ticket was open before this request."}});
}

void write_components(Writer& w) {
  w.key("components").begin_object();
  w.key("schemas").begin_object();
  write_lists(w);
  write_access(w);
  write_reports(w);
  write_object(w, "Problem",
               {{"type", "string", "Problem type, a stable identifier."},
                {"title", "string", "Human-readable summary of the problem type."},
                {"status", "integer", "HTTP status code."}});
  w.end_object();
  w.key("responses").begin_object().key("Problem").begin_object().member("description", "Problem details (RFC 9457).");
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
  w.member("description",
           "API for apps that play a live event: the channels, the caches to ping, and access as a session or as a "
           "position in the queue.")
      .end_object();
  w.key("paths").begin_object();
  write_get(w, "/api/v1/channels", "listChannels", "The channels of the event.",
            "The channels, in the order of the configuration.", "Channels");
  write_get(w, "/api/v1/caches", "listCaches", "The cache nodes that a client may ping.",
            "The cache nodes, in the order of the configuration.", "Caches");
  write_access_paths(w);
  write_report_path(w);
  write_get(w, "/api/v1/openapi.json", "describeApi", "This document.", "OpenAPI 3.1.", "");
  w.end_object();
  write_components(w);
  return w.end_object().take();
}

}  // namespace tribune::api
