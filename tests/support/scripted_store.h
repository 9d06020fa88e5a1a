#pragma once
// A store in memory whose disk the test fills. Writes are carried out by settle(), as by the store's thread.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace tribune::test {

class ScriptedStore final : public store::Store {
 public:
  bool is_full = false;

  std::optional<std::string> set_aside() const override { return std::nullopt; }
  base::Result<std::optional<std::string>> get(std::string_view table, std::string_view key) const override {
    const auto found = records_.find({std::string(table), std::string(key)});
    return found == records_.end() ? std::nullopt : std::optional(found->second);
  }
  base::Status scan(std::string_view table,
                    const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    for (const auto& [at, value] : records_)
      if (at.first == table && !visit(at.second, value)) break;
    return {};
  }
  void put(std::string_view table, std::string key, std::string value, OnCommitted on_committed) override {
    waiting_.push_back({{std::string(table), std::move(key)}, std::move(value), std::move(on_committed)});
  }
  void erase(std::string_view table, std::string key, OnCommitted on_committed) override {
    waiting_.push_back({{std::string(table), std::move(key)}, std::nullopt, std::move(on_committed)});
  }
  void keep(std::string_view table, std::string key, std::optional<std::string> value,
            OnCommitted on_committed) override {
    waiting_.push_back({{std::string(table), std::move(key)}, std::move(value), std::move(on_committed)});
  }
  base::Status flush() override { return settle() == 0 ? base::Status{} : tl::unexpected(full()); }
  std::uint64_t failed_batches() const override { return failed_; }

  /// Carries out the queued writes; returns how many failed.
  std::uint64_t settle() {
    std::uint64_t failed = 0;
    for (auto& write : std::exchange(waiting_, {})) {
      if (is_full)
        ++failed;
      else if (write.value)
        records_[write.at] = std::move(*write.value);
      else
        records_.erase(write.at);
      if (write.on_committed) write.on_committed(is_full ? base::Status(tl::unexpected(full())) : base::Status{});
    }
    failed_ += failed;
    return failed;
  }

 private:
  struct Write {
    std::pair<std::string, std::string> at;
    std::optional<std::string> value;
    OnCommitted on_committed;
  };
  static base::Error full() { return {base::ErrorKind::io, base::Fault::tribune, true, "No space left on device"}; }

  std::map<std::pair<std::string, std::string>, std::string> records_;
  std::vector<Write> waiting_;
  std::uint64_t failed_ = 0;
};

}  // namespace tribune::test
