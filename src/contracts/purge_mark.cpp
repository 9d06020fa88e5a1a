#include "contracts/purge_mark.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include "contracts/canonical.h"

namespace tribune::contracts {
namespace {

constexpr std::array kByOrder = {PurgeOrder::By::url, PurgeOrder::By::prefix, PurgeOrder::By::channel,
                                 PurgeOrder::By::tag};

constexpr std::int64_t kMaxPurgeAge = 1'000'000'000;  // seconds: so that sums of times do not overflow

/// Takes the text before the next ';'.
std::string_view take(std::string_view& text) {
  const auto end = std::min(text.find(';'), text.size());
  const auto part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

}  // namespace

OrderName order_name(std::string_view id) {
  const auto dash = id.rfind('-');
  if (dash == std::string_view::npos) return {id, 0};
  std::int64_t number = 0;
  const auto digits = id.substr(dash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size() && number >= 0;
  return is_number ? OrderName{id.substr(0, dash), number} : OrderName{id, 0};
}

std::string order_id(std::string_view issuer, std::int64_t number) {
  return std::string(issuer) + "-" + std::to_string(number);
}

std::string purge_mark(const NamedPurge& purge) {
  return purge.id + ";" + std::string(to_string(purge.order.by)) + (purge.order.soft ? ";soft;" : ";hard;") +
         std::to_string(purge.age.count()) + ";" + purge.order.value;
}

base::Result<std::vector<NamedPurge>> read_purge_marks(std::string_view text) {
  const auto wrong = [] {
    return base::failure(base::ErrorKind::invalid_input, base::Fault::node,
                         "the purges that a cache node reports are malformed");
  };
  std::vector<NamedPurge> purges;
  if (text.size() > kMaxPurgeMarkBytes) return wrong();
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    auto mark = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    NamedPurge purge;
    purge.id = take(mark);
    const auto by_text = take(mark), kind = take(mark);
    const auto age = read_decimal(take(mark));
    const auto by = std::find_if(kByOrder.begin(), kByOrder.end(), [&](auto b) { return to_string(b) == by_text; });
    if (!is_id(purge.id) || by == kByOrder.end() || !age || *age > kMaxPurgeAge || (kind != "soft" && kind != "hard") ||
        mark.empty() || !is_visible_ascii(mark))
      return wrong();
    purge.order = {*by, std::string(mark), kind == "soft"};
    purge.age = std::chrono::seconds(*age);
    purges.push_back(std::move(purge));
    if (purges.size() > kMaxPurgeMarks) return wrong();
  }
  return purges;
}

}  // namespace tribune::contracts
