#include "runtime/admin.h"

#include <unistd.h>

#include "base/memory.h"
#include "base/signing.h"
#include "http/problem.h"
#include "runtime/memory_monitor.h"

namespace tribune::runtime {
namespace {

constexpr std::string_view kBearer = "Bearer ";

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference = static_cast<unsigned char>(difference | static_cast<unsigned char>(a[i] ^ b[i]));
  return difference == 0;
}

http::Response document(std::string_view type, std::string body) {
  http::Response answer;
  answer.headers = {{"Content-Type", std::string(type)}, {"Cache-Control", "no-store"}};
  answer.body = std::move(body);
  return answer;
}

Route get(std::string_view pattern, std::function<http::Response()> answer) {
  return {{http::Method::get},
          pattern,
          [answer = std::move(answer)](Worker&, std::unique_ptr<net::Exchange> exchange, const auto&) {
            exchange->reply(answer());
          }};
}

}  // namespace

void AdminGate::set_token(std::string_view token) {
  auto digest = token.empty() ? std::string() : base::sha256(token);
  const std::lock_guard lock(mutex_);
  digest_ = std::move(digest);
}

std::optional<http::Response> AdminGate::refusal(const http::Request& request) const {
  std::string wanted;
  {
    const std::lock_guard lock(mutex_);
    wanted = digest_;
  }
  if (wanted.empty()) return std::nullopt;
  auto given = request.headers.first("Authorization").value_or("");
  const bool bearer = http::equals_ignoring_case(given.substr(0, kBearer.size()), kBearer);
  if (bearer) given.remove_prefix(kBearer.size());
  if (bearer && request.headers.count("Authorization") == 1 && equal_in_constant_time(base::sha256(given), wanted))
    return std::nullopt;
  auto answer = http::problem(http::problems::unauthorized,
                              "Send the token of this listener in the field Authorization: Bearer TOKEN.");
  answer.headers.set("WWW-Authenticate", "Bearer realm=\"tribune admin\"");
  return answer;
}

http::Response readiness(const ProcessPhase& condition, const std::vector<std::unique_ptr<Role>>& roles) {
  std::string reasons;
  const auto add = [&](std::string_view reason) { reasons += (reasons.empty() ? "" : "; ") + std::string(reason); };
  if (condition.phase() != Phase::serving) add("the process is " + std::string(to_string(condition.phase())));
  if (const auto level = base::Memory::of_process().level(); level != base::MemoryLevel::plenty)
    add("memory is " + std::string(to_string(level)));
  for (const auto& role : roles)
    if (const auto ready = role->ready(); !ready) add(std::string(role->name()) + ": " + ready.error().text);
  if (!reasons.empty()) return http::problem(http::problems::not_ready, reasons);
  return document("application/json", R"({"ready":true})");
}

http::Response status(const AdminSources& sources) {
  const auto uptime = sources.clock.steady_now() - sources.started;
  base::json::Writer w;
  w.begin_object();
  w.member("version", sources.version);
  w.member("phase", to_string(sources.condition.phase()));
  w.member("uptime_seconds", std::int64_t{std::chrono::duration_cast<std::chrono::seconds>(uptime).count()});
  w.member("pid", std::int64_t{::getpid()});
  w.member("workers", static_cast<std::uint64_t>(sources.workers));
  w.member("memory", to_string(base::Memory::of_process().level()));
  for (const auto& role : sources.roles) {
    w.key(role->name()).begin_object();
    role->describe(w);
    w.end_object();
  }
  w.end_object();
  return document("application/json", w.take());
}

std::vector<Route> admin_routes(std::shared_ptr<const AdminSources> sources) {
  std::vector<Route> routes;
  routes.push_back(get("/healthz", [] { return document("application/json", R"({"alive":true})"); }));
  routes.push_back(get("/readyz", [sources] { return readiness(sources->condition, sources->roles); }));
  routes.push_back(get("/metrics", [sources] {
    return document("text/plain; version=0.0.4; charset=utf-8", sources->metrics.scrape());
  }));
  routes.push_back(get("/status", [sources] { return status(*sources); }));
  return routes;
}

}  // namespace tribune::runtime
