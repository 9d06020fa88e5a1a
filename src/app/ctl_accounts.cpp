// Commands for the accounts of viewers.

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <string_view>

#include "app/ctl_command.h"
#include "base/ids.h"
#include "base/text_file.h"

namespace tribune::app {
namespace {

using base::json::Value;

constexpr std::size_t kGeneratedPasswordCharacters = 16;  // of 5 bits each
constexpr std::size_t kLongestPasswordFile = 4096;
constexpr const char* kNoAccounts = "this process has no accounts (api.accounts.state_dir)";

const CtlParameter kLogin{"LOGIN", "The login of the account"};

std::string path_of(const CtlValues& values, std::string_view action = "") {
  return fmt::format("/accounts/{}{}", encoded(values, "login"), action);
}

/// The first line of a file, or of the standard input for "-".
std::string password_in(const std::string& file, std::string& refusal) {
  std::string text;
  if (file == "-") {
    std::getline(std::cin, text);
    return text;
  }
  const auto read = base::read_text_file(file, kLongestPasswordFile);
  if (!read) {
    refusal = file + ": " + read.error().text;
    return "";
  }
  return read->substr(0, read->find_first_of("\r\n"));
}

CtlRequest create_request(const CtlValues& values) {
  CtlRequest request{.method = http::Method::post, .target = "/accounts", .not_served = kNoAccounts};
  const auto file = values.find("password-file");
  const auto password =
      file == values.end() ? base::random_id(kGeneratedPasswordCharacters) : password_in(file->second, request.refusal);
  base::json::Writer w;
  w.begin_object().member("login", values.at("login")).member("password", password);
  // The response repeats a generated password, so that it can be told to the viewer.
  request.body = w.member("show_password", file == values.end()).end_object().take();
  return request;
}

CtlRequest list_request(const CtlValues& values) {
  auto target = "/accounts?limit=1000&from=" + encoded(values, "from");
  if (values.contains("state")) target += "&state=" + encoded(values, "state");
  return {.target = std::move(target), .not_served = kNoAccounts};
}

CtlCommand action(std::string name, std::string help, std::string path, bool has_reason, std::string done) {
  CtlCommand command{
      .name = "accounts " + std::move(name), .help = std::move(help), .parameters = {kLogin}, .request = {}};
  if (has_reason) command.parameters.push_back({"--reason", "The reason, which the viewer is told", false});
  command.request = [path = std::move(path)](const CtlValues& values) {
    base::json::Writer w;
    w.begin_object();
    if (const auto reason = values.find("reason"); reason != values.end()) w.member("reason", reason->second);
    return CtlRequest{.method = http::Method::post,
                      .target = path_of(values, path),
                      .body = w.end_object().take(),
                      .not_served = kNoAccounts};
  };
  command.text = [done = std::move(done)](const Value& answer) {
    return fmt::format("{}: {}\n", answer.text("login").value_or(""), done);
  };
  return command;
}

std::string account_line(const Value& account) {
  const auto reason = account.text("reason").value_or("");
  return fmt::format("{}  {:<32} {:<18} {}{}{}\n", account.text("id").value_or(""), account.text("login").value_or(""),
                     account.text("state").value_or(""), account.text("created_at").value_or(""),
                     reason.empty() ? "" : "  ", reason);
}

std::string list_text(const Value& answer) {
  std::string text;
  if (const auto* accounts = answer.find("accounts"))
    for (const auto& account : accounts->array) text += account_line(account);
  if (const auto next = answer.text("next")) text += fmt::format("more: tribune ctl accounts list --from {}\n", *next);
  return text;
}

std::string show_text(const Value& answer) {
  auto text = account_line(answer);
  if (const auto* devices = answer.find("devices"))
    for (const auto& device : devices->array)
      text += fmt::format("  device {}  {:<32} logged in {}  refreshed {}\n", device.text("id").value_or(""),
                          device.text("name").value_or(""), device.text("created_at").value_or(""),
                          device.text("refreshed_at").value_or(""));
  return text;
}

std::string create_text(const Value& answer) {
  const auto password = answer.text("password");
  return fmt::format("{}: created{}{}\n", answer.text("login").value_or(""), password ? ", password " : "",
                     password.value_or(""));
}

std::string code_text(const Value& answer) {
  return fmt::format("{}: one-time code {}, valid until {}\n", answer.text("login").value_or(""),
                     answer.text("code").value_or(""), answer.text("expires_at").value_or(""));
}

}  // namespace

std::vector<CtlCommand> account_commands() {
  auto reset = action("reset-password", "Issue a one-time code with which the viewer sets a new password",
                      "/reset-password", false, "");
  reset.text = code_text;
  return {
      {.name = "accounts create",
       .help = "Create an account",
       .parameters = {kLogin,
                      {"--password-file",
                       "File whose first line is the password, - for the standard input; without it a "
                       "password is generated and printed",
                       false}},
       .request = create_request,
       .text = create_text},
      {.name = "accounts list",
       .help = "List accounts by login, at most 1000",
       .parameters = {{"--state", "Only accounts that are active, awaiting_approval, declined or blocked", false},
                      {"--from", "The login to begin with", false}},
       .request = list_request,
       .text = list_text},
      {.name = "accounts show",
       .help = "Print an account and its devices",
       .parameters = {kLogin},
       .request = [](const CtlValues& v) { return CtlRequest{.target = path_of(v), .not_served = kNoAccounts}; },
       .text = show_text},
      action("block", "Block an account and end its devices", "/block", true, "blocked"),
      action("unblock", "Let a blocked account log in again", "/unblock", false, "unblocked"),
      action("accept", "Accept a registration that awaits approval, or was declined", "/accept", false, "accepted"),
      action("decline", "Decline a registration that awaits approval", "/decline", true, "declined"),
      reset,
  };
}

}  // namespace tribune::app
