// Commands about what a cache node keeps; --admin names the node.

#include <fmt/format.h>

#include "app/ctl_command.h"

namespace tribune::app {
namespace {

CtlRequest purge(const CtlValues& values) {
  base::json::Writer w;
  w.begin_object();
  for (const char* by : {"url", "prefix", "channel", "tag"})
    if (const auto given = values.find(by); given != values.end()) w.member(by, given->second);
  if (const auto soft = values.find("soft"); soft != values.end()) w.member("soft", soft->second == "yes");
  return {http::Method::post, "/cache/purge", w.end_object().take()};
}

CtlRequest warm(const CtlValues& values) {
  base::json::Writer w;
  w.begin_object().key("urls").begin_array().value(values.at("url")).end_array().end_object();
  return {http::Method::post, "/cache/warm", w.take()};
}

std::string progress_text(const base::json::Value& answer) {
  return fmt::format("{}: {} of {} stored, {} failed\n", answer.text("job").value_or("?"), answer.whole("stored").value_or(0),
                     answer.whole("total").value_or(0), answer.whole("failed").value_or(0));
}

}  // namespace

std::vector<CtlCommand> store_commands() {
  return {
      {"purge", "Remove objects from a cache node",
       {{"--url", "One object: channel/epoch/path, or its URL", false}, {"--prefix", "All whose channel/epoch/path begins so", false},
        {"--channel", "All of a channel", false}, {"--tag", "All with this tag of the origin's", false},
        {"--soft", "yes: they are stale, not gone", false}},
       purge, [](const base::json::Value& answer) { return fmt::format("purged: {}\n", answer.whole("purged").value_or(0)); }},
      {"warm", "Fetch an object into a cache node", {{"URL", "channel/epoch/path, or its URL"}}, warm, progress_text},
      {"warmed", "How far a warm-up is", {{"JOB", "What `warm` named"}},
       [](const CtlValues& values) { return CtlRequest{http::Method::get, "/cache/warm/" + encoded(values, "job"), ""}; }, progress_text},
  };
}

}  // namespace tribune::app
