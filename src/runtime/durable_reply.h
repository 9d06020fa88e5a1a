#pragma once
// Delays the response to an operator's order until the order is on disk, so that a killed process loses no confirmed
// order. The order is in force at once. When the write fails, the response is sent after the first attempt; when the
// disk hangs, it is sent after kDurableWithin. Store::keep() retries the write.

#include <chrono>
#include <functional>
#include <memory>

#include "http/message.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"
#include "store/store.h"

namespace tribune::runtime {

using OnDurable = store::Store::OnCommitted;

/// The maximum delay of the response.
inline constexpr std::chrono::seconds kDurableWithin{8};

/// Executes the order, passes `on_durable` to Store::keep(), and returns the response. A response other than 200 is
/// sent at once.
using DurableOperation = std::function<http::Response(const http::Request&, const OnDurable& on_durable)>;

/// Called on the exchange's worker, with that worker's loop.
void reply_when_durable(net::EventLoop&, std::unique_ptr<net::Exchange>, const DurableOperation&);

}  // namespace tribune::runtime
