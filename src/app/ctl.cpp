// `tribune ctl`: sends one request to an admin listener and prints the response as text or as JSON.

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "app/commands.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"

namespace tribune::app {
namespace {

constexpr int kRefused = 1;
constexpr int kUnreachable = 3;
constexpr int kPartly = 4;
constexpr std::size_t kLongestToken = 4096;
constexpr std::size_t kKeyCharacters = 26;  // of 5 bits each

int say(int code, const std::string& text) {
  std::fprintf(stderr, "tribune: %s\n", text.c_str());
  return code;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// The first line of a file.
base::Result<std::string> token_in(const std::string& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.c_str(), "re"), &std::fclose);
  if (!in) return base::failure(base::ErrorKind::io, base::Fault::client, file + ": the file cannot be read");
  std::string text(kLongestToken, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), in.get()));
  return text.substr(0, text.find_first_of("\r\n"));
}

base::Result<std::string> token_of(const CtlOptions& options) {
  if (!options.token_file.empty()) return token_in(options.token_file);
  return environment("TRIBUNE_ADMIN_TOKEN");
}

net::FetchRequest fetch_of(const CtlOptions& options, const CtlRequest& asked, const std::string& token) {
  net::FetchRequest request;
  request.method = asked.method;
  request.url = options.admin + asked.target;
  if (!token.empty()) request.headers.add("Authorization", "Bearer " + token);
  if (asked.method != http::Method::get) request.headers.add("Content-Type", "application/json");
  // One command is one request: the operator who repeats a command means it.
  if (asked.moves_money) request.headers.add("Idempotency-Key", base::random_id(kKeyCharacters));
  request.body = asked.body;
  request.destinations.allow_special_addresses = true;  // the operator gave the address
  request.deadlines.total = options.timeout;
  request.deadlines.first_byte = options.timeout;
  request.max_body_bytes = 16 << 20;
  return request;
}

base::Result<net::WholeAnswer> ask(net::FetchRequest request) {
  base::LogSettings silent;
  silent.level = base::LogLevel::off;
  base::Log log(silent);
  base::Metrics metrics;
  const base::SystemClock clock;
  net::EventLoop loop;
  auto client = net::HttpClient::make(loop, clock, log, metrics);
  base::Result<net::WholeAnswer> outcome =
      base::failure(base::ErrorKind::unavailable, base::Fault::tribune, "no response");
  auto fetch = client->get_whole(std::move(request), [&](base::Result<net::WholeAnswer> answer) {
    outcome = std::move(answer);
    loop.stop();
  });
  loop.run();
  return outcome;
}

/// The detail or title of a problem document, otherwise the status.
std::string why_refused(const net::WholeAnswer& answer) {
  if (const auto problem = base::json::parse(answer.body)) {
    const auto detail = problem->text("detail"), title = problem->text("title");
    if (detail || title) return std::string(detail ? *detail : *title);
  }
  return "the response status was " + std::to_string(answer.head.status);
}

/// Whether a 404 means that the listener has no such route, not that the named object does not exist.
bool is_no_path(const net::WholeAnswer& answer) {
  const auto problem = base::json::parse(answer.body);
  return problem && problem->is(base::json::Kind::object) &&
         problem->text("detail").value_or("").starts_with("Nothing is served at this path");
}

/// Prints what the reader makes of the answer, and of those for which it asks.
int read_all(const CtlOptions& options, const std::function<CtlPart(const std::string&)>& read,
             const net::WholeAnswer& first, const std::string& token) {
  auto part = read(first.body);
  while (true) {
    std::fputs(part.text.c_str(), stdout);
    if (std::fflush(stdout) != 0) return kRefused;
    if (!part.failure.empty()) return say(kRefused, part.failure);
    if (part.next_target.empty()) return 0;
    const auto answer = ask(fetch_of(options, {.target = part.next_target}, token));
    if (!answer) return say(kUnreachable, options.admin + ": " + answer.error().text);
    if (answer->head.status >= 300) return say(kRefused, why_refused(*answer));
    part = read(answer->body);
  }
}

}  // namespace

int ctl(const CtlOptions& given, const CtlCommand& command, const CtlValues& values) {
  auto options = given;
  if (options.admin.empty()) options.admin = environment("TRIBUNE_ADMIN");
  if (options.admin.empty()) options.admin = "http://127.0.0.1:9080";
  if (options.admin.find("://") == std::string::npos) options.admin = "http://" + options.admin;
  while (options.admin.ends_with('/')) options.admin.pop_back();
  const auto token = token_of(options);
  if (!token) return say(kRefused, token.error().text);

  const auto request = command.request(values);
  if (!request.refusal.empty()) return say(kRefused, request.refusal);
  const auto answer = ask(fetch_of(options, request, *token));
  if (!answer) return say(kUnreachable, options.admin + ": " + answer.error().text);
  if (answer->head.status == 404 && !request.not_served.empty() && is_no_path(*answer))
    return say(kRefused, request.not_served);
  if (answer->head.status >= 300) return say(kRefused, why_refused(*answer));
  if (command.reader && !options.json) return read_all(options, command.reader(values), *answer, *token);
  const auto value = base::json::parse(answer->body, {.max_bytes = 16 << 20});
  const bool readable = value && command.text && !options.json;
  const auto text = readable ? command.text(*value) : answer->body + "\n";
  std::fputs(text.c_str(), stdout);
  if (std::fflush(stdout) != 0) return kRefused;
  return value && command.is_done && !command.is_done(*value) ? kPartly : 0;
}

}  // namespace tribune::app
