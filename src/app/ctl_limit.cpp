// Commands for limits, the waiting queue and overload drills.

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "app/ctl_command.h"

namespace tribune::app {
namespace {

using base::json::Kind;
using base::json::Value;

/// A limit's value as JSON; "none" removes the limit. A value that is not a number is sent as text, and the response
/// lists the allowed values.
std::string json_of(const std::string& value) {
  if (value == "none") return "null";
  const bool is_number =
      !value.empty() && value.find_first_not_of("0123456789.") == std::string::npos && value.front() != '.';
  return is_number ? value : "\"" + base::json::escape(value) + "\"";
}

std::string members(const CtlValues& values) {
  std::string text;
  for (const auto& [option, member] : {std::pair("sessions", "max_sessions"), std::pair("mbps", "max_traffic_mbps"),
                                       std::pair("per-account", "max_sessions_per_account")}) {
    const auto found = values.find(option);
    if (found != values.end())
      text += fmt::format("{}\"{}\":{}", text.empty() ? "" : ",", member, json_of(found->second));
  }
  return text;
}

CtlRequest limit_request(const CtlValues& values) {
  const auto changes = members(values);
  if (values.contains("channel") + values.contains("group") + values.contains("node") > 1)
    return {.refusal = "only one of --channel, --group and --node is allowed at a time"};
  if (changes.empty()) return {http::Method::get, "/limits", ""};
  auto body = "{" + changes + "}";
  for (const auto& [option, member] :
       {std::pair("channel", "channels"), std::pair("group", "groups"), std::pair("node", "nodes")}) {
    const auto found = values.find(option);
    if (found != values.end())
      body = fmt::format("{{\"{}\":{{\"{}\":{}}}}}", member, base::json::escape(found->second), body);
  }
  return {http::Method::put, "/limits", body};
}

std::string amount(const Value* value) {
  if (!value || value->is(Kind::null)) return "no limit";
  return value->is(Kind::integer) ? std::to_string(value->integer) : fmt::format("{:g}", value->number);
}

std::string line_of(std::string_view what, const Value& limit) {
  return fmt::format(
      "{:<24} sessions {:<12} traffic {}{}\n", what, amount(limit.find("max_sessions")),
      amount(limit.find("max_traffic_mbps")),
      limit.find("max_traffic_mbps") && !limit.find("max_traffic_mbps")->is(Kind::null) ? " Mbit/s" : "");
}

std::string limit_text(const Value& answer) {
  auto text = line_of("everything", answer);
  text += fmt::format("{:<24} sessions {}\n", "each account", amount(answer.find("max_sessions_per_account")));
  for (const auto& [member, word] :
       {std::pair("channels", "channel"), std::pair("groups", "group"), std::pair("nodes", "node")}) {
    const auto* scopes = answer.find(member);
    if (!scopes) continue;
    for (const auto& scope : scopes->object) text += line_of(fmt::format("{} {}", word, scope.name), scope.value);
  }
  const auto* unheard = answer.find("unheard");
  if (!unheard) return text;
  for (const auto& name : unheard->array) text += fmt::format("not reported by any node: {}\n", name.string);
  return text;
}

/// The simulated load of a scope; empty when no drill is active.
std::string drill_text(const Value* drill) {
  if (!drill) return "";
  std::string text = drill->flag("closed").value_or(false) ? " closed" : "";
  if (const auto sessions = drill->whole("extra_sessions").value_or(0); sessions > 0)
    text += fmt::format(" +{} sessions", sessions);
  if (const auto mbps = drill->real("extra_mbps").value_or(0); mbps > 0) text += fmt::format(" +{:g} Mbit/s", mbps);
  return text.empty() ? "" : " drill:" + text;
}

/// The measured load of a scope with a limit, and the load that counts against the limit.
std::string load_text(const Value& load) {
  const auto kind = load.text("kind").value_or("?");
  const auto scope =
      kind == "global" ? std::string("everything") : fmt::format("{} {}", kind, load.text("id").value_or("?"));
  const auto measured = load.flag("measured").value_or(false)
                            ? fmt::format("{:.1f} Mbit/s measured", load.real("measured_mbps").value_or(0))
                            : "not measured";
  return fmt::format("{:<24} sessions {:<8} kept {:<8} {:.1f} Mbit/s counted, {}\n", scope,
                     load.whole("sessions").value_or(0), load.whole("kept").value_or(0), load.real("mbps").value_or(0),
                     measured);
}

std::string queue_text(const Value& answer) {
  const auto* access = answer.find("access");
  const auto* queues = access ? access->find("queues") : nullptr;
  if (!queues) return "";
  std::string text =
      fmt::format("{} sessions{}\n", access->whole("sessions").value_or(0), drill_text(access->find("drill")));
  for (const auto& queue : queues->array)
    text += fmt::format("{:<24} sessions {:<8} waiting {:<8}{}{}\n", queue.text("channel").value_or("?"),
                        queue.whole("sessions").value_or(0), queue.whole("waiting").value_or(0),
                        queue.flag("open").value_or(true) ? "" : " not open yet", drill_text(queue.find("drill")));
  if (const auto* loads = access->find("loads"))
    for (const auto& load : loads->array) text += load_text(load);
  return text;
}

std::string opened_text(const Value& answer) {
  std::int64_t waiting = 0;
  if (const auto* lanes = answer.find("lanes"))
    for (const auto& lane : lanes->array) waiting += lane.whole("waiting").value_or(0);
  return fmt::format("{}: {}, {} waiting\n", answer.text("channel").value_or("?"),
                     answer.flag("open").value_or(false) ? "open" : "not open yet", waiting);
}

CtlRequest drill_request(const CtlValues& values) {
  auto target = "/drill?state=" + encoded(values, "state");
  for (const auto* option : {"channel", "sessions", "mbps"})
    if (values.contains(option)) target += fmt::format("&{}={}", option, encoded(values, option));
  return {http::Method::post, target, ""};
}

}  // namespace

std::vector<CtlCommand> limit_commands() {
  return {
      {"limit",
       "Show the limits, or change a limit; a change takes effect at once and survives a restart",
       {{"--sessions", "Maximum number of concurrent sessions; \"none\" removes the limit", false},
        {"--mbps", "Maximum traffic to viewers, in Mbit/s; \"none\" removes the limit", false},
        {"--per-account",
         "Maximum number of devices on which one account may watch at the same time; \"none\" removes the limit",
         false},
        {"--channel", "Apply to one channel, given by its id", false},
        {"--group", "Apply to one group of cache nodes, given by its id", false},
        {"--node", "Apply to one cache node, given by its id", false}},
       limit_request,
       limit_text},
      {"limit-reset",
       "Discard all changes and restore the limits of the configuration file",
       {},
       [](const CtlValues&) {
         return CtlRequest{http::Method::del, "/limits", ""};
       },
       limit_text},
      {"queue",
       "Show the sessions and waiting tickets of each channel, and the load of each scope that has a limit",
       {},
       [](const CtlValues&) {
         return CtlRequest{http::Method::get, "/queues", ""};
       },
       queue_text},
      {"queue-open",
       "Open the queue of a channel now; the waiting tickets get their positions by a random draw",
       {{"CHANNEL", "Id of the channel"}},
       [](const CtlValues& values) {
         return CtlRequest{http::Method::post, "/queues/" + encoded(values, "channel") + "/open", ""};
       },
       opened_text},
      {"drill",
       "Simulate an overload: admit no new sessions, or add a simulated load",
       {{"STATE", "on or off"},
        {"--channel", "Apply to one channel, given by its id", false},
        {"--sessions", "Add this number of simulated sessions instead of refusing all new sessions", false},
        {"--mbps", "Add this much simulated traffic, in Mbit/s, instead of refusing all new sessions", false}},
       drill_request,
       queue_text},
  };
}

}  // namespace tribune::app
