#include "accounts/account_settings.h"

#include "accounts/account.h"

namespace tribune::accounts {
namespace {

using namespace std::chrono_literals;

void add_token_fields(config::Section<AccountSettings>& section) {
  section
      .duration("access_lifetime", &AccountSettings::access_lifetime, {1min, kMaxAccessLifetime},
                "Lifetime of an access token. It is checked without the store; an app refreshes it in time.")
      .duration("refresh_lifetime", &AccountSettings::refresh_lifetime, {1h, 24h * 730},
                "Time after which a device that did not refresh its tokens must log in again.")
      .duration("reset_code_lifetime", &AccountSettings::reset_code_lifetime, {5min, 24h * 7},
                "Lifetime of a one-time code for a forgotten password.")
      .duration(
          "refresh_grace", &AccountSettings::refresh_grace, {1s, 10min},
          "Time for which the refresh token that was used last is answered with the same successor again, because "
          "a response can be lost and an app can refresh twice at once. Later its use counts as theft and ends "
          "the device.");
}

void add_hash_fields(config::Section<AccountSettings>& section) {
  section
      .bytes("hash_memory", &AccountSettings::hash_memory_bytes, {8 << 10, 256 << 20},
             "Memory of one password hash (Argon2id, RFC 9106). A stored hash of another cost is renewed at the next "
             "login.")
      .whole("hash_passes", &AccountSettings::hash_passes, {1, 16}, "Passes of one password hash over its memory.")
      .whole("hash_threads", &AccountSettings::hash_threads, {1, 64},
             "Number of threads that hash passwords; each takes hash_memory. A change needs a restart.")
      .whole("max_waiting_logins", &AccountSettings::max_waiting_logins, {1, 10'000},
             "Maximum number of passwords that wait for a thread; more are answered with 503 and Retry-After. As many "
             "again may wait of devices that were logged in before, and these are served first.");
}

void add_guard_fields(config::Section<AccountSettings>& section) {
  section
      .whole("max_failed_logins", &AccountSettings::max_failed_logins, {1, 1'000},
             "Maximum number of wrong passwords for one login within failed_login_window, of all devices together that "
             "were not logged in to the account before; then they are answered with 429. Each device that was logged "
             "in before has as many attempts of its own, so that nobody can lock the owner out.")
      .whole("max_failed_logins_per_address", &AccountSettings::max_failed_logins_per_address, {1, 10'000},
             "Maximum number of wrong passwords from one client address (IPv6: one /64) within failed_login_window, "
             "from devices that were not logged in before. Raise it where a crowd shares one address.")
      .duration("failed_login_window", &AccountSettings::failed_login_window, {1min, 24h},
                "Time for which a wrong password counts.");
}

const config::Section<ResetHookSettings>& reset_hook_section() {
  static const auto section =
      config::Section<ResetHookSettings>("reset_hook",
                                         "The service that sends one-time codes for forgotten passwords to viewers.")
          .text(
              "url", &ResetHookSettings::url,
              "URL to which each code is posted, see docs/accounts.md. Empty: viewers cannot request codes, only "
              "operators issue them.",
              [](const std::string& url) { return url.empty() ? "" : config::check_private_url(url); },
              "https://host[:port]/path, http to this machine, or empty")
          .text("token_file", &ResetHookSettings::token_file,
                "File with the token that the requests carry as Authorization: Bearer, read at the start and at each "
                "reload: at least 16 visible ASCII characters; one line end at the end of the file is not part of it. "
                "A relative path is looked up as event.keys.secret_file is. Required with url.")
          .duration("timeout", &ResetHookSettings::timeout, {100ms, 30s},
                    "Time within which the service must answer a request; then it is repeated.")
          .check([](const ResetHookSettings& hook) -> std::string {
            return hook.url.empty() || !hook.token_file.empty()
                       ? ""
                       : "url needs token_file, the file with the token that the requests carry";
          });
  return section;
}

}  // namespace

const config::Section<AccountSettings>& account_section() {
  static const auto section = [] {
    auto made =
        config::Section<AccountSettings>("accounts", "The accounts of viewers.")
            .text("state_dir", &AccountSettings::state_dir,
                  "Directory for the accounts and for the key that signs their tokens. One process uses it at a time. "
                  "Empty: there are no accounts. A change needs a restart.")
            .bytes("max_store", &AccountSettings::max_store_bytes, {16 << 20, 1ull << 40},
                   "Maximum size of the store on disk, about 1 KiB for each account. When it is full, registrations "
                   "and logins are answered with 503. A change needs a restart.")
            .choice<RegistrationMode>("registration", &AccountSettings::registration,
                                      {{"open", RegistrationMode::open},
                                       {"closed", RegistrationMode::closed},
                                       {"moderated", RegistrationMode::moderated}},
                                      "open: everybody can register; closed: only operators create accounts; "
                                      "moderated: an operator accepts or declines each registration.")
            .whole("min_password_length", &AccountSettings::min_password_length, {1, 128},
                   "Minimum length of a new password in bytes.")
            .whole("max_devices", &AccountSettings::max_devices, {1, kMaxDevicesPerAccount},
                   "Maximum number of devices on which an account is logged in. One more ends the login of the device "
                   "that was not used for the longest time.");
    add_token_fields(made);
    add_hash_fields(made);
    add_guard_fields(made);
    made.section("reset_hook", &AccountSettings::reset_hook, reset_hook_section(),
                 "The service that sends one-time codes for forgotten passwords to viewers.");
    return made;
  }();
  return section;
}

}  // namespace tribune::accounts
