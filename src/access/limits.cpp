#include "access/limits.h"

#include <algorithm>
#include <utility>

namespace tribune::access {
namespace {

using base::json::Kind;
using base::json::Value;

constexpr double kMost = 1e9;

tl::unexpected<base::Error> invalid(std::string text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client, std::move(text));
}

bool is_id(std::string_view text) {
  const auto is_fit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), is_fit) && text[0] != '.' &&
         text[0] != '_' && text[0] != '-';
}

base::Status read_count(const Value& value, std::string_view name, std::optional<std::int64_t>& out) {
  if (value.is(Kind::null)) {
    out.reset();
  } else if (value.is(Kind::integer) && value.integer >= 0 && value.integer <= static_cast<std::int64_t>(kMost)) {
    out = value.integer;
  } else {
    return invalid("\"" + std::string(name) + "\" must be null or a whole number from 0 to 1000000000");
  }
  return {};
}

base::Status read_rate(const Value& value, std::string_view name, std::optional<double>& out) {
  const bool is_number = value.is(Kind::integer) || value.is(Kind::number);
  const double number = value.is(Kind::integer) ? static_cast<double>(value.integer) : value.number;
  if (value.is(Kind::null)) {
    out.reset();
  } else if (is_number && number >= 0 && number <= kMost) {
    out = number;
  } else {
    return invalid("\"" + std::string(name) + "\" must be null or a number from 0 to 1000000000");
  }
  return {};
}

/// nullopt when the member does not belong to a limit.
std::optional<base::Status> read_limit_member(const base::json::Member& member, Limit& out) {
  if (member.name == "max_sessions") return read_count(member.value, member.name, out.max_sessions);
  if (member.name == "max_traffic_mbps") return read_rate(member.value, member.name, out.max_traffic_mbps);
  return std::nullopt;
}

base::Status read_named(const Value& value, std::string_view name, NamedLimits& out) {
  if (!value.is(Kind::object))
    return invalid("\"" + std::string(name) + "\" must be an object whose members are limits by id");
  for (const auto& scope : value.object) {
    const auto& id = scope.name;
    if (!is_id(id)) return invalid("\"" + id + "\" is not a valid id");
    if (!scope.value.is(Kind::object)) return invalid("the limit of \"" + id + "\" must be an object");
    for (const auto& member : scope.value.object) {
      const auto status = read_limit_member(member, out[id]);
      if (!status) return invalid("\"" + member.name + "\" is not a known limit member of \"" + id + "\"");
      if (!*status) return *status;
    }
  }
  return {};
}

void write_limit(base::json::Writer& w, const Limit& limit) {
  w.key("max_sessions");
  limit.max_sessions ? w.value(*limit.max_sessions) : w.null();
  w.key("max_traffic_mbps");
  limit.max_traffic_mbps ? w.value(*limit.max_traffic_mbps) : w.null();
}

}  // namespace

std::string_view to_string(ScopeKind kind) {
  switch (kind) {
    case ScopeKind::global: return "global";
    case ScopeKind::channel: return "channel";
    case ScopeKind::group: return "group";
    case ScopeKind::node: return "node";
  }
  return "";
}

std::string_view to_string(AccountRule rule) { return rule == AccountRule::refuse ? "refuse" : "take_over"; }

const NamedLimits* AccessLimits::named(ScopeKind kind) const {
  switch (kind) {
    case ScopeKind::global: return nullptr;
    case ScopeKind::channel: return &channels;
    case ScopeKind::group: return &groups;
    case ScopeKind::node: return &nodes;
  }
  return nullptr;
}

NamedLimits* AccessLimits::named(ScopeKind kind) { return const_cast<NamedLimits*>(std::as_const(*this).named(kind)); }

void write_members(base::json::Writer& w, const AccessLimits& limits) {
  write_limit(w, limits.global);
  w.key("max_sessions_per_account");
  limits.max_sessions_per_account ? w.value(*limits.max_sessions_per_account) : w.null();
  for (const auto& [name, scopes] : {std::pair("channels", &limits.channels), std::pair("groups", &limits.groups),
                                     std::pair("nodes", &limits.nodes)}) {
    w.key(name).begin_object();
    for (const auto& [id, limit] : *scopes) {
      w.key(id).begin_object();
      write_limit(w, limit);
      w.end_object();
    }
    w.end_object();
  }
}

base::Status apply_changes(AccessLimits& limits, std::string_view json) {
  const auto document = base::json::parse(json, {.max_depth = 4, .max_bytes = 256 * 1024, .max_values = 20'000});
  if (!document) return invalid(document.error().text);
  if (!document->is(Kind::object)) return invalid("must be a JSON object");
  auto next = limits;
  for (const auto& member : document->object) {
    base::Status status;
    if (member.name == "max_sessions_per_account") {
      status = read_count(member.value, member.name, next.max_sessions_per_account);
    } else if (member.name == "channels") {
      status = read_named(member.value, member.name, next.channels);
    } else if (member.name == "groups") {
      status = read_named(member.value, member.name, next.groups);
    } else if (member.name == "nodes") {
      status = read_named(member.value, member.name, next.nodes);
    } else {
      const auto read = read_limit_member(member, next.global);
      status = read ? *read : invalid("\"" + member.name + "\" is not a known limit member");
    }
    if (!status) return status;
  }
  limits = std::move(next);
  return {};
}

}  // namespace tribune::access
