#include "runtime/own_site.h"

#include <algorithm>

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
