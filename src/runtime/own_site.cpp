#include "runtime/own_site.h"

#include <algorithm>
#include <array>

#include "http/problem.h"
#include "http/uri.h"

namespace tribune::runtime {
namespace {

constexpr std::string_view kJson = "application/json";

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

/// Parses a host as an IP address, with or without brackets; nullopt for a name.
std::optional<base::IpAddress> address_of(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return base::parse_ip(host);
}

bool is_loopback_address(const base::IpAddress& address) {
  static const auto loopback = base::PrefixList::parse({"127.0.0.0/8", "::1"});
  return loopback->contains(address);
}

/// Whether `reference`, an Origin or a URL, has the authority to which the request was sent. An omitted port is the
/// default port of the scheme.
bool is_of_this_site(std::string_view reference, const http::Request& request) {
  const auto other = http::parse_uri(reference);
  if (!other) return false;  // "null", or not a URL
  const auto own = http::parse_uri(other->scheme + "://" + request.host);
  return own && own->host == other->host && own->port == other->port;
}

bool begins_with_ignoring_case(std::string_view text, std::string_view beginning) {
  return http::equals_ignoring_case(text.substr(0, beginning.size()), beginning);
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  return lower_case(text).find(part) != std::string::npos;
}

/// The product names with which programs begin their User-Agent (RFC 9110 section 10.1.5). The media players of
/// browsers (AppleCoreMedia, stagefright) and apps that fetch previews are not among them.
constexpr std::array<std::string_view, 26> kPrograms{"curl",
                                                     "Wget",
                                                     "Wget2",
                                                     "python-requests",
                                                     "Python-urllib",
                                                     "python-httpx",
                                                     "aiohttp",
                                                     "Python",
                                                     "urllib3",
                                                     "HTTPie",
                                                     "xh",
                                                     "Go-http-client",
                                                     "Java",
                                                     "Java-http-client",
                                                     "Apache-HttpClient",
                                                     "okhttp",
                                                     "libwww-perl",
                                                     "Ruby",
                                                     "axios",
                                                     "node",
                                                     "undici",
                                                     "Deno",
                                                     "Bun",
                                                     "GuzzleHttp",
                                                     "PostmanRuntime",
                                                     "insomnia"};

/// Whether the User-Agent begins with a product of the list: "curl/8.5.0", "Python/3.11 aiohttp/3.9", "node".
bool names_program(std::string_view user_agent) {
  const auto product = user_agent.substr(0, user_agent.find_first_of("/ "));
  return std::any_of(kPrograms.begin(), kPrograms.end(),
                     [&](std::string_view program) { return http::equals_ignoring_case(product, program); });
}

/// Whether browsers add the field, and programs do not by themselves. Node.js sends Sec-Fetch-Mode and
/// "Accept-Language: *".
bool is_of_browser(const http::Header& field) {
  using http::equals_ignoring_case;
  if (begins_with_ignoring_case(field.name, "Sec-")) return !equals_ignoring_case(field.name, "Sec-Fetch-Mode");
  if (equals_ignoring_case(field.name, "Accept-Language")) return field.value != "*";
  if (equals_ignoring_case(field.name, "Accept"))
    return contains_ignoring_case(field.value, "text/html") || contains_ignoring_case(field.value, "image/") ||
           contains_ignoring_case(field.value, "text/css");
  for (const auto* name : {"Upgrade-Insecure-Requests", "Origin", "Referer", "DNT", "Cookie", "Purpose", "X-Purpose",
                           "X-Moz", "X-Playback-Session-Id"})
    if (equals_ignoring_case(field.name, name)) return true;
  return false;
}

bool is_write(http::Method method) {
  return method != http::Method::get && method != http::Method::head && method != http::Method::options;
}

bool says_json(const http::Headers& headers) {
  auto type = headers.first("Content-Type").value_or("");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return headers.count("Content-Type") == 1 && http::equals_ignoring_case(type, kJson);
}

}  // namespace

HostNames::HostNames(const std::vector<std::string>& names, const std::vector<std::string>& listen) {
  for (const auto& name : names) names_.insert(lower_case(name));
  names_.insert("localhost");
  for (const auto& entry : listen) {
    const auto address = address_of(std::string_view(entry).substr(0, entry.rfind(':')));
    if (!address) continue;
    const bool is_every = *address == base::parse_ip("0.0.0.0") || *address == base::parse_ip("::");
    any_address_ = any_address_ || is_every;
    addresses_.push_back(*address);
  }
}

HostNames HostNames::with_any_address(const std::vector<std::string>& names) {
  HostNames hosts(names, {});
  hosts.any_address_ = true;
  return hosts;
}

bool HostNames::has(std::string_view host) const {
  if (host.empty()) return true;
  const auto uri = http::parse_uri("http://" + std::string(host));
  if (!uri) return false;
  if (const auto address = address_of(uri->host))
    return any_address_ || is_loopback_address(*address) ||
           std::find(addresses_.begin(), addresses_.end(), *address) != addresses_.end();
  return names_.contains(lower_case(uri->host));
}

bool is_cross_site(const http::Request& request) {
  for (const auto& field : request.headers.all()) {
    if (http::equals_ignoring_case(field.name, "Sec-Fetch-Site") && field.value != "none" &&
        field.value != "same-origin")
      return true;
    const bool names_site =
        http::equals_ignoring_case(field.name, "Origin") || http::equals_ignoring_case(field.name, "Referer");
    if (names_site && !is_of_this_site(field.value, request)) return true;
  }
  return false;
}

bool shows_own_site(const http::Request& request) {
  return shows_own_site_in_post(request) || (!is_cross_site(request) && request.headers.first("Referer"));
}

bool shows_own_site_in_post(const http::Request& request) {
  return !is_cross_site(request) && (request.headers.first("Sec-Fetch-Site") || request.headers.first("Origin"));
}

bool is_of_program(const http::Request& request) {
  for (const auto& field : request.headers.all()) {
    if (is_of_browser(field)) return false;
    if (http::equals_ignoring_case(field.name, "User-Agent") && !names_program(field.value)) return false;
  }
  return true;
}

bool is_prefetch(const http::Request& request) {
  return std::any_of(request.headers.all().begin(), request.headers.all().end(), [](const http::Header& field) {
    const bool says_purpose =
        http::equals_ignoring_case(field.name, "Sec-Purpose") || http::equals_ignoring_case(field.name, "Purpose") ||
        http::equals_ignoring_case(field.name, "X-Purpose") || http::equals_ignoring_case(field.name, "X-Moz");
    return says_purpose && !http::equals_ignoring_case(field.value, "fetch");
  });
}

std::optional<http::Response> refusal_of_site(const http::Request& request, const HostNames& hosts) {
  using namespace http::problems;
  if (!hosts.has(request.host))
    return http::problem(misdirected, "This listener does not serve the host \"" + request.host +
                                          "\": use its address, or add the name to admin.names.");
  if (is_cross_site(request)) return http::problem(forbidden, "Cross-site requests to this listener are not allowed.");
  if (is_write(request.method) && !says_json(request.headers))
    return http::problem(content_type_unsupported,
                         "Send Content-Type: application/json, also in a request without a body.");
  return std::nullopt;
}

}  // namespace tribune::runtime
