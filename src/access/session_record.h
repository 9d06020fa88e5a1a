#pragma once
// The record on disk of a session that watches: the session counts from the start of the next process. Values and pure
// functions.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tribune::access {

/// The table of the balancer's store with one record for each session that watches; the key is table_key().
inline constexpr std::string_view kSessionsTable = "access_sessions";

/// Sessions with a longer idle time last until the stored deadline after a restart; the others are renewed so often
/// that they last for their idle time.
inline constexpr std::chrono::seconds kLongIdle{60};

struct SessionRecord {
  std::string channel, group, node;  // ids; group and node may be empty
  std::string account, device;       // empty: none
  std::int64_t opened = 0;           // unix seconds; 0: not known
  std::int64_t until = 0;            // unix seconds: when it is released unless it is renewed
  std::int64_t idle_seconds = 0;
  std::int64_t kbps = 0;
  std::uint64_t client = 0;  // a hash of the address; 0: not counted
  bool operator==(const SessionRecord&) const = default;
};

/// "1 {opened} {until} {idle} {kbps} {client} {channel} {group or -} {node or -} {account in hex or -} {device}".
std::string to_text(const SessionRecord&);
/// nullopt for a damaged text.
std::optional<SessionRecord> session_record(std::string_view text);

/// The time for which the session is kept after a restart without a renewal.
std::chrono::seconds rest_of(const SessionRecord&, std::int64_t now);

}  // namespace tribune::access
