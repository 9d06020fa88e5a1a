#include "access/session_networks.h"

#include <algorithm>

namespace tribune::access {

SessionNetworks::Usage SessionNetworks::record(std::uint32_t network, base::SteadyTime now, const NetworkRule& rule) {
  const auto second = second_of(now);
  const auto handover = std::chrono::ceil<std::chrono::seconds>(rule.handover).count();
  const LastRequest request{network, static_cast<std::uint32_t>(second)};
  if (first_.network == network && !others_) {
    first_ = request;
    return Usage::allowed;
  }
  remove_silent(second, handover);
  if (first_.network == 0 || first_.network == network) {
    first_ = request;
    return Usage::allowed;
  }
  if (!others_) others_ = std::make_unique<std::vector<LastRequest>>();
  for (auto& other : *others_) {
    if (other.network != network) continue;
    other = request;
    return Usage::allowed;
  }
  if (1 + static_cast<std::int64_t>(others_->size()) < rule.most) {
    others_->push_back(request);
    return Usage::allowed;
  }
  if (others_->empty()) others_.reset();
  const bool was_reported = reported_.network != 0 && second - std::int64_t{reported_.second} < handover;
  if (was_reported) return Usage::exceeded_again;
  reported_ = request;
  return Usage::exceeded;
}

void SessionNetworks::remove_silent(std::int64_t now, std::int64_t handover) {
  const auto is_silent = [&](const LastRequest& request) { return now - std::int64_t{request.second} >= handover; };
  if (others_) std::erase_if(*others_, is_silent);
  if (others_ && is_silent(first_) && !others_->empty()) {
    first_ = others_->back();
    others_->pop_back();
  } else if (is_silent(first_)) {
    first_ = {};
  }
  if (others_ && others_->empty()) others_.reset();
}

}  // namespace tribune::access
