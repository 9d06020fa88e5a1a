#pragma once
// What `tribune ctl` can ask of a running process. A command is a line of a table: what it is called, what it wants,
// the request that it makes to an admin listener, and how people read the answer. Each room has its own table,
// ctl_<room>.cpp.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "http/message.h"

namespace tribune::app {

/// A word that a command wants. "NODE": by its place; "--client": an option with a value.
struct CtlParameter {
  std::string name;
  std::string help;
  bool required = true;
};

/// What the command line gave, by name without dashes and in lower case: "node", "client". Absent ones are missing.
using CtlValues = std::map<std::string, std::string>;

struct CtlRequest {
  http::Method method = http::Method::get;
  std::string target{};      // path[?query]
  std::string body{};        // JSON, or empty
  std::string refusal{};     // what is wrong with the command line; nothing is asked then
  std::string not_served{};  // what to do when the listener knows no such path; empty: as it says itself
};

struct CtlCommand {
  std::string name;  // "drain"
  std::string help;
  std::vector<CtlParameter> parameters;
  std::function<CtlRequest(const CtlValues&)> request;
  /// The answer for people, ending in a new line. Empty: the JSON as it came.
  std::function<std::string(const base::json::Value&)> text = {};
  /// Whether all was done that the answer tells of; without it, it was.
  std::function<bool(const base::json::Value&)> is_done = {};
};

/// A room's commands; each stands in a file of its own.
std::vector<CtlCommand> routing_commands();
std::vector<CtlCommand> store_commands();
std::vector<CtlCommand> limit_commands();

/// All of them.
const std::vector<CtlCommand>& ctl_commands();

/// The value of `name` as a part of a path or a query; empty when it is missing.
std::string encoded(const CtlValues&, const std::string& name);

}  // namespace tribune::app
