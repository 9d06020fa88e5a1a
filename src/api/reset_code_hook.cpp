#include "api/reset_code_hook.h"

#include <array>
#include <utility>

#include "accounts/account.h"
#include "base/ids.h"
#include "base/rfc3339.h"
#include "contracts/secret_file.h"
#include "http/uri.h"
#include "runtime/process_settings.h"

namespace tribune::api {
namespace {

using namespace std::chrono_literals;

constexpr std::array kRepeatDelays{1'000ms, 5'000ms, 25'000ms};
constexpr std::size_t kMaxHookTokenBytes = 4'096;
constexpr std::size_t kIdempotencyKeyCharacters = 26;  // of 5 bits each

base::Counter reset_codes_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_accounts_reset_codes_total",
                         "Requests of viewers for one-time codes that have ended, by result.", {{"result", result}});
}

}  // namespace

base::Result<std::shared_ptr<const ResetHookTarget>> reset_hook_target(const accounts::ResetHookSettings& settings) {
  if (settings.url.empty()) return std::shared_ptr<const ResetHookTarget>();
  const auto refused = [](base::ErrorKind kind, const std::string& why) {
    return base::failure(kind, base::Fault::tribune, "api.accounts.reset_hook." + why);
  };
  const auto uri = http::parse_uri(settings.url);
  if (!uri) return refused(base::ErrorKind::invalid_input, "url: " + uri.error().text);
  auto token = contracts::read_secret_file(settings.token_file, kMaxHookTokenBytes);
  if (!token) return refused(token.error().kind, "token_file: " + token.error().text);
  if (token->empty() || token->size() > kMaxHookTokenBytes || !runtime::operator_token_rule(*token).empty())
    return refused(base::ErrorKind::invalid_input,
                   "token_file: " + settings.token_file + " must have 16 to 4096 visible ASCII characters");
  return std::make_shared<const ResetHookTarget>(
      ResetHookTarget{settings.url, uri->origin(), std::move(*token), settings.timeout});
}

std::string reset_code_document(const accounts::RequestedResetCode& code, Language language) {
  base::json::Writer w;
  w.begin_object().member("type", "password_reset").member("login", code.login).member("code", code.issued.code);
  w.member("expires", base::rfc3339(code.issued.expires)).member("language", language == Language::ru ? "ru" : "en");
  return w.end_object().take();
}

HookAnswer hook_answer_of(int status) {
  if (status >= 200 && status < 300) return HookAnswer::delivered;
  return status == 408 || status == 429 || status >= 500 ? HookAnswer::repeat : HookAnswer::give_up;
}

std::optional<std::chrono::milliseconds> reset_code_repeat_delay(unsigned attempts) {
  if (attempts == 0 || attempts > kRepeatDelays.size()) return std::nullopt;
  return kRepeatDelays[attempts - 1];
}

ResetCodeHook::ResetCodeHook(accounts::AccountService& service, runtime::Services& services)
    : service_(service),
      services_(services),
      delivered_(reset_codes_counter(services.metrics, "delivered")),
      failed_(reset_codes_counter(services.metrics, "failed")),
      ignored_(reset_codes_counter(services.metrics, "ignored")),
      replaced_(reset_codes_counter(services.metrics, "replaced")),
      waiting_(services.metrics.gauge("tribune_accounts_reset_codes_waiting",
                                      "Requests of viewers for one-time codes that have not ended.")) {}

bool ResetCodeHook::request(std::string login, Language language) {
  if (requests_.fetch_add(1) >= kMaxRequests) {
    requests_.fetch_sub(1);
    return false;
  }
  waiting_.add(1);
  services_.workers.front()->loop.post(
      [this, asked = ResetRequest{std::move(login), language}]() mutable { take(std::move(asked)); });
  return true;
}

void ResetCodeHook::take(ResetRequest asked) {
  const auto key = accounts::login_key(asked.login);
  auto [at, is_first] = deliveries_.try_emplace(key);
  auto& delivery = at->second;
  if (delivery.state == State::busy) {
    if (delivery.newer) count_replaced();
    delivery.newer = std::move(asked);
    return;
  }
  if (!is_first) count_replaced();
  if (is_first || delivery.state == State::waiting) queue_.push_back(key);
  delivery = {};
  delivery.request = std::move(asked);
  start_queued();
}

void ResetCodeHook::start_queued() {
  while (busy_ < kMaxDeliveries && !queue_.empty()) {
    const auto key = std::move(queue_.front());
    queue_.pop_front();
    auto& delivery = deliveries_.at(key);
    delivery.state = State::busy;
    ++busy_;
    if (delivery.code)
      send(key, delivery);
    else if (is_open())
      issue(key, delivery);
    else
      fail(key, "api.accounts.reset_hook.url is empty since a reload");
  }
}

void ResetCodeHook::issue(const std::string& key, const ResetDelivery& delivery) {
  service_.issue_requested_reset_code(
      delivery.request.login, [this, key](accounts::Answer<accounts::RequestedResetCode> answer) {
        services_.workers.front()->loop.post([this, key, answer = std::move(answer)] { on_issued(key, answer); });
      });
}

