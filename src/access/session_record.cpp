#include "access/session_record.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/encoding.h"

namespace tribune::access {
namespace {

constexpr std::size_t kMostIdCharacters = 64;
constexpr std::int64_t kMostNumber = 1'000'000'000'000;  // a time, or a rate

std::string_view take_word(std::string_view& text) {
  const auto end = std::min(text.find(' '), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

template <class Number>
bool take_number(std::string_view& text, Number& out) {
  const auto word = take_word(text);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return error == std::errc{} && end == word.data() + word.size();
}

std::string_view or_dash(std::string_view id) { return id.empty() ? "-" : id; }

bool take_id(std::string_view& text, std::string& out) {
  const auto word = take_word(text);
  if (word.empty() || word.size() > kMostIdCharacters) return false;
  out = word == "-" ? std::string_view() : word;
  return true;
}

bool is_number(std::int64_t value) { return value >= 0 && value <= kMostNumber; }

}  // namespace

std::string to_text(const SessionRecord& record) {
  std::string text("1");
  for (const auto value : {record.opened, record.until, record.idle_seconds, record.kbps})
    text.append(" ").append(std::to_string(value));
  text.append(" ").append(std::to_string(record.client));
  for (const auto* id : {&record.channel, &record.group, &record.node}) text.append(" ").append(or_dash(*id));
  return text.append(" ").append(or_dash(base::to_hex(record.account))).append(" ").append(record.device);
}

std::optional<SessionRecord> session_record(std::string_view text) {
  SessionRecord record;
  if (take_word(text) != "1") return std::nullopt;
  for (auto* value : {&record.opened, &record.until, &record.idle_seconds, &record.kbps})
    if (!take_number(text, *value) || !is_number(*value)) return std::nullopt;
  if (!take_number(text, record.client)) return std::nullopt;
  for (auto* id : {&record.channel, &record.group, &record.node})
    if (!take_id(text, *id)) return std::nullopt;
  const auto account = take_word(text);
  if (record.channel.empty() || account.empty()) return std::nullopt;
  if (account != "-") {
    auto bytes = base::from_hex(account);
    if (!bytes || bytes->empty()) return std::nullopt;
    record.account = std::move(*bytes);
  }
  record.device = text;
  return record;
}

std::chrono::seconds rest_of(const SessionRecord& record, std::int64_t now) {
  const std::chrono::seconds idle{record.idle_seconds};
  return idle <= kLongIdle ? idle
                           : std::chrono::seconds{std::clamp<std::int64_t>(record.until - now, 0, record.idle_seconds)};
}

}  // namespace tribune::access
