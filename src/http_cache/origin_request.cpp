#include "http_cache/origin_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "http/storing.h"
#include "http/uri.h"
#include "http/uri_bytes.h"

namespace tribune::http_cache {
namespace {

/// Forwarded to the origin regardless of pass_fields: fields that HTTP defines for requests, and fields that browsers
/// send with every request.
constexpr std::array<std::string_view, 50> kPassed{"Accept",
                                                   "Accept-Charset",
                                                   "Accept-Encoding",
                                                   "Accept-Language",
                                                   "Access-Control-Request-Headers",
                                                   "Access-Control-Request-Method",
                                                   "Authorization",
                                                   "Cache-Control",
                                                   "Content-Digest",
                                                   "Content-Disposition",
                                                   "Content-Encoding",
                                                   "Content-Language",
                                                   "Content-Location",
                                                   "Content-Range",
                                                   "Content-Type",
                                                   "Cookie",
                                                   "Date",
                                                   "DNT",
                                                   "From",
                                                   "Idempotency-Key",
                                                   "If-Match",
                                                   "If-Modified-Since",
                                                   "If-None-Match",
                                                   "If-Range",
                                                   "If-Unmodified-Since",
                                                   "Last-Modified",
                                                   "Max-Forwards",
                                                   "Origin",
                                                   "Pragma",
                                                   "Prefer",
                                                   "Priority",
                                                   "Range",
                                                   "Referer",
                                                   "Repr-Digest",
                                                   "Save-Data",
                                                   "Sec-Fetch-Dest",
                                                   "Sec-Fetch-Mode",
                                                   "Sec-Fetch-Site",
                                                   "Sec-Fetch-User",
                                                   "Sec-GPC",
                                                   "Traceparent",
                                                   "Tracestate",
                                                   "Upgrade-Insecure-Requests",
                                                   "User-Agent",
                                                   "Via",
                                                   "Want-Content-Digest",
                                                   "Want-Repr-Digest",
                                                   "X-Request-ID",
                                                   "X-Requested-With",
                                                   "Content-MD5"};

/// Fields that the cache or its HTTP client writes.
constexpr std::array<std::string_view, 7> kOwn{
    "Host", "Content-Length", "Expect", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Connection"};

bool names(const auto& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [&](std::string_view entry) { return http::equals_ignoring_case(entry, name); });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), http::to_lower);
  return out;
}

struct HostAndPort {
  std::string_view host, port;
};

HostAndPort split_authority(std::string_view authority) {
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return {authority, {}};
  return {authority.substr(0, colon), authority.substr(colon + 1)};
}

/// The host and port in lower case, without the default port of the scheme and without leading zeros of another port.
std::string normalized(std::string_view authority, bool secure) {
  auto [host, port] = split_authority(authority);
  while (port.size() > 1 && port.front() == '0') port.remove_prefix(1);
  auto text = lower(host);
  if (!port.empty() && port != (secure ? "443" : "80")) text.append(":").append(port);
  return text;
}

bool is_served(const std::vector<std::string>& hosts, const std::string& host, bool secure) {
  return hosts.empty() || std::any_of(hosts.begin(), hosts.end(), [&](const std::string& entry) {
           const auto [name, port] = split_authority(entry);
           return port.empty() ? lower(name) == split_authority(host).host : normalized(entry, secure) == host;
         });
}

/// Max-Forwards (RFC 9110 section 7.6.2); nullopt where it does not apply, is absent, or is not a number.
std::optional<std::uint64_t> hops_left(const http::Request& request) {
  const bool counts = request.method == http::Method::options || request.other_method == "TRACE";
  const auto field = request.headers.first("Max-Forwards");
  if (!counts || !field || request.headers.count("Max-Forwards") > 1) return std::nullopt;
  std::uint64_t hops = 0;
  const auto [end, error] = std::from_chars(field->data(), field->data() + field->size(), hops);
  if (error != std::errc{} || end != field->data() + field->size()) return std::nullopt;
  return hops;
}

/// Returns one list that ends with the last hop. The list that the last hop sent precedes it if that hop is trusted or
/// keep_forwarded_for is set.
std::string forwarded_for(const http::Headers& sent, const net::Arrival& arrival, const HttpCacheSettings& settings) {
  auto list =
      arrival.is_trusted || settings.keep_forwarded_for ? sent.joined("X-Forwarded-For").value_or("") : std::string();
  if (!list.empty()) list += ", ";
  return list + arrival.peer;
}

http::Headers passed_fields(const http::Headers& sent, const HttpCacheSettings& settings) {
  http::Headers passed;
  for (const auto& field : sent.all())
    if (names(kPassed, field.name) || (may_be_passed(field.name) && names(settings.pass_fields, field.name)))
      passed.add(field.name, field.value);
  // libcurl adds these where they are absent; Vary must take them into account.
  if (!passed.first("User-Agent")) passed.add("User-Agent", "tribune");
  if (!passed.first("Accept")) passed.add("Accept", "*/*");
  return passed;
}

}  // namespace

OriginRequest to_origin_request(http::Request request, const net::Arrival& arrival, const HttpCacheSettings& settings) {
  OriginRequest made;
  request.host = normalized(request.host, request.secure);
  made.is_host_served = is_served(settings.hosts, request.host, request.secure);
  request.headers = http::without_connection_fields(request.headers);
  auto fields = passed_fields(request.headers, settings);
  if (const auto hops = hops_left(request)) {
    made.may_be_forwarded = *hops > 0;
    if (*hops > 0) fields.set("Max-Forwards", std::to_string(*hops - 1));
  }
  fields.add("X-Forwarded-For", forwarded_for(request.headers, arrival, settings));
  fields.add("X-Forwarded-Host", request.host);
  fields.add("X-Forwarded-Proto", request.secure ? "https" : "http");
  request.headers = std::move(fields);
  made.target = request.path;
  if (!request.query.empty() || arrival.empty_query) made.target.append("?").append(request.query);
  made.key = key_at(request.secure ? "https" : "http", request.host, made.target);
  made.request = std::move(request);
  return made;
}

std::string key_at(std::string_view scheme, std::string_view host, std::string_view target) {
  std::string key(scheme);
  return key.append("://").append(host).append(target);
}

bool is_host_entry(std::string_view text) {
  const auto [host, port] = split_authority(text);
  const bool has_empty_port = text.ends_with(':');
  return !has_empty_port && text.find_first_of("/?#@") == std::string_view::npos &&
         http::parse_uri("http://" + std::string(text) + "/").has_value() && !host.empty();
}

bool may_be_passed(std::string_view name) {
  const auto is_token = [](char c) {
    return http::is_alpha(c) || http::is_digit(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token) && !names(kOwn, name) &&
         !http::is_connection_field(name);
}

}  // namespace tribune::http_cache