void ResetCodeHook::on_issued(const std::string& key, accounts::Answer<accounts::RequestedResetCode> answer) {
  auto& delivery = deliveries_.at(key);
  if (answer && !delivery.newer) {
    delivery.code = std::move(*answer);
    delivery.idempotency_key = base::random_id(kIdempotencyKeyCharacters);
    send(key, delivery);
  } else if (answer) {
    finish(key, replaced_);
  } else if (answer.error().why == accounts::Refusal::not_found) {
    finish(key, ignored_);
  } else {
    fail(key, "no code could be issued: " + answer.error().reason);
  }
  start_queued();
}

void ResetCodeHook::send(const std::string& key, ResetDelivery& delivery) {
  const auto target = target_.get();
  if (!target) return fail(key, "api.accounts.reset_hook.url is empty since a reload");
  if (services_.clock.wall_now() >= delivery.code->issued.expires)
    return fail(key, "the code expired before the hook accepted it");
  ++delivery.attempts;
  delivery.status = 0;
  net::FetchHandlers handlers;
  handlers.on_head = [&delivery](const net::FetchHead& head) { delivery.status = head.status; };
  handlers.on_body = [](std::string_view) { return net::Flow::go_on; };
  // A copy of the key, because the handler ends with its fetch.
  handlers.on_done = [this, key](base::Result<void> result) { on_answered(std::string(key), result); };
  delivery.fetch = services_.workers.front()->client.start(request_to(*target, delivery), std::move(handlers));
}

net::FetchRequest ResetCodeHook::request_to(const ResetHookTarget& target, const ResetDelivery& delivery) const {
  net::FetchRequest request;
  request.method = http::Method::post;
  request.url = target.url;
  request.headers.add("Content-Type", "application/json");
  request.headers.add("Authorization", "Bearer " + target.token);
  request.headers.add("Idempotency-Key", delivery.idempotency_key);
  request.body = reset_code_document(*delivery.code, delivery.request.language);
  // An operator has chosen the address, which may be a private one. max_redirects is 0: the code goes nowhere else.
  request.destinations = {{target.origin}, true};
  request.deadlines.connect = request.deadlines.first_byte = request.deadlines.total = target.timeout;
  request.deadlines.low_speed_bytes = 0;
  request.max_body_bytes = 64 << 10;
  return request;
}

void ResetCodeHook::on_answered(const std::string& key, const base::Result<void>& result) {
  auto& delivery = deliveries_.at(key);
  const auto fetch = std::move(delivery.fetch);  // ends with this function
  const auto status = delivery.status;
  const auto answer = status == 0 ? HookAnswer::repeat : hook_answer_of(status);
  if (answer == HookAnswer::delivered) {
    set_error("");
    services_.log.info("api", "reset_code_delivered", {{"account", accounts::to_text(delivery.code->account)}});
    finish(key, delivered_);
    return start_queued();
  }
  const auto why = status != 0 ? "the hook answered with status " + std::to_string(status)
                   : result    ? std::string("the hook did not answer")
                               : result.error().text;
  set_error(why);
  if (answer == HookAnswer::give_up)
    fail(key, why);
  else if (delivery.newer)
    finish(key, replaced_);
  else
    repeat_later(key, delivery, why);
  start_queued();
}

void ResetCodeHook::repeat_later(const std::string& key, ResetDelivery& delivery, const std::string& why) {
  const auto delay = reset_code_repeat_delay(delivery.attempts);
  if (!delay) return fail(key, why);
  --busy_;
  delivery.state = State::waiting;
  delivery.repeat = services_.workers.front()->loop.after(*delay, [this, key] {
    deliveries_.at(key).state = State::queued;
    queue_.push_front(key);
    start_queued();
  });
}

void ResetCodeHook::fail(const std::string& key, const std::string& why) {
  const auto& delivery = deliveries_.at(key);
  const auto account = delivery.code ? accounts::to_text(delivery.code->account) : std::string();
  services_.log.warning("api", "reset_code_not_delivered",
                        {{"account", account}, {"attempts", std::uint64_t{delivery.attempts}}, {"error", why}});
  finish(key, failed_);
}

void ResetCodeHook::finish(const std::string& key, base::Counter& result) {
  result.add();
  --busy_;
  --requests_;
  waiting_.add(-1);
  const auto at = deliveries_.find(key);
  auto newer = std::move(at->second.newer);
  if (!newer) {
    deliveries_.erase(at);
    return;
  }
  at->second = {};
  at->second.request = std::move(*newer);
  queue_.push_back(key);
}

/// Ends a request that has no delivery of its own any more.
void ResetCodeHook::count_replaced() {
  replaced_.add();
  --requests_;
  waiting_.add(-1);
}

void ResetCodeHook::set_error(std::string text) {
  const std::lock_guard lock(mutex_);
  error_ = std::move(text);
}

void ResetCodeHook::describe(base::json::Writer& w) const {
  const auto target = target_.get();
  if (!target) return;
  w.key("reset_hook").begin_object().member("url", target->origin).member("waiting", std::uint64_t{requests_});
  const std::lock_guard lock(mutex_);
  if (!error_.empty()) w.member("error", error_);
  w.end_object();
}

}  // namespace tribune::api
