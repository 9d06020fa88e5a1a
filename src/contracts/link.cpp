#include "contracts/link.h"

#include <algorithm>
#include <optional>

#include "base/encoding.h"
#include "contracts/canonical.h"

namespace tribune::contracts {
namespace {

using base::KeyRing;

/// The last signature of a query: its value, the origin's query before it, and what a player added.
struct Found {
  std::string_view origin_query;
  std::string_view value;
  std::string_view added;  // what follows it: "" or "&…"
};

std::optional<Found> find_signature(std::string_view query) {
  std::optional<Found> found;
  for (std::size_t begin = 0; begin < query.size();) {
    const auto end = std::min(query.find('&', begin), query.size());
    const auto pair = query.substr(begin, end - begin);
    if (pair.size() > kLinkKey.size() && pair.starts_with(kLinkKey) && pair[kLinkKey.size()] == '=' &&
        std::count(pair.begin(), pair.end(), '.') == 3) {
      found = Found{query.substr(0, begin == 0 ? 0 : begin - 1), pair.substr(kLinkKey.size() + 1), query.substr(end)};
      if (begin == 1) return std::nullopt;  // "&tl=": an empty key before it is not canonical
    }
    begin = end + 1;
  }
  return found;
}

std::string signed_text_of_link(std::string_view channel, std::string_view epoch, std::string_view path,
                                std::string_view origin_query, std::string_view terms) {
  std::string message;
  message.reserve(channel.size() + epoch.size() + path.size() + origin_query.size() + terms.size() + 4);
  for (const auto part : {channel, epoch, path, origin_query}) message.append(part).push_back('\n');
  return message.append(terms);
}

bool can_be_written(const Link& link) {
  return !link.channel.empty() && is_short_id(link.epoch) && !link.path.empty() && link.expires >= 0 &&
         link.pace_kbps >= 0 && is_visible_ascii(link.channel) && is_visible_ascii(link.path) &&
         is_visible_ascii(link.origin_query);
}

constexpr char kRedirectMark = 'r', kMomentaryMark = 'm';

/// "[{use}]{expires}[-{pace}]": the terms of the link.
std::string terms_of(const Link& link) {
  std::string terms;
  if (link.use != LinkUse::anywhere) terms += link.use == LinkUse::redirect ? kRedirectMark : kMomentaryMark;
  terms += std::to_string(link.expires);
  if (link.pace_kbps > 0) terms.append("-").append(std::to_string(link.pace_kbps));
  return terms;
}

/// False for a spelling that differs from terms_of().
bool read_terms(std::string_view terms, Link& link) {
  if (terms.starts_with(kRedirectMark)) link.use = LinkUse::redirect;
  if (terms.starts_with(kMomentaryMark)) link.use = LinkUse::momentary;
  if (link.use != LinkUse::anywhere) terms.remove_prefix(1);
  const auto dash = terms.find('-');
  const auto expires = read_decimal(terms.substr(0, dash));
  const auto pace =
      dash == std::string_view::npos ? std::optional<std::int64_t>(0) : read_decimal(terms.substr(dash + 1));
  if (!expires || !pace || (*pace == 0 && dash != std::string_view::npos)) return false;
  link.expires = *expires;
  link.pace_kbps = *pace;
  return true;
}

tl::unexpected<base::Error> forbidden_link(std::string text) {
  return base::failure(base::ErrorKind::forbidden, base::Fault::client, std::move(text));
}

}  // namespace

std::string signed_query(const KeyRing& ring, const Link& link, base::WallTime now) {
  if (!can_be_written(link)) return "";
  const auto terms = terms_of(link);
  const auto signature = ring.sign(
      KeyRing::Purpose::link, signed_text_of_link(link.channel, link.epoch, link.path, link.origin_query, terms), now);
  if (!signature) return "";
  std::string query;
  query.reserve(link.origin_query.size() + 72);
  if (!link.origin_query.empty()) query.append(link.origin_query).push_back('&');
  query.append(kLinkKey).push_back('=');
  query.append(link.epoch).push_back('.');
  query.append(terms).push_back('.');
  query.append(signature->key_id).push_back('.');
  return query.append(base::to_base64url(signature->mac));
}

std::string media_target(const Link& link, std::string_view query) {
  std::string target = "/media/";
  target.append(link.channel).push_back('/');
  target.append(link.epoch).push_back('/');
  target.append(link.path).push_back('?');
  return target.append(query);
}

base::Result<Link> verify_link(const KeyRing& ring, std::string_view channel, std::string_view path,
                               std::string_view query, base::WallTime now, std::chrono::milliseconds skew,
                               std::optional<std::int64_t> listed_from) {
  const auto found = find_signature(query);
  if (!found) return forbidden_link("the link has no signature");
  const auto parts = split_exactly<4>(found->value, '.');
  if (!parts) return forbidden_link("the signature of the link is malformed");
  const auto [epoch, terms, key_id, mac_text] = *parts;
  const auto mac = base::from_base64url(mac_text);
  Link link{std::string(channel), std::string(epoch), std::string(path), std::string(found->origin_query)};
  if (!is_short_id(epoch) || !read_terms(terms, link) || !is_short_id(key_id) || !mac ||
      mac->size() != base::kMacBytes) {
    return forbidden_link("the signature of the link is malformed");
  }
  if (!can_be_written(link)) return forbidden_link("the link is malformed");
  if (!ring.verify(KeyRing::Purpose::link, signed_text_of_link(channel, epoch, path, link.origin_query, terms), key_id,
                   *mac, now)) {
    return forbidden_link("the signature of the link is not valid");
  }
  const bool is_listed = listed_from && link.use != LinkUse::momentary && link.expires >= *listed_from;
  if (!is_listed && link.expires * 1000 + skew.count() < unix_ms(now)) {
    return base::failure(base::ErrorKind::timeout, base::Fault::client, "the link has expired");
  }
  return link;
}

base::Result<Link> verify_media_link(const KeyRing& ring, std::string_view channel, std::string_view epoch,
                                     std::string_view path, std::string_view query, base::WallTime now,
                                     std::chrono::milliseconds skew, std::optional<std::int64_t> listed_from) {
  auto link = verify_link(ring, channel, path, query, now, skew, listed_from);
  if (link && link->epoch != epoch) return forbidden_link("the link belongs to another epoch");
  if (link && link->use == LinkUse::redirect) return forbidden_link("the link leads to the balancer of a paid channel");
  return link;
}

std::string_view added_query(std::string_view query) {
  const auto found = find_signature(query);
  return found ? found->added : std::string_view();
}

bool has_link(std::string_view query) { return find_signature(query).has_value(); }

std::int64_t link_expiry(base::WallTime now, std::chrono::milliseconds lifetime) {
  const auto step = std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(lifetime).count(), 1);
  const auto earliest = base::unix_seconds(now) + step;
  return (earliest + step - 1) / step * step;
}

}  // namespace tribune::contracts
