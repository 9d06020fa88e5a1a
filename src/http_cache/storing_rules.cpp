#include "http_cache/storing_rules.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "http/range.h"
#include "http/uri.h"

namespace tribune::http_cache {
namespace {

bool is_one_of(const auto& list, int status) { return std::find(list.begin(), list.end(), status) != list.end(); }

/// RFC 9110 section 9.3.3: whether the response to a POST is one to GET, too, because its Content-Location names the
/// target.
bool answers_get(const OriginRequest& asked, const http::StoredHead& response) {
  if (asked.request.method != http::Method::post || response.status != 200 || !http::explicit_lifetime(response))
    return false;
  const auto location = response.headers.first("Content-Location");
  const auto target = http::parse_uri(asked.key);
  if (!location || !target) return false;
  const auto named = http::resolve(*target, *location);
  return named && named->text() == target->text();
}

/// Credentials may make the origin describe another representation than the stored one, which is everybody's.
bool has_credentials(const OriginRequest& asked) {
  return asked.request.headers.first("Authorization") || asked.request.headers.first("Cookie");
}

std::shared_ptr<StoredResponse> with_updated_head(const StoredResponse& stored, const http::StoredHead& update,
                                                  const HttpCacheSettings& settings) {
  auto fresh = std::make_shared<StoredResponse>(stored);
  auto fields = update;
  if (!settings.keep_set_cookie) fields.headers.remove("Set-Cookie");
  fresh->head = http::freshened(stored.head, fields);
  return fresh;
}

/// Whether the fields of the update alone would let a response be stored that has those fields.
bool may_update(const OriginRequest& asked, const http::StoredHead& update, const StoredResponse& fresh,
                const HttpCacheSettings& settings) {
  if (update.headers.first("Set-Cookie") && !settings.keep_set_cookie) return false;
  if (http::cache_control_of(asked.request.headers).no_store) return false;
  // A response varies by what it varied by when it was stored: the key of its variant is computed from that.
  if (fresh.head.headers.joined("Vary").value_or("") != fresh.vary) return false;
  auto as_get = update;
  as_get.status = 200;
  const auto rules = freshness_rules(settings);
  const auto forbids = [&](const http::StoredHead& head) {
    const auto verdict = http::decide_storing(http::Method::get, asked.request.headers, head, rules);
    return verdict != http::Storing::yes && verdict != http::Storing::no_freshness;
  };
  return !forbids(as_get) &&
         http::decide_storing(http::Method::get, asked.request.headers, fresh.head, rules) == http::Storing::yes;
}

}  // namespace

bool is_read(http::Method method) { return method == http::Method::get || method == http::Method::head; }

bool concerns_one_request(int status) {
  static constexpr std::array kStatus{400, 401, 406, 407, 408, 412, 413, 414, 415,
                                      416, 417, 421, 425, 426, 428, 429, 431, 511};
  return is_one_of(kStatus, status);
}

bool is_kept_briefly(int status) {
  static constexpr std::array kOfResource{404, 405, 410, 451};
  return status >= 400 && !is_one_of(kOfResource, status);
}

std::shared_ptr<StoredResponse> storable(const OriginRequest& asked, const ReceivedHead& received,
                                         const StoredResponsePtr& replaced, const HttpCacheSettings& settings) {
  const auto& request = asked.request;
  const auto rules = freshness_rules(settings);
  auto head = received.head;
  if (concerns_one_request(head.status)) return nullptr;
  if (is_kept_briefly(head.status)) {
    const bool is_fresh =
        replaced && http::freshness_lifetime(replaced->head, rules) > http::current_age(replaced->head, head.received);
    if (settings.keep_errors.count() == 0 || is_fresh) return nullptr;
  }
  std::optional<http::ContentRange> range;
  if (head.status == 206 && request.method == http::Method::get && request.headers.first("Range")) {
    range = http::parse_content_range(head.headers.first("Content-Range").value_or(""));
    if (!range || received.length != range->range.length()) return nullptr;
    head.status = 200;
    head.headers.remove("Content-Range");
  }
  const auto method = answers_get(asked, head) ? http::Method::get : request.method;
  if (http::decide_storing(method, request.headers, head, rules) != http::Storing::yes) return nullptr;
  if (head.headers.first("Set-Cookie") && !(settings.keep_set_cookie && http::explicit_lifetime(head))) return nullptr;
  if (received.ends_with_connection || received.length.value_or(0) > settings.max_object_bytes) return nullptr;
  head.headers = http::storable_fields(head.headers);
  auto stored = std::make_shared<StoredResponse>(stored_head(std::move(head), request.headers));
  if (range) {
    stored->part = range->range;
    stored->whole_length = range->whole_length;
  }
  return stored;
}

Update update_by_304(const OriginRequest& asked, const http::StoredHead& response, const StoredResponsePtr& stored,
                     const HttpCacheSettings& settings) {
  const auto fresh = with_updated_head(*stored, response, settings);
  if (may_update(asked, response, *fresh, settings)) return {Update::Effect::replace, fresh};
  // The origin forbids storing what it formerly allowed to store. The verdict on a request with credentials is about
  // its own representation, though.
  const auto control = http::governing_directives(response.headers).control;
  const bool is_withdrawn = (control.no_store || control.is_private) && !has_credentials(asked);
  return {is_withdrawn ? Update::Effect::invalidate : Update::Effect::none, fresh};
}

bool needs_own_validation(const http::StoredHead& head, const OriginRequest& asked, const HttpCacheSettings& settings) {
  const auto control = http::governing_directives(head.headers).control;
  if (control.no_cache) return true;
  if (http::freshness_lifetime(head, freshness_rules(settings)).count() > 0) return false;
  return control.must_revalidate || control.proxy_revalidate || asked.request.headers.first("Cookie");
}

Update update_by_head(const OriginRequest& asked, const http::StoredHead& response, const StoredResponsePtr& stored,
                      const HttpCacheSettings& settings) {
  if (response.status != 200 || stored->head.status != 200 || stored->part) return {};
  const auto value = [](const http::StoredHead& head, const char* name) {
    return head.headers.first(name).value_or("");
  };
  const auto length = value(response, "Content-Length");
  const auto states_another = [&](const char* name) {
    return !value(response, name).empty() && value(response, name) != value(stored->head, name);
  };
  const bool differs = states_another("ETag") || states_another("Last-Modified") ||
                       (!length.empty() && length != std::to_string(stored->body.size()));
  // Another representation, or nothing that identifies it: it says nothing about the stored one, except to a request
  // that receives what everybody receives (RFC 9111 section 4.3.5).
  if (differs) return {has_credentials(asked) ? Update::Effect::none : Update::Effect::invalidate, nullptr};
  const bool identified =
      !value(response, "ETag").empty() || !value(response, "Last-Modified").empty() || !length.empty();
  if (!identified) return {};
  const auto fresh = with_updated_head(*stored, response, settings);
  if (!may_update(asked, response, *fresh, settings)) return {};
  return {Update::Effect::replace, fresh};
}

bool may_serve_for_error(const StoredResponsePtr& stored, const http::Request& request,
                         const HttpCacheSettings& settings, base::WallTime now) {
  return is_read(request.method) && stored && covers(*stored, request) &&
         http::may_serve_for_error(stored->head, freshness_rules(settings), now);
}

http::FreshnessRules freshness_rules(const HttpCacheSettings& settings) {
  return {std::chrono::duration_cast<std::chrono::seconds>(settings.heuristic_ceiling),
          std::chrono::duration_cast<std::chrono::seconds>(settings.stale_if_error)};
}

}  // namespace tribune::http_cache
