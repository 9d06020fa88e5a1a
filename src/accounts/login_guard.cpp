#include "accounts/login_guard.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/ids.h"
#include "base/ip_address.h"
#include "base/signing.h"

namespace tribune::accounts {

namespace {

constexpr std::size_t kGuardSecretBytes = 32;

base::Counter refusals(base::Metrics& metrics, LoginGuard::Reason reason) {
  return metrics.counter("tribune_accounts_login_refusals_total",
                         "Logins that were refused before the password was checked, by reason",
                         {{"reason", to_string(reason)}});
}

LoginGuard::Settings bounded_limits(const LoginGuard::Settings& settings) {
  return {settings.address.bounded(), settings.login.bounded(), settings.device.bounded()};
}

/// nullopt when one more attempt may fail.
std::optional<LoginGuard::Refusal> refusal_by(LoginGuard::Reason reason, const FailureLimit& limit,
                                              base::SteadyTime gone, std::size_t under_way, base::SteadyTime now) {
  if (limit.wait(gone, under_way, now).count() == 0) return std::nullopt;
  const auto wait = std::chrono::ceil<std::chrono::seconds>(limit.wait(gone, 0, now));
  return LoginGuard::Refusal{reason, std::max(wait, std::chrono::seconds{1})};
}

}  // namespace

std::string_view to_string(LoginGuard::Reason reason) {
  switch (reason) {
    case LoginGuard::Reason::address: return "address";
    case LoginGuard::Reason::login: return "login";
    case LoginGuard::Reason::device: return "device";
    case LoginGuard::Reason::overload: return "overload";
  }
  return "";
}

std::size_t LoginGuard::UnderWay::of(std::uint64_t key) const {
  const auto found = counts_.find(key);
  return found == counts_.end() ? 0 : found->second;
}

void LoginGuard::UnderWay::remove(std::uint64_t key) {
  const auto found = counts_.find(key);
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

LoginGuard::Attempt::Attempt(Attempt&& other) noexcept
    : guard_(std::exchange(other.guard_, nullptr)),
      login_(other.login_),
      address_(other.address_),
      device_(other.device_) {}

LoginGuard::Attempt::~Attempt() { succeeded(); }

void LoginGuard::Attempt::failed(base::SteadyTime now) {
  if (auto* guard = std::exchange(guard_, nullptr)) guard->end(*this, now);
}

void LoginGuard::Attempt::succeeded() {
  if (auto* guard = std::exchange(guard_, nullptr)) guard->end(*this, std::nullopt);
}

LoginGuard::LoginGuard(const Settings& settings, base::Metrics& metrics)
    : secret_(base::random_bytes(kGuardSecretBytes)),
      address_refusals_(refusals(metrics, Reason::address)),
      login_refusals_(refusals(metrics, Reason::login)),
      device_refusals_(refusals(metrics, Reason::device)),
      overload_refusals_(refusals(metrics, Reason::overload)),
      devices_dropped_(metrics.counter("tribune_accounts_device_failures_dropped_total",
                                       "Known devices whose failed logins were forgotten before their time")),
      devices_gauge_(metrics.gauge("tribune_accounts_devices_with_failures", "Known devices whose logins failed")),
      under_way_gauge_(metrics.gauge("tribune_accounts_logins_under_way", "Logins whose password is being checked")),
      settings_(bounded_limits(settings)) {}

void LoginGuard::apply(const Settings& settings) {
  const std::lock_guard lock(mutex_);
  settings_ = bounded_limits(settings);
}

LoginGuard::Decision LoginGuard::decide(const Request& request, base::SteadyTime now) {
  if (const auto device = request.known_device) {
    const auto owner_key = key_of('l', request.login_key);
    const std::lock_guard lock(mutex_);
    if (const auto refusal = refusal_of_device(owner_key, *device, now)) return refused(*refusal);
    devices_.add(*device);
    owners_.add(owner_key[0]);
    ++devices_under_way_;
    under_way_gauge_.add(1);
    return Attempt(*this, owner_key, *device);
  }
  const auto address = base::parse_ip(request.address);
  const auto login_key = key_of('l', request.login_key);
  const auto address_key = key_of('a', address ? address->counted().text() : std::string(request.address));
  const std::lock_guard lock(mutex_);
  if (const auto refusal = refusal_of_others(login_key, address_key, now)) return refused(*refusal);
  logins_.add(login_key[0]);
  addresses_.add(address_key[0]);
  ++others_under_way_;
  under_way_gauge_.add(1);
  return Attempt(*this, login_key, address_key);
}

/// SHA-256 behind a secret: nobody outside can find two texts that share cells.
FailureSketch::Key LoginGuard::key_of(char kind, std::string_view text) const {
  std::string message;
  message.reserve(secret_.size() + 1 + text.size());
  message.append(secret_).append(1, kind).append(text);
  const auto digest = base::sha256(message);
  FailureSketch::Key key{};
  static_assert(sizeof(key) == 32);
  std::memcpy(key.data(), digest.data(), sizeof(key));
  return key;
}

std::optional<LoginGuard::Refusal> LoginGuard::refusal_of_device(const FailureSketch::Key& login, DeviceId device,
                                                                 base::SteadyTime now) const {
  if (devices_under_way_ >= kMaxUnderWay || owners_.of(login[0]) >= kMaxUnderWayOfOwner) return Refusal{};
  const auto* gone = device_failures_.peek(device);
  return refusal_by(Reason::device, settings_.device, gone ? *gone : now, devices_.of(device), now);
}

std::optional<LoginGuard::Refusal> LoginGuard::refusal_of_others(const FailureSketch::Key& login,
                                                                 const FailureSketch::Key& address,
                                                                 base::SteadyTime now) const {
  if (others_under_way_ >= kMaxUnderWay) return Refusal{};
  const auto by_address =
      refusal_by(Reason::address, settings_.address, address_failures_.gone(address), addresses_.of(address[0]), now);
  const auto by_login =
      refusal_by(Reason::login, settings_.login, login_failures_.gone(login), logins_.of(login[0]), now);
  if (by_address && by_login) return by_address->retry_after > by_login->retry_after ? by_address : by_login;
  return by_address ? by_address : by_login;
}

LoginGuard::Decision LoginGuard::refused(const Refusal& refusal) {
  switch (refusal.reason) {
    case Reason::address: address_refusals_.add(); break;
    case Reason::login: login_refusals_.add(); break;
    case Reason::device: device_refusals_.add(); break;
    case Reason::overload: overload_refusals_.add(); break;
  }
  return tl::unexpected<Refusal>(refusal);
}

void LoginGuard::end(const Attempt& attempt, std::optional<base::SteadyTime> failed) {
  const std::lock_guard lock(mutex_);
  under_way_gauge_.add(-1);
  if (attempt.device_) {
    devices_.remove(*attempt.device_);
    owners_.remove(attempt.login_[0]);
    --devices_under_way_;
    if (failed) add_failure_of_device(*attempt.device_, *failed);
    return;
  }
  logins_.remove(attempt.login_[0]);
  addresses_.remove(attempt.address_[0]);
  --others_under_way_;
  if (!failed) return;
  login_failures_.add(attempt.login_, settings_.login, *failed);
  address_failures_.add(attempt.address_, settings_.address, *failed);
}

void LoginGuard::add_failure_of_device(DeviceId device, base::SteadyTime now) {
  const auto* oldest = device_failures_.oldest();
  for (; oldest && oldest->second <= now; oldest = device_failures_.oldest()) device_failures_.erase(oldest->first);
  if (device_failures_.size() >= kMaxDevices && !device_failures_.peek(device)) {
    device_failures_.erase(device_failures_.oldest()->first);
    devices_dropped_.add();
  }
  auto& gone = device_failures_.try_emplace(device, now).first;
  gone = settings_.device.after_failure(gone, now);
  devices_gauge_.set(static_cast<double>(device_failures_.size()));
}

}  // namespace tribune::accounts
