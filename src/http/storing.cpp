#include "http/storing.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "http/uri_bytes.h"
#include "http/vary.h"

namespace tribune::http {
namespace {

constexpr std::array<std::string_view, 10> kConnectionFields{"Connection",
                                                             "Keep-Alive",
                                                             "Proxy-Authenticate",
                                                             "Proxy-Authentication-Info",
                                                             "Proxy-Authorization",
                                                             "Proxy-Connection",
                                                             "TE",
                                                             "Trailer",
                                                             "Transfer-Encoding",
                                                             "Upgrade"};

constexpr std::array<std::string_view, 9> kOfStoredBody{
    "Content-Length", "Content-Encoding", "Content-Range", "Transfer-Encoding", "ETag", "Content-MD5",
    "Content-Digest", "Repr-Digest",      "Digest"};

bool names(const auto& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [&](std::string_view entry) { return equals_ignoring_case(entry, name); });
}

/// The members of Connection, parsed once: a message may have thousands of them.
class ConnectionOptions {
 public:
  explicit ConnectionOptions(const Headers& message) {
    for (auto& name : field_name_list(message.joined("Connection").value_or(""))) names_.insert(lower_case(name));
  }
  bool contain(std::string_view name) const { return !names_.empty() && names_.contains(lower_case(name)); }

 private:
  static std::string lower_case(std::string_view name) {
    std::string text(name);
    std::transform(text.begin(), text.end(), text.begin(), to_lower);
    return text;
  }
  std::unordered_set<std::string> names_;
};

/// Status codes that this cache understands (must-understand, section 5.2.2.3).
bool is_understood(int status) {
  static constexpr std::array kStatus{200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501};
  return std::find(kStatus.begin(), kStatus.end(), status) != kStatus.end();
}

bool has_validator(const Headers& headers) { return headers.first("ETag") || headers.first("Last-Modified"); }

}  // namespace

std::string_view to_string(Storing storing) {
  switch (storing) {
    case Storing::yes: return "stored";
    case Storing::method: return "method";
    case Storing::status: return "status";
    case Storing::no_store: return "no_store";
    case Storing::private_response: return "private";
    case Storing::authorization: return "authorization";
    case Storing::vary_any: return "vary_any";
    case Storing::no_freshness: return "no_freshness";
  }
  return "no_freshness";
}

Storing decide_storing(Method method, const Headers& request, const StoredHead& response, const FreshnessRules& rules) {
  const auto governing = governing_directives(response.headers);
  const auto& control = governing.control;
  if (method != Method::get) return Storing::method;
  if (response.status < 200 || response.status == 206 || response.status == 304) return Storing::status;
  if (control.must_understand && !is_understood(response.status)) return Storing::status;
  if (cache_control_of(request).no_store || (control.no_store && !control.must_understand)) return Storing::no_store;
  if (control.is_private) return Storing::private_response;
  if (request.first("Authorization") && !control.is_public && !control.must_revalidate && !control.s_maxage)
    return Storing::authorization;
  if (varies_on_anything(response.headers)) return Storing::vary_any;
  if (explicit_lifetime(response) || control.is_public) return Storing::yes;
  if (freshness_lifetime(response, rules) > std::chrono::seconds{0}) return Storing::yes;
  return is_heuristically_cacheable(response.status) && has_validator(response.headers) ? Storing::yes
                                                                                        : Storing::no_freshness;
}

bool is_connection_field(std::string_view name) { return names(kConnectionFields, name); }

Headers without_connection_fields(const Headers& message) {
  const ConnectionOptions options(message);
  Headers kept;
  for (const auto& field : message.all())
    if (!is_connection_field(field.name) && !options.contain(field.name)) kept.add(field.name, field.value);
  return kept;
}

Headers storable_fields(const Headers& response) {
  const auto control = governing_directives(response).control;
  Headers kept;
  const auto lasting = without_connection_fields(response);
  for (const auto& field : lasting.all())
    if (!names(control.no_cache_fields, field.name) && !names(control.private_fields, field.name))
      kept.add(field.name, field.value);
  return kept;
}

StoredHead freshened(const StoredHead& stored, const StoredHead& update) {
  StoredHead result{stored.status, stored.headers, update.requested, update.received};
  const auto fields = storable_fields(update.headers);
  const auto is_taken = [&](const std::string& name) { return !names(kOfStoredBody, name); };
  for (const auto& field : fields.all())
    if (is_taken(field.name)) result.headers.remove(field.name);
  for (const auto& field : fields.all())
    if (is_taken(field.name)) result.headers.add(field.name, field.value);
  if (!update.headers.first("Age")) result.headers.remove("Age");  // the origin sent the response: no time in a cache
  return result;
}

std::vector<Uri> invalidated_by(Method method, int status, const Uri& target, const Headers& response) {
  const bool safe = method == Method::get || method == Method::head || method == Method::options;
  if (safe || status < 200 || status >= 400) return {};
  std::vector<Uri> invalid{target};
  for (const auto* name : {"Location", "Content-Location"}) {
    const auto reference = response.first(name);
    if (!reference) continue;
    if (const auto uri = resolve(target, *reference); uri && uri->origin() == target.origin()) invalid.push_back(*uri);
  }
  return invalid;
}

}  // namespace tribune::http
