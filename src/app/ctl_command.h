#pragma once
// The commands of `tribune ctl`. Each is a row of a table: its name, its parameters, the request to the admin listener,
// and the conversion of the response to text. The tables are in ctl_routing.cpp, ctl_store.cpp, ctl_limit.cpp,
// ctl_accounts.cpp, ctl_shop.cpp and ctl_books.cpp.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "http/message.h"

namespace tribune::app {

/// A parameter of a command. "NODE" is positional; "--client" is an option with a value.
struct CtlParameter {
  std::string name;
  std::string help;
  bool required = true;
  bool is_flag = false;  // an option without a value; "yes" when it is given
};

/// The given parameters by name, without dashes and in lower case: "node", "client". Omitted ones are absent.
using CtlValues = std::map<std::string, std::string>;

struct CtlRequest {
  http::Method method = http::Method::get;
  std::string target{};      // path[?query]
  std::string body{};        // JSON, or empty
  std::string refusal{};     // the error in the command line; if set, no request is sent
  std::string not_served{};  // the error text when the listener has no such route; empty: the response's own text
  bool moves_money = false;  // the request carries an Idempotency-Key
};

/// What a response gives to print, and whether more is asked for.
struct CtlPart {
  std::string text;
  std::string next_target{};  // path[?query] of a further GET; empty: there is none
  std::string failure{};      // the command has failed: the error text
};

struct CtlCommand {
  std::string name;  // "drain", or "accounts create": a command of a group
  std::string help;
  std::vector<CtlParameter> parameters;
  std::function<CtlRequest(const CtlValues&)> request;
  /// Converts the response to text that ends in a new line. Empty: the JSON is printed unchanged.
  std::function<std::string(const base::json::Value&)> text = {};
  /// Whether the response reports that the whole command was executed. Empty: always true.
  std::function<bool(const base::json::Value&)> is_done = {};
  /// Instead of `text`, for a command that reads several responses, or the body itself: makes what is called with the
  /// body of each response in turn.
  std::function<std::function<CtlPart(const std::string& body)>(const CtlValues&)> reader = {};
};

/// The commands of one table; each table has its own file.
std::vector<CtlCommand> routing_commands();
std::vector<CtlCommand> store_commands();
std::vector<CtlCommand> limit_commands();
std::vector<CtlCommand> account_commands();
std::vector<CtlCommand> shop_commands();
std::vector<CtlCommand> books_commands();

/// The commands of all tables.
const std::vector<CtlCommand>& ctl_commands();

/// The value of `name`, percent-encoded for a path or a query; empty when it is absent.
std::string encoded(const CtlValues&, const std::string& name);

}  // namespace tribune::app
