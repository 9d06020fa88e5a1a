#include "cache_node/objects/index_gauges.h"

namespace tribune::cache_node {

void register_index_gauges(base::Metrics& m, std::weak_ptr<const ObjectIndex> weak,
                           std::shared_ptr<const FillMemory> memory) {
  m.before_scrape([weak = std::move(weak), memory = std::move(memory),
                   objects = m.gauge("tribune_cache_objects", "Complete objects in the store."),
                   bytes = m.gauge("tribune_cache_stored_bytes", "Bytes of the objects in the store."),
                   fills = m.gauge("tribune_cache_fills_running", "Fills that are running."),
                   buffers = m.gauge("tribune_cache_fill_buffer_bytes", "Bytes of fills in RAM.")]() mutable {
    const auto index = weak.lock();
    if (!index) return;
    const auto totals = index->totals();
    objects.set(static_cast<double>(totals.objects));
    bytes.set(static_cast<double>(totals.bytes));
    fills.set(static_cast<double>(totals.fills));
    buffers.set(static_cast<double>(memory->used()));
  });
}

}  // namespace tribune::cache_node
