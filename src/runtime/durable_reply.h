#pragma once
// What an operator orders holds at once and is answered once it is on disk, so that no kill takes back what was
// answered. A disk that refuses or hangs keeps no answer back for long: the order holds all the same, and is written
// when the disk writes again.

#include <chrono>
#include <functional>
#include <memory>

#include "http/message.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"
#include "store/store.h"

namespace tribune::runtime {

using OnDurable = store::Store::OnCommitted;

/// A disk that takes longer is waited for no more.
inline constexpr std::chrono::seconds kDurableWithin{8};

/// Carries the order out and hands `on_durable` to Store::keep(); what it returns is the answer. One that is not a 200
/// is given at once.
using DurableOperation = std::function<http::Response(const http::Request&, const OnDurable& on_durable)>;

/// On the exchange's worker, whose loop it is.
void reply_when_durable(net::EventLoop&, std::unique_ptr<net::Exchange>, const DurableOperation&);

}  // namespace tribune::runtime
