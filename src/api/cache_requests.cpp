#include "api/cache_requests.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "contracts/canonical.h"
#include "http/uri.h"

namespace tribune::api {
namespace {

using contracts::AccessRequest;

constexpr std::size_t kMaxReportBytes = 4 * 1024;
constexpr std::size_t kMaxReceipts = 8;
constexpr std::size_t kMaxReceiptBytes = 256;

enum class ReportPath { session, pings };

tl::unexpected<base::Error> malformed_report(std::string text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client, std::move(text));
}

/// Comma-separated list of "{receipt}" or "{receipt}:{round-trip time in ms}".
base::Result<std::string> receipts_of(const base::json::Value& reachable) {
  if (!reachable.is(base::json::Kind::array) || reachable.array.size() > kMaxReceipts)
    return malformed_report("\"reachable\" must be a list of at most 8 members");
  std::string text;
  for (const auto& entry : reachable.array) {
    const auto receipt = entry.is(base::json::Kind::object) ? entry.text("receipt") : std::nullopt;
    if (!receipt || receipt->empty() || receipt->size() > kMaxReceiptBytes ||
        receipt->find_first_of(",:") != std::string_view::npos)
      return malformed_report(
          "each member of \"reachable\" must have a \"receipt\" that the response to a ping of a cache returned");
    const auto* rtt = entry.find("rtt_ms");
    const bool has_rtt = rtt && !rtt->is(base::json::Kind::null);
    if (has_rtt && (!entry.real("rtt_ms") || rtt->number < 0 || rtt->number >= 60'000))
      return malformed_report("\"rtt_ms\" must be a number of at least 0 and below 60000");
    if (!text.empty()) text += ",";
    text += *receipt;
    if (has_rtt) text += fmt::format(":{:.3f}", rtt->number);
  }
  return text;
}

base::Status read_id(const base::json::Member& member, std::string_view what, std::string& id) {
  if (!member.value.is(base::json::Kind::string) || !contracts::is_id(member.value.string))
    return malformed_report("\"" + member.name + "\" must be the id of a " + std::string(what));
  id = member.value.string;
  return {};
}

/// A problem does not repeat the session, which is a secret.
base::Status read_session(const base::json::Value& value, std::string& pass) {
  if (!value.is(base::json::Kind::string) || value.string.empty() || value.string.size() > kMaxPassBytes)
    return malformed_report(fmt::format("\"session\" must be a session or ticket of at most {} bytes", kMaxPassBytes));
  pass = value.string;
  return {};
}

base::Status read_member(const base::json::Member& member, ReportPath path, AccessRequest& made) {
  const auto& name = member.name;
  if (name == "gone") return read_id(member, "cache", made.gone);
  if (name == "cache") return read_id(member, "cache", made.cache);
  if (path == ReportPath::pings && name == "channel") return read_id(member, "channel", made.channel);
  if (path == ReportPath::pings && name == "session") return read_session(member.value, made.pass);
  if (name != "reachable") return malformed_report("unknown member \"" + base::json::escape(name) + "\"");
  auto receipts = receipts_of(member.value);
  if (!receipts) return tl::unexpected(receipts.error());
  made.receipts = std::move(*receipts);
  return {};
}

base::Result<AccessRequest> read_report(const http::Request& request, ReportPath path) {
  if (request.body.size() > kMaxReportBytes) return malformed_report("the request body is too long");
  const auto value = base::json::parse(request.body);
  if (!value || !value->is(base::json::Kind::object)) return malformed_report("the body must be a JSON object");
  AccessRequest made;
  made.action = AccessRequest::Action::report;
  made.client = request.client;
  for (const auto& member : value->object)
    if (auto read = read_member(member, path, made); !read) return tl::unexpected(read.error());
  if (path == ReportPath::pings) {
    if (made.channel.empty()) return malformed_report("the member \"channel\" is missing");
    made.reaches_none = value->find("reachable") && made.receipts.empty() && made.cache.empty();
  }
  if (made.gone.empty() && made.cache.empty() && made.receipts.empty() && !made.reaches_none)
    return malformed_report(
        "the report is empty: at least one of the members \"gone\", \"cache\" and \"reachable\" is required");
  return made;
}

}  // namespace

bool names_channel(const http::Request& request) { return http::query_value(request.query, "channel").has_value(); }

base::Result<AccessRequest> cache_list_request(const http::Request& request) {
  const auto channel = http::query_value(request.query, "channel").value_or("");
  if (!contracts::is_id(channel)) return malformed_report("\"channel\" must be the id of a channel");
  if (request.query != "channel=" + std::string(channel))
    return malformed_report("the query must have the key \"channel\" once, and no other key");
  AccessRequest made;
  made.action = AccessRequest::Action::caches;
  made.channel = channel;
  made.client = request.client;
  return made;
}

base::Result<AccessRequest> session_report(const http::Request& request) {
  return read_report(request, ReportPath::session);
}

base::Result<AccessRequest> pings_report(const http::Request& request) {
  return read_report(request, ReportPath::pings);
}

}  // namespace tribune::api
