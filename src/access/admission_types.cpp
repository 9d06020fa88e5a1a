#include "access/admission_types.h"

namespace tribune::access {

std::string_view to_string(DenyReason refusal) {
  switch (refusal) {
    case DenyReason::queue_full: return "queue_full";
    case DenyReason::account_full: return "account_full";
    case DenyReason::too_many_tickets: return "too_many_tickets";
    case DenyReason::too_many_sessions: return "too_many_sessions";
    case DenyReason::session_shared: return "session_shared";
    case DenyReason::ticket_unknown: return "ticket_unknown";
    case DenyReason::ticket_expired: return "ticket_expired";
    case DenyReason::ticket_used: return "ticket_used";
    case DenyReason::busy: return "busy";
  }
  return "";
}

}  // namespace tribune::access
