#include "accounts/revocation_log.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/ids.h"

namespace tribune::accounts {

RevocationLog::RevocationLog() : run_(base::to_hex(base::random_bytes(8))) {}

void RevocationLog::add(const std::vector<Revocation>& revocations) {
  if (revocations.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    revocations_.insert(revocations_.end(), revocations.begin(), revocations.end());
  }
  if (on_growth_) on_growth_();
}

RevocationLog::Page RevocationLog::after(std::uint64_t number, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  const auto last = forgotten_ + revocations_.size();
  const auto first = number < forgotten_ || number > last ? forgotten_ : number;
  const auto begin = revocations_.begin() + static_cast<std::ptrdiff_t>(first - forgotten_);
  const auto count = std::min<std::size_t>(most, last - first);
  Page page;
  page.revocations.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  page.number = first + count;
  page.is_last = page.number == last;
  return page;
}

void RevocationLog::forget(base::WallTime until) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < kMostForgotten && !revocations_.empty() && revocations_.front().at <= until; ++i) {
    revocations_.pop_front();
    ++forgotten_;
  }
}

}  // namespace tribune::accounts
