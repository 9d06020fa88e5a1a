#pragma once
// Sends one-time codes for forgotten passwords to the service that an operator has configured
// (api.accounts.reset_hook), which mails them. A viewer's request waits here until its code was accepted or is given
// up.
//
// States of a request; there is one for each login
//   queued    waits for one of kMaxDeliveries                             (request, a repeat that is due)
//   busy      the account service issues its code, or the hook is asked   (start_queued)
//   waiting   the hook did not take the code; it is asked again later     (on_answered)
//   ended     the hook has the code, or it is given up                    (finish)
//
// A newer request for the login replaces one that is queued or waiting, because its code is void once the newer one is
// issued; a request that is busy is followed by the newer one.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "accounts/account_service.h"
#include "api/localized.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/published.h"
#include "base/result.h"
#include "net/client/http_client.h"
#include "runtime/role.h"

namespace tribune::api {

/// Where codes are sent. Immutable.
struct ResetHookTarget {
  std::string url;
  std::string origin;  // of the URL
  std::string token;
  std::chrono::milliseconds timeout{};
};

/// Reads the token file. Null without a URL. Blocks. Errors name the setting: io, and invalid_input for a token that
/// cannot be one.
base::Result<std::shared_ptr<const ResetHookTarget>> reset_hook_target(const accounts::ResetHookSettings&);

/// The body of the request to the hook (docs/accounts.md).
std::string reset_code_document(const accounts::RequestedResetCode&, Language);

enum class HookAnswer { delivered, repeat, give_up };
HookAnswer hook_answer_of(int status);

/// The time until a code is sent again that was sent so many times; nullopt: it is given up.
std::optional<std::chrono::milliseconds> reset_code_repeat_delay(unsigned attempts);

/// set_target(), is_open(), has_room(), request() and describe() from any thread; the deliveries run on the first
/// worker. Destroyed after that worker's loop has ended, and after the account service.
class ResetCodeHook {
 public:
  static constexpr std::size_t kMaxRequests = 1'000;
  static constexpr std::size_t kMaxDeliveries = 4;  // at once
  static constexpr std::chrono::seconds kRetryWhenFull{30};

  ResetCodeHook(accounts::AccountService&, runtime::Services&);

  /// Null: viewers cannot request codes.
  void set_target(std::shared_ptr<const ResetHookTarget> target) { target_.publish(std::move(target)); }
  bool is_open() const { return target_.get() != nullptr; }
  bool has_room() const { return requests_ < kMaxRequests; }
  /// Queues a request for a code; false when there are kMaxRequests. Nothing is looked up on the caller's thread.
  bool request(std::string login, Language);
  /// Adds "reset_hook": {url, waiting, error?} while it is open. error: of the last request to the hook.
  void describe(base::json::Writer&) const;

 private:
  enum class State { queued, busy, waiting };
  struct ResetRequest {
    std::string login;
    Language language = Language::en;
  };
  struct ResetDelivery {
    ResetRequest request;
    State state = State::queued;
    std::optional<accounts::RequestedResetCode> code;  // once it is issued
    std::string idempotency_key;
    unsigned attempts = 0;
    int status = 0;                     // of the hook's last answer; 0: there was none
    std::optional<ResetRequest> newer;  // arrived while this one was busy
    std::unique_ptr<net::Fetch> fetch;
    net::Timer repeat;
  };

  void take(ResetRequest);
  void start_queued();
  void issue(const std::string& key, const ResetDelivery&);
  void on_issued(const std::string& key, accounts::Answer<accounts::RequestedResetCode>);
  void send(const std::string& key, ResetDelivery&);
  net::FetchRequest request_to(const ResetHookTarget&, const ResetDelivery&) const;
  void on_answered(const std::string& key, const base::Result<void>&);
  void repeat_later(const std::string& key, ResetDelivery&, const std::string& why);
  void fail(const std::string& key, const std::string& why);
  void finish(const std::string& key, base::Counter& result);
  void count_replaced();
  void set_error(std::string);

  accounts::AccountService& service_;
  runtime::Services& services_;
  base::Counter delivered_, failed_, ignored_, replaced_;
  base::Gauge waiting_;
  base::Published<ResetHookTarget> target_{nullptr};
  std::atomic<std::size_t> requests_{0};  // that have not ended
  mutable std::mutex mutex_;              // guards error_
  std::string error_;

  // Used on the worker's loop only. The keys are login_key().
  std::unordered_map<std::string, ResetDelivery> deliveries_;
  std::deque<std::string> queue_;  // the queued ones
  std::size_t busy_ = 0;
};

}  // namespace tribune::api
