// Commands about cache nodes and who is sent to them.

#include <fmt/format.h>

#include "app/ctl_command.h"

namespace tribune::app {
namespace {

std::string drained_text(const base::json::Value& answer) {
  return fmt::format("{}: {}, {} viewers\n", answer.text("node").value_or("?"), answer.flag("draining").value_or(false) ? "draining" : "in service",
                     answer.whole("viewers").value_or(0));
}

CtlCommand on_node(std::string name, std::string help, std::string verb) {
  return {std::move(name), std::move(help), {{"NODE", "The node's id"}},
          [verb = std::move(verb)](const CtlValues& values) {
            return CtlRequest{http::Method::post, "/nodes/" + encoded(values, "node") + "/" + verb, ""};
          },
          drained_text};
}

}  // namespace

std::vector<CtlCommand> routing_commands() {
  return {
      on_node("drain", "Take no new viewers to a cache node, and its viewers elsewhere at their next segments", "drain"),
      on_node("undrain", "Let a drained cache node serve again", "undrain"),
  };
}

}  // namespace tribune::app
