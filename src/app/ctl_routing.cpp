// Commands for channels, cache nodes and the routing of viewers.

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "app/ctl_command.h"

namespace tribune::app {
namespace {

std::string drained_text(const base::json::Value& answer) {
  return fmt::format("{}: {}, {} viewers\n", answer.text("node").value_or("?"),
                     answer.flag("draining").value_or(false) ? "draining" : "in service",
                     answer.whole("viewers").value_or(0));
}

CtlRequest route_request(const CtlValues& values) {
  std::string target = "/status/route?client=" + encoded(values, "client") + "&channel=" + encoded(values, "channel");
  for (const auto* option : {"cache", "receipt", "gone"})
    if (values.contains(option)) target += fmt::format("&{}={}", option, encoded(values, option));
  return {http::Method::get, target, ""};
}

std::string text_of(const base::json::Value& answer, std::string_view member) {
  return std::string(answer.text(member).value_or(""));
}

std::string or_none(std::string text) { return text.empty() ? "none" : text; }

std::string zones_text(const base::json::Value& answer) {
  const auto deep = text_of(answer, "deep_zone"), ordinary = text_of(answer, "zone");
  if (deep.empty()) return or_none(ordinary);
  return ordinary.empty() ? deep + " (deep)" : deep + " (deep), then " + ordinary;
}

std::string place_text(const base::json::Value& answer) {
  const auto* place = answer.find("place");
  if (!place) return "unknown";
  return fmt::format("{:.2f}, {:.2f}", place->real("latitude").value_or(0), place->real("longitude").value_or(0));
}

std::string receipts_text(const base::json::Value& answer) {
  std::string text;
  const auto add = [&](std::string_view member, std::string_view verdict) {
    const auto* list = answer.find(member);
    if (!list) return;
    for (const auto& entry : list->array)
      text += fmt::format("{}{}{}", text.empty() ? "" : "; ", verdict, entry.string);
  };
  add("receipts_believed", "accepted: ");
  add("receipts_refused", "rejected: ");
  return or_none(text);
}

std::string inputs_text(const base::json::Value& answer) {
  std::string text = "\nInputs\n";
  const auto line = [&](std::string_view what, std::string_view value) {
    text += fmt::format("  {:<16} {}\n", what, value);
  };
  line("address", text_of(answer, "client") + ", in network " + or_none(text_of(answer, "network")));
  line("coverage zone", zones_text(answer));
  line("location", place_text(answer));
  line("reported cache", or_none(text_of(answer, "cache")));
  line("receipts", receipts_text(answer));
  line("unreachable", or_none(text_of(answer, "gone")));
  line("origin allowed", answer.flag("may_use_origin").value_or(false) ? "yes" : "no");
  return text;
}

/// Explains a routing decision: the result, the inputs, and the verdict of each rank in order.
std::string route_text(const base::json::Value& answer) {
  const auto node = text_of(answer, "node"), reason = text_of(answer, "reason");
  const auto who = !node.empty()        ? fmt::format("node {} ({})", node, text_of(answer, "url"))
                   : reason == "origin" ? "the origin itself"
                                        : "no node";
  auto text = fmt::format("{} serves channel {} to {}\n  rank {}: {}\n", who, text_of(answer, "channel"),
                          text_of(answer, "client"), reason, text_of(answer, "because"));
  text += inputs_text(answer) + "\nCandidates in order of rank; the first usable one is selected\n";
  const auto* considered = answer.find("considered");
  if (!considered) return text;
  for (const auto& entry : considered->array) {
    const auto group = text_of(entry, "group"), id = text_of(entry, "node");
    const auto place = id.empty() ? group : group.empty() || group == id ? id : group + "/" + id;
    text += fmt::format("  {:<16} {:<20} {}\n", text_of(entry, "rank"), place.empty() ? "-" : place,
                        text_of(entry, "verdict"));
  }
  return text;
}

std::string since_text(std::int64_t unix_time) {
  const auto when = static_cast<std::time_t>(unix_time);
  std::tm parts{};
  std::array<char, 32> text{};
  if (!gmtime_r(&when, &parts) || std::strftime(text.data(), text.size(), "%F %T", &parts) == 0) return "?";
  return text.data();
}

std::string nodes_text(const base::json::Value& answer) {
  const auto* nodes = answer.find("nodes");
  if (!nodes) return "";
  auto text = fmt::format("{:<20} {:<16} {:<10} {:>8} {:>17} {:>11} {:>7} {:>7}  {:<20} {}\n", "NODE", "GROUP", "STATE",
                          "VIEWERS", "MBIT/S OF", "CONNECTIONS", "ERRORS", "ORIGIN", "SINCE (UTC)", "WHY");
  for (const auto& node : nodes->array) {
    const auto load =
        fmt::format("{:.1f} of {:.0f}", node.real("sent_mbps").value_or(0), node.real("capacity_mbps").value_or(0));
    text += fmt::format("{:<20} {:<16} {:<10} {:>8} {:>17} {:>11} {:>6.1f}% {:>6.1f}%  {:<20} {}\n",
                        text_of(node, "id"), text_of(node, "group"), text_of(node, "state"),
                        node.whole("viewers").value_or(0), load, node.whole("connections").value_or(0),
                        node.real("error_share").value_or(0) * 100, node.real("origin_error_share").value_or(0) * 100,
                        since_text(node.whole("since_unix").value_or(0)), text_of(node, "reason"));
  }
  return text;
}

std::string files_text(const base::json::Value& origin) {
  const auto files = text_of(origin, "files");
  const auto difference = text_of(origin, "difference");
  if (files == "not_compared") return "not compared";
  return files == "other" && !difference.empty() ? fmt::format("other ({})", difference) : files.empty() ? "-" : files;
}

std::string origins_text(const base::json::Value& answer) {
  const auto* origins = answer.find("origins");
  if (!origins) return "";
  auto text =
      fmt::format("{:<20} {:<40} {:<7} {:<7} {:<8} {}\n", "CHANNEL", "ORIGIN", "KIND", "IN USE", "HEALTHY", "FILES");
  for (const auto& origin : origins->array)
    text += fmt::format("{:<20} {:<40} {:<7} {:<7} {:<8} {}\n", text_of(origin, "channel"), text_of(origin, "origin"),
                        text_of(origin, "kind"), origin.flag("in_use").value_or(false) ? "yes" : "no",
                        origin.flag("healthy").value_or(false) ? "yes" : "no", files_text(origin));
  return text;
}

CtlCommand on_node(std::string name, std::string help, std::string verb) {
  return {std::move(name),
          std::move(help),
          {{"NODE", "Id of the cache node"}},
          [verb = std::move(verb)](const CtlValues& values) {
            return CtlRequest{http::Method::post, "/nodes/" + encoded(values, "node") + "/" + verb, ""};
          },
          drained_text};
}

}  // namespace

std::vector<CtlCommand> routing_commands() {
  return {
      {"route",
       "Explain the selection of a cache node for a client: the result, its inputs and the verdict for each candidate",
       {{"--client", "IP address of the client"},
        {"--channel", "Id of the channel"},
        {"--cache", "Id of the cache that the client reports as reachable, as in the query parameter cache=", false},
        {"--receipt", "Receipt that the client presents, as in the query parameter receipt=", false},
        {"--gone", "Id of the cache that the client cannot reach, as in the query parameter gone=", false}},
       route_request,
       route_text},
      {"nodes",
       "List the cache nodes with state, load, number of viewers, and time and reason of the last change of state",
       {},
       [](const CtlValues&) {
         return CtlRequest{http::Method::get, "/status/nodes", ""};
       },
       nodes_text},
      {"origins",
       "List the origins of the channels: which one is in use, which are healthy, and whether a backup has the same "
       "files as the source, as far as their playlists show",
       {},
       [](const CtlValues&) {
         return CtlRequest{http::Method::get, "/status/origins", ""};
       },
       origins_text},
      on_node(
          "drain",
          "Drain a cache node: route no new viewers to it, and route its viewers to other nodes at their next segments",
          "drain"),
      on_node("undrain", "Return a drained cache node to service", "undrain"),
      {"end",
       "End a channel: for an hour the end of its source is believed at once, even while a backup origin advances",
       {{"CHANNEL", "Id of the channel"}},
       [](const CtlValues& values) {
         return CtlRequest{http::Method::post, "/channels/" + encoded(values, "channel") + "/end", ""};
       },
       [](const base::json::Value& answer) {
         return fmt::format("{}: an end of the source is believed at once until {}\n", text_of(answer, "channel"),
                            text_of(answer, "end_believed_until"));
       }},
  };
}

}  // namespace tribune::app
