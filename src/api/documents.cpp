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
  write_parameter(w, "session", "The session of a granted answer, or the ticket of a queued one.");
  write_responses(w, "It has ended; was_open is false when it had ended before.", "Stopped");
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
           "Asks to watch. Granted: play playback_url. Queued: ask again with the ticket after retry_after_seconds; "
           "queue_url tells in between how far the queue is.");
  write_request_body(w, "AccessRequest");
  write_responses(w, "Granted, queued or full; Retry-After stands beside where there is something to wait for.",
                  "Access");
  w.end_object().end_object();
  write_stop(w, "/api/v1/access/{session}", "delete", "endAccess", "Ends a session or gives a place in the queue up.");
  write_stop(w, "/api/v1/access/{session}/stop", "post", "endAccessByBeacon",
             "The same for navigator.sendBeacon, five seconds later unless the session asks for a playlist until then: "
             "a page that is loaded again keeps it. The body is not read.");
}

void write_report_path(Writer& w) {
  w.key("/api/v1/sessions/{session}/reports").begin_object().key("post").begin_object().member("operationId", "report");
  w.member(
      "summary",
      "Says which cache this client cannot reach any more, and which it reaches: the session goes elsewhere at once.");
  write_parameter(w, "session", "The session of a granted answer, or the element after ~ of the playlists' URLs.");
  write_request_body(w, "Report");
  write_responses(w, "Where the session's segments come from now.", "Routed");
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
      {{"id", "string", "Names the channel in URLs."},
       {"title", "string", "What people call it."},
       {"playback_url", "string", "The URL to give to a player; relative to this API's address when it is a path."}});
  write_list(w, "Caches", "caches", "Cache");
  write_object(
      w, "Cache",
      {{"id", "string", "What to send as cache= or X-Cache-Id with playlist requests once its ping was answered."},
       {"url", "string", "Where the cache node is reached."},
       {"ping_url", "string", "GET it: an answer means that this client reaches the node."}});
}

void write_access(Writer& w) {
  write_object(
      w, "AccessRequest", {{"channel", "string", "The channel's id."}},
      {{"ticket", "string", "The ticket of the last queued answer."},
       {"cache", "string", "The cache that this client found by pinging."},
       {"account", "string", "Whose session it is; with the operator's token only (Authorization: Bearer)."},
       {"device", "string",
        "How the account's owner knows the device, which is named when the account is full; with account only."},
       {"client", "string", "The viewer's address; with the operator's token only."},
       {"lane", "string",
        "The line in which it waits if it must; with the operator's token only. Absent: everybody's."}});
  write_object(
      w, "Access", {{"status", "string", "granted, queued or full."}, {"channel", "string", "The channel's id."}},
      {{"session", "string", "Granted: names the session when it is ended."},
       {"playback_url", "string", "Granted: the URL for the player; relative to this API's address when it is a path."},
       {"ticket", "string", "Queued: the place. Keep it, and send it with the next request."},
       {"lane", "string", "Queued: the line in which the ticket waits."},
       {"number", "integer", "Queued: the ticket's number in its lane."},
       {"position", "integer", "Queued: 1 is the next."},
       {"ahead", "integer", "Queued: how many wait before it."},
       {"served", "integer", "Queued: every number of the lane up to this one was called."},
       {"eta_seconds", "integer", "Queued: when its turn comes as the queue moves now; null when that is not known."},
       {"retry_after_seconds", "integer", "Queued and full: ask again after so long."},
       {"queue_url", "string", "Queued: the same small text for everybody, at the balancer and at every cache node."},
       {"message", "string", "For people."}});
}

void write_reports(Writer& w) {
  write_object(w, "Report", {},
               {{"gone", "string", "The id of the cache that this client cannot reach any more."},
                {"cache", "string", "The id of a cache that it found by pinging."},
                {"reachable", "array",
                 "At most 8 of {receipt, rtt_ms}: what pings of caches answered, and how long that took."}});
  write_object(w, "Routed",
               {{"status", "string", "routed."},
                {"node", "string", "The cache's id; empty when none can serve."},
                {"url", "string", "Where it is reached."},
                {"reason", "string", "Why this one, as in docs/routing.md."}},
               {{"receipts_refused", "array", "Why receipts were not believed."}});
  write_object(w, "Stopped",
               {{"status", "string", "stopped."}, {"was_open", "boolean", "Whether it was open until now."}});
}

void write_components(Writer& w) {
  w.key("components").begin_object();
  w.key("schemas").begin_object();
  write_lists(w);
  write_access(w);
  write_reports(w);
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
  w.member("description",
           "What an app needs to watch a live event: the channels, the caches worth pinging, and a session or a place "
           "in the queue.")
      .end_object();
  w.key("paths").begin_object();
  write_get(w, "/api/v1/channels", "listChannels", "The channels of the event.",
            "The channels in the order of the configuration.", "Channels");
  write_get(w, "/api/v1/caches", "listCaches", "The cache nodes worth pinging.",
            "The cache nodes in the order of the configuration.", "Caches");
  write_access_paths(w);
  write_report_path(w);
  write_get(w, "/api/v1/openapi.json", "describeApi", "This document.", "OpenAPI 3.1.", "");
  w.end_object();
  write_components(w);
  return w.end_object().take();
}

}  // namespace tribune::api
