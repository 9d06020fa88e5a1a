#include "cache_node/objects/fill_memory.h"

#include <utility>

#include "base/memory.h"

namespace tribune::cache_node {

namespace {
constexpr std::uint64_t kLookBytes = 1 << 20;  // the process's memory is checked after this many bytes
}

/// A chunk's bytes and the account that counts them.
struct FillMemory::Counted {
  Counted(std::string_view b, std::shared_ptr<FillMemory> m) : bytes(b), memory(std::move(m)) {
    memory->used_ += bytes.size();
  }
  ~Counted() { memory->release(bytes.size()); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  const std::string bytes;
  const std::shared_ptr<FillMemory> memory;
};

base::SharedBytes FillMemory::chunk(std::string_view bytes) {
  if ((allocated_ += bytes.size()) >= kLookBytes) {
    allocated_ = 0;
    base::Memory::of_process().check_periodically();
  }
  auto counted = std::make_shared<const Counted>(bytes, shared_from_this());
  const std::string* text = &counted->bytes;
  return {std::move(counted), text};
}

void FillMemory::release(std::uint64_t bytes) {
  used_ -= bytes;
  if (!anyone_waits_ || !is_available()) return;
  std::vector<Waiting> woken;
  {
    const std::lock_guard lock(mutex_);
    woken.swap(waiting_);
    anyone_waits_ = false;
  }
  for (auto& w : woken) w.loop->post(std::move(w.call));
}

void FillMemory::when_available(net::EventLoop& loop, std::function<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({&loop, std::move(call)});
    anyone_waits_ = true;
  }
  release(0);
}

}  // namespace tribune::cache_node
