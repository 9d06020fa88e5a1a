#include "contracts/answered_request.h"

namespace tribune::contracts {

void write_member(base::json::Writer& w, const AnsweredRequest& request) {
  w.key("answers").begin_object().member("run", request.run).member("sequence", request.sequence).end_object();
}

std::optional<AnsweredRequest> answered_request(const base::json::Value& object) {
  const auto* member = object.find("answers");
  if (!member) return std::nullopt;
  return AnsweredRequest{std::string(member->text("run").value_or("")), member->whole("sequence").value_or(0)};
}

}  // namespace tribune::contracts
