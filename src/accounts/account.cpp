#include "accounts/account.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"

namespace tribune::accounts {
namespace {

constexpr std::array<std::pair<AccountState, std::string_view>, 4> kStates{
    {{AccountState::active, "active"},
     {AccountState::awaiting_approval, "awaiting_approval"},
     {AccountState::declined, "declined"},
     {AccountState::blocked, "blocked"}}};

bool is_login_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._+@-").find(c) != std::string_view::npos;
}

}  // namespace

std::string to_text(std::uint64_t id) { return base::to_hex64(id); }

std::optional<std::uint64_t> parse_id(std::string_view text) {
  const auto id = base::from_hex64(text);
  return id != 0 ? id : std::nullopt;
}

std::string_view to_string(AccountState state) {
  return std::find_if(kStates.begin(), kStates.end(), [&](const auto& s) { return s.first == state; })->second;
}

std::optional<AccountState> parse_account_state(std::string_view text) {
  const auto found = std::find_if(kStates.begin(), kStates.end(), [&](const auto& s) { return s.second == text; });
  if (found == kStates.end()) return std::nullopt;
  return found->first;
}

bool is_login(std::string_view text) {
  return text.size() >= kMinLoginBytes && text.size() <= kMaxLoginBytes &&
         std::all_of(text.begin(), text.end(), is_login_character);
}

std::string login_key(std::string_view login) {
  std::string key(login);
  for (auto& c : key)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return key;
}

}  // namespace tribune::accounts
