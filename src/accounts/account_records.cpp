#include "accounts/account_records.h"

#include "base/json.h"
#include "store/json_record.h"

namespace tribune::accounts {
namespace {

using base::json::Writer;
using store::JsonRecord;
using store::milliseconds_of;

}  // namespace

std::string to_record(const Account& account) {
  Writer w;
  w.begin_object().member("id", to_text(account.id)).member("login", account.login);
  w.member("state", to_string(account.state)).member("reason", account.reason);
  w.member("password_hash", account.password_hash).member("password_version", account.password_version);
  w.member("created", milliseconds_of(account.created));
  return w.end_object().take();
}

std::optional<Account> account_of_record(std::string_view text) {
  JsonRecord reader(text);
  Account account;
  account.id = reader.id("id");
  account.login = reader.text("login");
  const auto state = parse_account_state(reader.text("state"));
  if (!state) return std::nullopt;
  account.state = *state;
  account.reason = reader.text("reason");
  account.password_hash = reader.text("password_hash");
  account.password_version = static_cast<std::uint32_t>(reader.number("password_version"));
  account.created = reader.time("created");
  return reader.result(std::move(account));
}

std::string to_record(const Device& device) {
  Writer w;
  w.begin_object().member("id", to_text(device.id)).member("account", to_text(device.account));
  w.member("name", device.name).member("generation", device.generation);
  w.member("created", milliseconds_of(device.created)).member("refreshed", milliseconds_of(device.refreshed));
  return w.end_object().take();
}

std::optional<Device> device_of_record(std::string_view text) {
  JsonRecord reader(text);
  Device device;
  device.id = reader.id("id");
  device.account = reader.id("account");
  device.name = reader.text("name");
  device.generation = static_cast<std::uint32_t>(reader.number("generation"));
  device.created = reader.time("created");
  device.refreshed = reader.time("refreshed");
  return reader.result(std::move(device));
}

std::string to_record(const Revocation& revocation) {
  Writer w;
  w.begin_object().member("number", revocation.number).member("device", to_text(revocation.device));
  return w.member("at", milliseconds_of(revocation.at)).end_object().take();
}

std::optional<Revocation> revocation_of_record(std::string_view text) {
  JsonRecord reader(text);
  Revocation revocation;
  revocation.number = static_cast<std::uint64_t>(reader.number("number"));
  revocation.device = reader.id("device");
  revocation.at = reader.time("at");
  return reader.result(revocation);
}

std::string to_record(const ResetCode& code) {
  Writer w;
  w.begin_object().member("code_hash", code.code_hash).member("expires", milliseconds_of(code.expires));
  return w.end_object().take();
}

std::optional<ResetCode> reset_code_of_record(std::string_view text) {
  JsonRecord reader(text);
  ResetCode code;
  code.code_hash = reader.text("code_hash");
  code.expires = reader.time("expires");
  return reader.result(std::move(code));
}

}  // namespace tribune::accounts
