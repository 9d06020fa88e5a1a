#include "app/ctl_command.h"
#include "http/uri.h"

namespace tribune::app {

const std::vector<CtlCommand>& ctl_commands() {
  static const auto all = [] {
    std::vector<CtlCommand> made;
    for (auto& group : {routing_commands(), store_commands(), limit_commands(), account_commands(), shop_commands(),
                        books_commands()})
      for (auto& command : group) made.push_back(command);
    return made;
  }();
  return all;
}

std::string encoded(const CtlValues& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? "" : http::percent_encode(found->second);
}

}  // namespace tribune::app
