#include "cache_node/delivery/body_pump.h"

namespace tribune::cache_node {

std::unique_ptr<net::Exchange> BodyPump::take_exchange() {
  exchange_->on_gone([] {});
  return std::move(exchange_);
}

void BodyPump::count(std::uint64_t bytes) {
  if (remaining_ != kUnknown) remaining_ -= bytes;
  sent_bytes_.add(static_cast<double>(bytes));
  if (channel_bytes_) channel_bytes_->fetch_add(bytes, std::memory_order_relaxed);
}

void BodyPump::write(http::Body body, std::uint64_t bytes) {
  count(bytes);
  exchange_->write(std::move(body));
}

}  // namespace tribune::cache_node
