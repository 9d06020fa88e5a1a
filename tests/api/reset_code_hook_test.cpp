#include "api/reset_code_hook.h"

#include <doctest/doctest.h>

#include <fstream>
#include <future>

#include "accounts/embedded_accounts.h"
#include "base/json.h"
#include "support/folder.h"
#include "support/silent_log.h"
#include "support/workers.h"

using namespace tribune;
using namespace std::chrono_literals;

namespace {

accounts::AccountSettings quick_accounts() {
  accounts::AccountSettings settings;
  settings.hash_memory_bytes = 8 << 10;
  settings.hash_passes = 1;
  return settings;
}

/// A hook with a service and a store, whose requests the test answers.
struct HookUnderTest {
  HookUnderTest() {
    auto store = test::open_accounts(folder);
    REQUIRE(store != nullptr);
    service = std::make_unique<accounts::AccountService>(quick_accounts(), std::move(store), clock, test::silent_log(),
                                                         metrics);
    REQUIRE(service->start().has_value());
    hook = std::make_unique<api::ResetCodeHook>(*service, services);
    hook->set_target(std::make_shared<const api::ResetHookTarget>(
        api::ResetHookTarget{"https://mail.test/codes?x=y", "https://mail.test", "token-of-the-hook", 3s}));
  }
  ~HookUnderTest() {
    workers.stop();
    service.reset();
    hook.reset();
  }

  void make_account(const std::string& login) {
    std::promise<bool> made;
    service->create_account({login, "correct horse"}, [&](auto answer) { made.set_value(answer.has_value()); });
    REQUIRE(made.get_future().get());
  }
  /// The hook's answer to its request with this number.
  void answer(std::size_t number, int status) {
    workers.on(0, [&] { test::ScriptedClient::deliver(*workers.client().at(number), {status}); });
  }
  double ended(std::string_view result) {
    return metrics.counter("tribune_accounts_reset_codes_total", "", {{"result", result}}).value();
  }
  std::string description() const {
    base::json::Writer w;
    w.begin_object();
    hook->describe(w);
    return w.end_object().take();
  }

  const test::Folder folder;
  base::ManualClock clock;
  base::Metrics metrics;
  test::Workers workers{1};
  runtime::Services services{clock, test::silent_log(), metrics, workers.all()};
  std::unique_ptr<accounts::AccountService> service;
  std::unique_ptr<api::ResetCodeHook> hook;
};

accounts::ResetHookSettings hook_settings(const std::string& token_file) {
  return {"https://mail.test:8443/codes?x=y", token_file, 2s};
}

}  // namespace

