#include "cache_node/orders/purge.h"

#include <vector>

#include "cache_node/policy/vary_rules.h"

namespace tribune::cache_node {

namespace {

base::Counter purges_counter(base::Metrics& m, std::string_view kind) {
  return m.counter("tribune_cache_purged_total", "Objects purged by orders, by kind.", {{"kind", kind}});
}

}  // namespace

Purge::Purge(ObjectIndex& index, IndexJournal& journal, DiskMaintenance& disk_maintenance, DiskWriter& disk,
             base::Log& log, base::Metrics& metrics)
    : index_(index),
      journal_(journal),
      disk_maintenance_(disk_maintenance),
      disk_(disk),
      log_(log),
      purged_hard_(purges_counter(metrics, "hard")),
      purged_soft_(purges_counter(metrics, "soft")) {}

void Purge::run(const contracts::PurgeOrder& order, std::function<void(base::Result<std::uint64_t>)> on_done,
                bool with_variants) {
  disk_maintenance_.add([this, order, with_variants, on_done = std::move(on_done)] {
    const auto purged = run_now(order, with_variants);
    log_.info("cache_node", "purged",
              {{"by", contracts::to_string(order.by)},
               {"value", contracts::log_text(order)},
               {"soft", order.soft},
               {"objects", purged.value_or(0)}});
    on_done(purged);
  });
}

base::Result<std::uint64_t> Purge::run_now(const contracts::PurgeOrder& order, bool with_variants) {
  using By = contracts::PurgeOrder::By;
  if (order.by != By::url) return by_others(order);
  auto purged = by_url(order);
  if (!purged || !with_variants) return purged;
  const auto variants = by_others({By::prefix, order.value + std::string(kVariantMark), order.soft});
  if (!variants) return variants;
  return *purged + *variants;
}

base::Result<std::uint64_t> Purge::by_url(const contracts::PurgeOrder& order) {
  const auto id = object_key(order.value).id;
  const bool found = one(id, order.soft);
  const auto file = index_.sliced().find(id);
  if (file) index_.sliced().forget(file);
  journal_.flush();
  if (!file) return std::uint64_t{found};
  // The slices of a stale file stay valid as long as its validator does.
  return order.soft ? base::Result<std::uint64_t>(1)
                    : all({contracts::PurgeOrder::By::prefix, order.value + kSliceMark, false});
}

base::Result<std::uint64_t> Purge::by_others(const contracts::PurgeOrder& order) {
  index_.sliced().forget_if(
      [&](const SlicedFile& file) { return contracts::is_meant(order, file.key.text, file.head.tags); });
  return all(order);
}

base::Result<std::uint64_t> Purge::all(const contracts::PurgeOrder& order) {
  auto count = unrecorded(order);
  // Fills that end from here on are no longer accepted; objects that were complete before have their records on disk
  // after these two calls.
  disk_.finish_queued();
  journal_.flush();
  std::vector<ObjectId> meant = journal_.without_record();  // their keys are unknown, so all of them are purged
  const auto read = journal_.each([&](const ReadRecord& record) {
    if (contracts::is_meant(order, record.key_text, record.object->head().tags)) meant.push_back(record.object->id);
  });
  for (const auto& id : meant) count += one(id, order.soft);
  journal_.flush();
  // When the journal has no records, without_record() returned all stored objects.
  if (!read && read.error().kind != base::ErrorKind::unavailable) return tl::unexpected(read.error());
  return count;
}

/// Purges running fills and complete fills in RAM, whose keys are known without a record.
std::uint64_t Purge::unrecorded(const contracts::PurgeOrder& order) {
  std::uint64_t count = 0;
  for (const auto& fill : index_.unrecorded()) {
    const auto view = fill->view();
    // The tags of a fill without a head are unknown, so it is purged.
    const bool may_be_meant = order.by == contracts::PurgeOrder::By::tag && view.phase == Fill::Phase::asking;
    if (may_be_meant || contracts::is_meant(order, fill->key().text, view.head.tags))
      count += one(fill->key().id, order.soft);
  }
  return count;
}

bool Purge::one(const ObjectId& id, bool soft) {
  const auto purged = index_.purge(id, soft);
  if (!purged.found) return false;
  (soft ? purged_soft_ : purged_hard_).add();
  if (purged.gone) disk_maintenance_.purged({purged.gone});
  if (purged.stale) journal_.write_again(*purged.stale);
  return true;
}

}  // namespace tribune::cache_node
