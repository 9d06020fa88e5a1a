// Commands for the objects in cache nodes. --admin names a cache node, or with --nodes a balancer.

#include <fmt/format.h>

#include "app/ctl_command.h"

namespace tribune::app {
namespace {

/// The parameter that all of these commands have.
const CtlParameter kNodes{"--nodes",
                          "With the admin listener of a balancer: all, or a comma-separated list of node ids. Omit it "
                          "with the admin listener of a cache node",
                          false};

/// The path at a cache node, or with --nodes the path at a balancer.
std::string target(const CtlValues& values, const std::string& what) {
  return values.count("nodes") ? "/nodes/" + what + "?nodes=" + encoded(values, "nodes") : "/cache/" + what;
}

constexpr const char* kNoNode =
    "this admin listener does not belong to a cache node; if it belongs to a balancer, add --nodes all or --nodes with "
    "node ids";
constexpr const char* kNoBalancer =
    "this admin listener does not belong to a balancer; omit --nodes to send the command to this node";

CtlRequest request(const CtlValues& values, http::Method method, const std::string& what, std::string body = "") {
  return {method, target(values, what), std::move(body), "", values.count("nodes") ? kNoBalancer : kNoNode};
}

/// One line for each node's result.
std::string of_nodes(const base::json::Value& answer,
                     const std::function<std::string(const base::json::Value&)>& done) {
  std::string text;
  for (const auto& node : answer.find("nodes")->array) {
    const auto state = node.text("state").value_or("?");
    text += fmt::format("{}: {}\n", node.text("node").value_or("?"),
                        state == "done"     ? done(node)
                        : state == "failed" ? fmt::format("failed: {}", node.text("detail").value_or(""))
                                            : std::string(state));
  }
  return text;
}

bool is_of_nodes(const base::json::Value& answer) {
  const auto* nodes = answer.find("nodes");
  return nodes && nodes->is(base::json::Kind::array);
}

/// False while a node is unreachable, late or failed.
bool all_done(const base::json::Value& answer) { return !is_of_nodes(answer) || answer.flag("done").value_or(false); }

CtlRequest purge(const CtlValues& values) {
  base::json::Writer w;
  w.begin_object();
  for (const char* by : {"url", "prefix", "channel", "tag"})
    if (const auto given = values.find(by); given != values.end()) w.member(by, given->second);
  if (const auto soft = values.find("soft"); soft != values.end()) {
    const bool is_soft = soft->second == "yes" || soft->second == "true";
    if (!is_soft && soft->second != "no" && soft->second != "false")
      return {.refusal = "--soft must be yes or no, not \"" + soft->second + "\""};
    w.member("soft", is_soft);
  }
  return request(values, http::Method::post, "purge", w.end_object().take());
}

CtlRequest warm(const CtlValues& values) {
  base::json::Writer w;
  w.begin_object().key("urls").begin_array().value(values.at("url")).end_array().end_object();
  return request(values, http::Method::post, "warm", w.take());
}

std::string progress_of(const base::json::Value& answer) {
  return fmt::format("{} of {} stored, {} failed", answer.whole("stored").value_or(0),
                     answer.whole("total").value_or(0), answer.whole("failed").value_or(0));
}

std::string progress_text(const base::json::Value& answer) {
  const auto job = std::string(answer.text("job").value_or("?"));
  return is_of_nodes(answer) ? job + "\n" + of_nodes(answer, progress_of)
                             : fmt::format("{}: {}\n", job, progress_of(answer));
}

std::string purged_text(const base::json::Value& answer) {
  const auto purged = [](const base::json::Value& value) {
    return fmt::format("purged {}", value.whole("purged").value_or(0));
  };
  return is_of_nodes(answer) ? of_nodes(answer, purged)
                             : fmt::format("purged: {}\n", answer.whole("purged").value_or(0));
}

}  // namespace

std::vector<CtlCommand> store_commands() {
  return {
      {"purge",
       "Remove objects from one cache node or from all of them",
       {{"--url", "Purge one object, given as channel/epoch/path or as its URL", false},
        {"--prefix", "Purge all objects whose channel/epoch/path starts with this prefix", false},
        {"--channel", "Purge all objects of a channel", false},
        {"--tag", "Purge all objects with this cache tag of the origin", false},
        {"--soft", "yes or true: mark the objects as stale instead of removing them; no or false: remove them", false},
        kNodes},
       purge,
       purged_text,
       all_done},
      {"warm",
       "Fetch an object into one cache node or into all of them",
       {{"URL", "The object, given as channel/epoch/path or as its URL"}, kNodes},
       warm,
       progress_text,
       all_done},
      {"warmed",
       "Show the progress of a warm-up job",
       {{"JOB", "Id of the job that `warm` printed"}, kNodes},
       [](const CtlValues& values) { return request(values, http::Method::get, "warm/" + encoded(values, "job")); },
       progress_text,
       all_done},
  };
}

}  // namespace tribune::app
