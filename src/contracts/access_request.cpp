#include "contracts/access_request.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "base/json.h"

namespace tribune::contracts {
namespace {

using Field = std::pair<std::string_view, std::string AccessRequest::*>;

constexpr std::array<Field, 11> kFields{{{"channel", &AccessRequest::channel},
                                         {"pass", &AccessRequest::pass},
                                         {"client", &AccessRequest::client},
                                         {"user_agent", &AccessRequest::user_agent},
                                         {"cache", &AccessRequest::cache},
                                         {"gone", &AccessRequest::gone},
                                         {"receipts", &AccessRequest::receipts},
                                         {"playback_base", &AccessRequest::playback_base},
                                         {"account", &AccessRequest::account},
                                         {"device", &AccessRequest::device},
                                         {"lane", &AccessRequest::lane}}};

constexpr std::array<std::string_view, 5> kActions{"open", "stop", "leave", "report",
                                                   "caches"};  // in the order of the enum

constexpr std::int64_t kLatestEnd = (std::int64_t{1} << 32) - 1;

/// nullopt for a value that to_json() does not write.
std::optional<EntitledDevice> entitled_device(const base::json::Value& value) {
  const auto account = base::from_hex64(value.text("account").value_or(""));
  const auto device = base::from_hex64(value.text("device").value_or(""));
  const auto until = value.whole("until");
  if (!account || *account == 0 || !device || *device == 0 || !until || *until < 0 || *until > kLatestEnd)
    return std::nullopt;
  return EntitledDevice{*account, *device, *until};
}

tl::unexpected<base::Error> malformed_access_request(std::string text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, "access request: " + std::move(text));
}

}  // namespace

std::string to_json(const AccessRequest& request) {
  base::json::Writer w;
  w.begin_object().member("action", kActions[static_cast<std::size_t>(request.action)]);
  for (const auto& [name, field] : kFields)
    if (!(request.*field).empty()) w.member(name, request.*field);
  if (const auto& entitled = request.entitled)
    w.key("entitled")
        .begin_object()
        .member("account", base::to_hex64(entitled->account))
        .member("device", base::to_hex64(entitled->device))
        .member("until", entitled->until)
        .end_object();
  if (request.reaches_none) w.member("reaches_none", true);
  return w.end_object().take();
}

base::Result<AccessRequest> access_request_from_json(std::string_view text) {
  if (text.size() > kMaxAccessRequestBytes) return malformed_access_request("too long");
  const auto value = base::json::parse(text);
  if (!value) return malformed_access_request("not JSON: " + value.error().text);
  if (!value->is(base::json::Kind::object)) return malformed_access_request("not an object");
  AccessRequest request;
  const auto action = std::find(kActions.begin(), kActions.end(), value->text("action").value_or(""));
  if (action == kActions.end()) return malformed_access_request("the member action is missing or unknown");
  request.action = static_cast<AccessRequest::Action>(action - kActions.begin());
  for (const auto& [name, field] : kFields) request.*field = value->text(name).value_or("");
  if (const auto* entitled = value->find("entitled")) {
    request.entitled = entitled_device(*entitled);
    if (!request.entitled) return malformed_access_request("the member entitled is wrong");
  }
  const auto* reaches_none = value->find("reaches_none");
  request.reaches_none = reaches_none && reaches_none->is(base::json::Kind::boolean) && reaches_none->boolean;
  return request;
}

}  // namespace tribune::contracts
