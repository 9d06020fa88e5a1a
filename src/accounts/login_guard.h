#pragma once
// Limits the guessing of passwords without locking an owner out, after the "device cookies" of OWASP: a device that was
// logged in to the account before has a limit of its own, which no other client can use up. All other clients share one
// limit for a login, and one for an address. It does not verify devices and computes no hashes: the caller asks before
// a password is checked, and tells the outcome.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <unordered_map>

#include "accounts/account.h"
#include "accounts/failure_sketch.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/recent_map.h"

namespace tribune::accounts {

/// Any thread; locks inside, for about 1 µs.
///
/// An attempt is under way from decide() on, and counts as failed, so that many at once cannot all pass. It then
/// failed, or is released: it succeeded, or was abandoned.
///
/// The memory is bounded by 8 MiB for the failures of logins and addresses, 8 MiB for those of known devices, and
/// kMaxUnderWay attempts of each kind. An attacker with millions of logins or addresses cannot remove the failures of a
/// login: they are in sketches, which forget nothing before its time. What he can do is make them stricter for unknown
/// devices, and never for known ones, whose table is exact. At its bound the device that has not failed for the longest
/// time is forgotten: a device in it was verified, so filling it takes kMaxDevices logins that succeeded before.
class LoginGuard {
 public:
  struct Settings {
    FailureLimit address{20, std::chrono::minutes{10}};  // of one address, over all logins, from unknown devices
    FailureLimit login{10, std::chrono::minutes{10}};    // of one login, from all unknown devices together
    FailureLimit device{10, std::chrono::minutes{10}};   // of one known device
  };
  static constexpr std::size_t kMaxUnderWay = 65'536;  // attempts of unknown devices, and as many of known ones
  static constexpr std::size_t kMaxDevices = 65'536;
  /// Attempts under way of all known devices of one login together, so that one account cannot fill the queue that
  /// known devices have.
  static constexpr std::size_t kMaxUnderWayOfOwner = 4;

  struct Request {
    std::string_view login_key;            // of login_key(); of an account or not
    std::string_view address;              // of the client; IPv6 addresses of one /64 are the same
    std::optional<DeviceId> known_device;  // only if the caller has verified that it was logged in to this account
  };
  enum class Reason {
    address,   // too many failures from the address
    login,     // too many failures of the login from unknown devices
    device,    // too many failures of the known device
    overload,  // kMaxUnderWay attempts are under way
  };
  struct Refusal {
    Reason reason = Reason::overload;
    std::chrono::seconds retry_after{1};  // 1 s when attempts under way are the only reason
  };

  /// An attempt under way, which must not outlive the guard. Any thread, but one at a time.
  class Attempt {
   public:
    Attempt(Attempt&&) noexcept;
    Attempt& operator=(Attempt&&) = delete;
    /// Abandons the attempt unless its outcome was told: nothing is counted.
    ~Attempt();
    /// The password was wrong, or the login does not exist. Further calls have no effect.
    void failed(base::SteadyTime now);
    /// The password was right. Former failures stay counted, so that an own account does not clear an attacker's.
    void succeeded();

   private:
    friend class LoginGuard;
    Attempt(LoginGuard& guard, const FailureSketch::Key& login, const FailureSketch::Key& address)
        : guard_(&guard), login_(login), address_(address) {}
    Attempt(LoginGuard& guard, const FailureSketch::Key& login, DeviceId device)
        : guard_(&guard), login_(login), device_(device) {}

    LoginGuard* guard_;  // null when the outcome is known
    FailureSketch::Key login_{}, address_{};
    std::optional<DeviceId> device_;
  };
  using Decision = tl::expected<Attempt, Refusal>;

  LoginGuard(const Settings&, base::Metrics&);

  /// Takes effect from the next decision on. Failures that were counted before keep their time: a limit that was used
  /// up allows one more attempt after at most one step of the new one, if the window is not shorter.
  void apply(const Settings&);

  /// Whether the password may be checked now.
  Decision decide(const Request&, base::SteadyTime now);

 private:
  /// Attempts under way by key; a key without one has no entry.
  class UnderWay {
   public:
    std::size_t of(std::uint64_t key) const;
    void add(std::uint64_t key) { ++counts_[key]; }
    void remove(std::uint64_t key);

   private:
    std::unordered_map<std::uint64_t, std::uint32_t> counts_;
  };
  FailureSketch::Key key_of(char kind, std::string_view text) const;
  std::optional<Refusal> refusal_of_device(const FailureSketch::Key& login, DeviceId, base::SteadyTime now) const;
  std::optional<Refusal> refusal_of_others(const FailureSketch::Key& login, const FailureSketch::Key& address,
                                           base::SteadyTime now) const;
  Decision refused(const Refusal&);
  void end(const Attempt&, std::optional<base::SteadyTime> failed);
  void add_failure_of_device(DeviceId, base::SteadyTime now);

  const std::string secret_;  // of the hashes
  base::Counter address_refusals_, login_refusals_, device_refusals_, overload_refusals_;
  base::Counter devices_dropped_;
  base::Gauge devices_gauge_, under_way_gauge_;

  mutable std::mutex mutex_;  // guards what follows
  Settings settings_;
  FailureSketch login_failures_, address_failures_;
  base::RecentMap<DeviceId, base::SteadyTime> device_failures_;  // until nothing is left of them
  UnderWay logins_, addresses_, devices_;
  UnderWay owners_;  // logins, of attempts of known devices
  std::size_t others_under_way_ = 0, devices_under_way_ = 0;
};

std::string_view to_string(LoginGuard::Reason);

}  // namespace tribune::accounts
