#include "cache_node/index_journal.h"

#include <algorithm>
#include <vector>

#include "cache_node/index_records.h"

namespace tribune::cache_node {

IndexJournal::IndexJournal(base::Log& log, base::Metrics& metrics)
    : log_(log), pending_(metrics.gauge("tribune_cache_index_pending", "Index records that wait to be on disk.")),
      failures_(metrics.counter("tribune_cache_index_failures_total", "Index records that could not be written.")) {
  metrics.before_scrape([pending = pending_, counts = counts_]() mutable { pending.set(static_cast<double>(counts->pending.load())); });
}

base::Status IndexJournal::load(const std::string& store_dir, std::uint64_t max_index_bytes, ObjectIndex& index) {
  store::StoreOptions options;
  options.directory = store_dir + "/index";
  options.tables = {std::string(kObjectTable)};
  options.max_bytes = max_index_bytes;
  options.format = kIndexFormat;
  auto opened = store::Store::open(options, log_);
  if (opened) {
    store_ = std::move(*opened);
    const auto damaged = restore(index);
    log_.info("cache_node", "index_loaded", {{"objects", index.totals().objects}, {"bytes", index.totals().bytes}, {"damaged_records", damaged}});
    return {};
  }
  if (opened.error().kind == base::ErrorKind::conflict) return tl::unexpected(opened.error());
  log_.error("cache_node", "index_unavailable", {{"error", opened.error().text}});
  counts_->last_failed = true;
  return {};
}

std::size_t IndexJournal::restore(ObjectIndex& index) {
  std::vector<ObjectPtr> objects;
  std::vector<std::string> damaged;
  const auto scanned = store_->scan(kObjectTable, [&](std::string_view key, std::string_view value) {
    if (auto record = read_record(key, value)) {
      objects.push_back(std::move(record->object));
    } else {
      damaged.emplace_back(key);
    }
    return true;
  });
  if (!scanned) log_.error("cache_node", "index_cut_short", {{"error", scanned.error().text}});
  for (auto& key : damaged) store_->erase(kObjectTable, std::move(key));
  std::sort(objects.begin(), objects.end(), [](const ObjectPtr& a, const ObjectPtr& b) { return a->stored < b->stored; });
  for (auto& object : objects) index.restore(std::move(object));
  return damaged.size();
}

void IndexJournal::stored(const Object& object, std::string_view key_text) {
  if (!store_) return;
  ++counts_->pending;
  store_->put(kObjectTable, std::string(object.id.view()), write_record(object, key_text),
              [counts = counts_, failures = failures_](base::Status status) mutable {
                --counts->pending;
                counts->last_failed = !status;
                if (!status) failures.add();
              });
}

void IndexJournal::gone(const Object& object) {
  if (!store_) return;
  ++counts_->pending;
  store_->erase(kObjectTable, std::string(object.id.view()), [counts = counts_](base::Status) { --counts->pending; });
}

void IndexJournal::flush() {
  if (store_) store_->flush();
}

std::string IndexJournal::trouble() const {
  if (!store_) return counts_->last_failed ? "the index could not be opened" : "";
  return counts_->last_failed ? "index records cannot be written" : "";
}

}  // namespace tribune::cache_node