TEST_CASE("the document for the hook has the login as registered, the code, its end and the language") {
  const base::WallTime expires{std::chrono::seconds(1'780'344'000)};
  const accounts::RequestedResetCode code{7, "Ann@example.org", {"odpp-nljk-w3ej", expires}};
  CHECK(api::reset_code_document(code, api::Language::ru) ==
        R"({"type":"password_reset","login":"Ann@example.org","code":"odpp-nljk-w3ej",)"
        R"("expires":"2026-06-01T20:00:00.000Z","language":"ru"})");
  CHECK(api::reset_code_document(code, api::Language::en).find(R"("language":"en")") != std::string::npos);
}

TEST_CASE("a code is sent again after answers that may change, three times") {
  for (const int status : {200, 202, 204, 299}) CHECK(api::hook_answer_of(status) == api::HookAnswer::delivered);
  for (const int status : {408, 429, 500, 502, 503, 599}) CHECK(api::hook_answer_of(status) == api::HookAnswer::repeat);
  for (const int status : {301, 302, 307, 308, 400, 401, 403, 404, 410, 422})
    CHECK(api::hook_answer_of(status) == api::HookAnswer::give_up);
  CHECK(api::reset_code_repeat_delay(1) == 1s);
  CHECK(api::reset_code_repeat_delay(2) == 5s);
  CHECK(api::reset_code_repeat_delay(3) == 25s);
  CHECK_FALSE(api::reset_code_repeat_delay(4).has_value());
}

TEST_CASE("the target of codes has the token from the file, and errors name the setting") {
  const test::Folder folder;
  const auto file = folder.path() + "/token";
  const auto with_token = [&](const std::string& text) {
    std::ofstream(file) << text;
    return api::reset_hook_target(hook_settings(file));
  };
  CHECK(*api::reset_hook_target({}) == nullptr);
  const auto target = with_token("0123456789abcdef\n");
  REQUIRE(target.has_value());
  CHECK((*target)->token == "0123456789abcdef");
  CHECK((*target)->origin == "https://mail.test:8443");
  CHECK((*target)->timeout == 2s);
  for (const auto& wrong : {std::string("0123456789abcde"), std::string("0123456789 abcdef"),
                            std::string("0123456789abcdef\n\n"), std::string(), std::string(4'097, 'x')}) {
    const auto refused = with_token(wrong);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().text.starts_with("api.accounts.reset_hook.token_file: "));
    CHECK((wrong.empty() || refused.error().text.find(wrong) == std::string::npos));
  }
  const auto missing = api::reset_hook_target(hook_settings(folder.path() + "/missing"));
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().text.find("cannot read " + folder.path() + "/missing") != std::string::npos);
}

TEST_CASE("a request to the hook is bounded and goes to its origin only") {
  HookUnderTest t;
  t.make_account("ann");
  REQUIRE(t.hook->request("ANN", api::Language::en));
  REQUIRE(t.workers.client().wait_for(1));
  const auto request = t.workers.client().requests().front();
  CHECK(request.method == http::Method::post);
  CHECK(request.url == "https://mail.test/codes?x=y");
  CHECK(request.headers.first("Authorization") == "Bearer token-of-the-hook");
  CHECK(request.headers.first("Content-Type") == "application/json");
  CHECK(request.headers.first("Idempotency-Key").has_value());
  CHECK(request.destinations.allowed_origins == std::vector<std::string>{"https://mail.test"});
  CHECK(request.deadlines.total == 3s);
  CHECK(request.max_redirects == 0);
  CHECK(t.description() == R"({"reset_hook":{"url":"https://mail.test","waiting":1}})");
  t.answer(0, 404);
  CHECK(t.description() ==
        R"({"reset_hook":{"url":"https://mail.test","waiting":0,"error":"the hook answered with status 404"}})");
  CHECK(t.ended("failed") == 1);
}

TEST_CASE("four codes are sent at once, and the next one when one of them has ended") {
  HookUnderTest t;
  for (int i = 0; i < 6; ++i) t.make_account("ann" + std::to_string(i));
  for (int i = 0; i < 6; ++i) REQUIRE(t.hook->request("ann" + std::to_string(i), api::Language::en));
  REQUIRE(t.workers.client().wait_for(4));
  CHECK(t.workers.client().count() == 4);
  t.answer(0, 204);
  REQUIRE(t.workers.client().wait_for(5));
  // One that waits to be sent again leaves its place to the next one.
  t.answer(1, 503);
  REQUIRE(t.workers.client().wait_for(6));
  CHECK(t.ended("delivered") == 1);
}

TEST_CASE("a request beyond the bound is refused until one has ended") {
  HookUnderTest t;
  for (int i = 0; i < 4; ++i) t.make_account("ann" + std::to_string(i));
  for (std::size_t i = 0; i < 4; ++i) REQUIRE(t.hook->request("ann" + std::to_string(i), api::Language::en));
  REQUIRE(t.workers.client().wait_for(4));
  for (std::size_t i = 4; i < api::ResetCodeHook::kMaxRequests; ++i) {
    CHECK(t.hook->has_room());
    REQUIRE(t.hook->request("viewer" + std::to_string(i), api::Language::en));
  }
  CHECK_FALSE(t.hook->has_room());
  CHECK_FALSE(t.hook->request("ann0", api::Language::en));
  t.workers.on(0, [] {});
  t.answer(0, 204);
  CHECK(t.hook->has_room());
  CHECK(t.hook->request("ann0", api::Language::en));
}

TEST_CASE("a code that expired while it waited to be sent again is not sent") {
  HookUnderTest t;
  t.make_account("ann");
  t.make_account("bob");
  REQUIRE(t.hook->request("ann", api::Language::en));
  REQUIRE(t.workers.client().wait_for(1));
  t.answer(0, 503);
  t.clock.step_wall(1h);
  REQUIRE(t.hook->request("bob", api::Language::en));
  REQUIRE(t.workers.client().wait_for(2));
  // The repeat of bob's code is due after that of ann's.
  t.answer(1, 503);
  REQUIRE(t.workers.client().wait_for(3));
  CHECK(t.ended("failed") == 1);
  CHECK(t.workers.client().requests()[2].body == t.workers.client().requests()[1].body);
}

TEST_CASE("requests that wait when the hook is removed end without a code") {
  HookUnderTest t;
  for (int i = 0; i < 5; ++i) t.make_account("ann" + std::to_string(i));
  for (int i = 0; i < 5; ++i) REQUIRE(t.hook->request("ann" + std::to_string(i), api::Language::en));
  REQUIRE(t.workers.client().wait_for(4));
  t.hook->set_target(nullptr);
  CHECK_FALSE(t.hook->is_open());
  CHECK(t.description() == "{}");
  t.answer(0, 204);
  CHECK(t.ended("delivered") == 1);
  CHECK(t.ended("failed") == 1);
  CHECK(t.workers.client().count() == 4);
}
