#include "http_cache/running_transfers.h"

#include <algorithm>

#include "http/vary.h"

namespace tribune::http_cache {
namespace {

constexpr std::size_t kMaxOfOneUri = 64;  // bounds the search; a request beyond it has a transfer to itself

}  // namespace

RunningTransfers::Place RunningTransfers::join_or_lead(const Wanted& wanted) {
  const std::lock_guard lock(mutex_);
  auto& transfers = running_[wanted.key];
  for (const auto& transfer : transfers)
    if (may_join(*transfer, wanted)) return {transfer};
  const bool is_stored = wanted.is_stored();
  if (is_stored || transfers.size() >= kMaxOfOneUri) {
    if (transfers.empty()) running_.erase(wanted.key);
    return {nullptr, false, is_stored};
  }
  transfers.push_back(std::make_shared<OriginTransfer>(wanted.fields, true));
  return {transfers.back(), true};
}

void RunningTransfers::close(const std::string& key) {
  const std::lock_guard lock(mutex_);
  running_.erase(key);
}

void RunningTransfers::remove(const std::string& key, const std::shared_ptr<OriginTransfer>& transfer) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(key);
  if (found == running_.end()) return;
  std::erase(found->second, transfer);
  if (found->second.empty()) running_.erase(found);
}

/// Before the head has arrived it is not known by which fields the response varies, except from an earlier one.
bool RunningTransfers::may_join(const OriginTransfer& transfer, const Wanted& wanted) {
  if (const auto head = transfer.head())
    return head->shared && !head->is_leaders_alone && wanted.variants.selects(*head->shared) &&
           wanted.accepts(*head->shared);
  if (!wanted.example || wanted.example->vary.empty()) return true;
  auto same = *wanted.example;
  same.variant = http::variant_key_by(http::field_name_list(same.vary), transfer.request());
  return wanted.variants.selects(same);
}

}  // namespace tribune::http_cache
