#include "access/session_networks.h"

#include <algorithm>

namespace tribune::access {
namespace {

std::int64_t second_of(base::SteadyTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

SessionNetworks::Hearing SessionNetworks::hear(std::uint32_t network, base::SteadyTime now, const NetworkRule& rule) {
  const auto second = second_of(now);
  const auto handover = std::chrono::ceil<std::chrono::seconds>(rule.handover).count();
  const Heard heard{network, static_cast<std::uint32_t>(second)};
  if (first_.network == network && !others_) {
    first_ = heard;
    return Hearing::fine;
  }
  forget_silent(second, handover);
  if (first_.network == 0 || first_.network == network) {
    first_ = heard;
    return Hearing::fine;
  }
  if (!others_) others_ = std::make_unique<std::vector<Heard>>();
  for (auto& other : *others_) {
    if (other.network != network) continue;
    other = heard;
    return Hearing::fine;
  }
  if (1 + static_cast<std::int64_t>(others_->size()) < rule.most) {
    others_->push_back(heard);
    return Hearing::fine;
  }
  if (others_->empty()) others_.reset();
  const bool was_told = told_.network != 0 && second - std::int64_t{told_.second} < handover;
  if (was_told) return Hearing::beyond_again;
  told_ = heard;
  return Hearing::beyond;
}

void SessionNetworks::forget_silent(std::int64_t now, std::int64_t handover) {
  const auto is_silent = [&](const Heard& heard) { return now - std::int64_t{heard.second} >= handover; };
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
