#pragma once
// Transactions that report a value.

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/result.h"
#include "store/transactional_store.h"

namespace tribune::store {

template <class T>
using Reported = std::function<void(base::Result<T>)>;

/// Passes the value on when the transaction has succeeded, or its error.
template <class T>
TransactionalStore::Done reporting(std::shared_ptr<std::optional<T>> value, Reported<T> done) {
  return [value = std::move(value), done = std::move(done)](base::Status status) {
    if (!status) return done(tl::unexpected(std::move(status.error())));
    done(std::move(**value));
  };
}

/// As tables.write(); `work` returns the value or an error.
template <class T>
void write_and_report(TransactionalStore& tables, std::function<base::Result<T>(WriteTransaction&)> work,
                      Reported<T> done) {
  auto value = std::make_shared<std::optional<T>>();
  tables.write(
      [work = std::move(work), value](WriteTransaction& t) -> base::Status {
        auto made = work(t);
        if (!made) return tl::unexpected(std::move(made.error()));
        *value = std::move(*made);
        return {};
      },
      reporting(value, std::move(done)));
}

/// As tables.read(); `work` returns the value.
template <class T>
void read_and_report(TransactionalStore& tables, std::function<T(ReadTransaction&)> work, Reported<T> done) {
  auto value = std::make_shared<std::optional<T>>();
  tables.read([work = std::move(work), value](ReadTransaction& t) { *value = work(t); },
              reporting(value, std::move(done)));
}

}  // namespace tribune::store
