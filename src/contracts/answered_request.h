#pragma once
// The request of a node that an answer of the balancer is for, as a member of the answer's signed body: an answer that
// was recorded is not taken for that of another request, of another node or of another balancer. Values and pure
// functions.

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"

namespace tribune::contracts {

/// The run and the number of a heartbeat or a poll; no two of a node have the same ones.
struct AnsweredRequest {
  std::string run;
  std::int64_t sequence = 0;
  bool operator==(const AnsweredRequest&) const = default;
};

/// Writes the member "answers" into the open object.
void write_member(base::json::Writer&, const AnsweredRequest&);
/// nullopt when the object has no such member; for one that write_member() does not write, a value that no request has.
std::optional<AnsweredRequest> answered_request(const base::json::Value& object);

/// Whether the answer is for this request. A balancer of a former version does not say; one of this version always
/// does, so that none of its answers can be replayed to a node of this version.
inline bool is_answer_to(const AnsweredRequest& request, const std::optional<AnsweredRequest>& answers) {
  return !answers || *answers == request;
}

}  // namespace tribune::contracts
