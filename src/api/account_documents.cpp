#include "api/account_documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include "api/shop_documents.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "contracts/canonical.h"

namespace tribune::api {
namespace {

using base::json::Writer;

std::string time_of_seconds(std::int64_t seconds) {
  return base::rfc3339(base::WallTime(std::chrono::seconds(seconds)));
}

void write_account_members(Writer& w, const accounts::Account& account) {
  w.member("id", accounts::to_text(account.id)).member("login", account.login);
  w.member("state", to_string(account.state)).member("created_at", base::rfc3339(account.created));
}

void write_account(Writer& w, const accounts::Account& account) {
  w.begin_object();
  write_account_members(w, account);
  w.end_object();
}

void write_device(Writer& w, const accounts::Device& device, bool is_current) {
  w.begin_object().member("id", accounts::to_text(device.id)).member("name", device.name);
  w.member("created_at", base::rfc3339(device.created)).member("refreshed_at", base::rfc3339(device.refreshed));
  w.member("is_current", is_current).end_object();
}

void write_devices(Writer& w, std::span<const accounts::Device> devices, accounts::DeviceId current) {
  w.key("devices").begin_array();
  for (const auto& device : devices) write_device(w, device, device.id == current);
  w.end_array();
}

/// The place of a device in the order of creation. The text form is "{hex of unix milliseconds}-{id}".
using DevicePlace = std::pair<std::int64_t, accounts::DeviceId>;

DevicePlace place_of(const accounts::Device& device) { return {contracts::unix_ms(device.created), device.id}; }

std::string cursor_after(const accounts::Device& device) {
  return fmt::format("{:x}-{}", contracts::unix_ms(device.created), accounts::to_text(device.id));
}

std::optional<DevicePlace> place_of_cursor(std::string_view cursor) {
  const auto time = cursor.substr(0, cursor.find('-'));
  const auto id = accounts::parse_id(cursor.substr(std::min(time.size() + 1, cursor.size())));
  std::int64_t created = 0;
  const auto [end, error] = std::from_chars(time.data(), time.data() + time.size(), created, 16);
  if (!id || error != std::errc{} || end != time.data() + time.size()) return std::nullopt;
  return DevicePlace{created, *id};
}

}  // namespace

std::string account_document(const accounts::Account& account) {
  Writer w;
  write_account(w, account);
  return w.take();
}

void write_access_token(Writer& w, const AccessToken& token, base::WallTime now) {
  w.member("access_token", token.text).member("token_type", "Bearer");
  w.member("expires_in", base::unix_seconds(token.expires) - base::unix_seconds(now));
  w.member("expires_at", base::rfc3339(token.expires));
}

std::string login_document(const accounts::LoggedIn& login, const TokenTexts& tokens, base::WallTime now) {
  Writer w;
  w.begin_object().key("account");
  write_account(w, login.account);
  w.key("device");
  write_device(w, login.device, true);
  write_access_token(w, tokens.access, now);
  w.member("refresh_token", tokens.refresh).member("refresh_expires_at", base::rfc3339(tokens.refresh_expires));
  return w.member("device_token", tokens.device).end_object().take();
}

std::string session_document(const contracts::AccountClaims& claims) {
  Writer w;
  w.begin_object().key("account").begin_object().member("id", accounts::to_text(claims.account)).end_object();
  w.key("device").begin_object().member("id", accounts::to_text(claims.device)).end_object();
  w.member("issued_at", time_of_seconds(claims.issued)).member("expires_at", time_of_seconds(claims.expires));
  w.key("channels").begin_array();
  for (const auto& entitled : claims.channels) {
    w.begin_object().member("channel", entitled.channel.empty() ? "all" : entitled.channel);
    w.member("from", time_of_seconds(entitled.from));
    if (entitled.until != 0) w.member("until", time_of_seconds(entitled.until));
    w.end_object();
  }
  w.end_array().member("has_more_channels", claims.has_more_channels);
  return w.end_object().take();
}

std::optional<std::string> devices_document(const std::vector<accounts::Device>& devices, accounts::DeviceId current,
                                            const PageQuery& page) {
  std::span<const accounts::Device> rest(devices);
  if (!page.cursor.empty()) {
    const auto place = place_of_cursor(page.cursor);
    if (!place) return std::nullopt;
    const auto first =
        std::find_if(devices.begin(), devices.end(), [&](const auto& device) { return place_of(device) > *place; });
    rest = rest.subspan(static_cast<std::size_t>(first - devices.begin()));
  }
  const auto listed = rest.first(std::min(page.limit, rest.size()));
  Writer w;
  w.begin_object();
  write_devices(w, listed, current);
  if (listed.size() < rest.size()) w.member("next", cursor_after(listed.back()));
  return w.end_object().take();
}

std::string export_document(const AccountExport& gathered, base::WallTime now) {
  Writer w;
  w.begin_object().key("account");
  write_account(w, gathered.account);
  write_devices(w, gathered.devices, 0);
  write_balances(w, gathered.balances);
  write_purchases(w, gathered.purchases, Language::en);
  if (!gathered.next_purchases.empty()) w.member("purchases_next", purchase_cursor_text(gathered.next_purchases));
  return w.member("exported_at", base::rfc3339(now)).end_object().take();
}

std::string accounts_document(const accounts::AccountPage& page) {
  Writer w;
  w.begin_object().key("accounts").begin_array();
  for (const auto& account : page.accounts) {
    w.begin_object();
    write_account_members(w, account);
    w.member("reason", account.reason).end_object();
  }
  w.end_array();
  if (!page.next.empty()) w.member("next", page.next);
  return w.end_object().take();
}

std::string operator_document(const accounts::Account& account, const std::vector<accounts::Device>& devices) {
  Writer w;
  w.begin_object();
  write_account_members(w, account);
  w.member("reason", account.reason);
  write_devices(w, devices, 0);
  return w.end_object().take();
}

}  // namespace tribune::api
