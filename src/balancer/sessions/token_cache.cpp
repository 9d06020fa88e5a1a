#include "balancer/sessions/token_cache.h"

#include <utility>

namespace tribune::balancer {

base::Result<contracts::Token> TokenCache::read(const std::shared_ptr<const base::KeyRing>& ring,
                                                std::string_view channel, std::string_view text, base::WallTime now,
                                                std::chrono::milliseconds skew) {
  if (ring != ring_) {
    recent_.clear();
    older_.clear();
    ring_ = ring;
  }
  if (const auto* entry = find(text);
      entry && entry->token.channel == channel && entry->from <= now && now < entry->until)
    return entry->token;
  auto token = contracts::read_token(*ring, channel, text, now, skew);
  if (token) add(text, {*token, now, ring->usable_until(text.substr(0, text.find('.')))});
  return token;
}

const TokenCache::Entry* TokenCache::find(std::string_view text) {
  if (const auto found = recent_.find(text); found != recent_.end()) return &found->second;
  const auto found = older_.find(text);
  if (found == older_.end()) return nullptr;
  auto node = older_.extract(found);
  auto entry = std::move(node.mapped());
  add(text, std::move(entry));
  return &recent_.find(text)->second;
}

void TokenCache::add(std::string_view text, Entry entry) {
  if (recent_.size() >= max_tokens_) {
    older_ = std::move(recent_);
    recent_.clear();
  }
  recent_.insert_or_assign(std::string(text), std::move(entry));
}

}  // namespace tribune::balancer
