#include "cache_node/disk/index_journal.h"

#include <algorithm>
#include <utility>

#include "cache_node/disk/index_loader.h"

namespace tribune::cache_node {

IndexJournal::IndexJournal(base::Log& log, base::Metrics& metrics)
    : log_(log),
      pending_(metrics.gauge("tribune_cache_index_pending", "Index records that are queued for writing to disk.")),
      failures_(metrics.counter("tribune_cache_index_failures_total", "Index records that could not be written.")) {
  metrics.before_scrape(
      [pending = pending_, counts = counts_]() mutable { pending.set(static_cast<double>(counts->pending.load())); });
}

base::Status IndexJournal::load(const std::string& store_dir, std::uint64_t max_index_bytes, ObjectIndex& index) {
  index.sliced().on_changed([this](const ObjectId& id, const SlicedFile* file) { file_changed(id, file); });
  options_.directory = store_dir + "/index";
  options_.tables = {std::string(kObjectTable), std::string(kSlicedFileTable)};
  options_.max_bytes = max_index_bytes;
  options_.format = kIndexFormat;
  auto opened = store::Store::open(options_, log_);
  if (opened) {
    const auto damaged = restore(**opened, index) + restore_files(**opened, index.sliced());
    log_.info("cache_node", "index_loaded",
              {{"objects", index.totals().objects}, {"bytes", index.totals().bytes}, {"damaged_records", damaged}});
    const std::lock_guard lock(mutex_);
    store_ = std::move(*opened);
    return {};
  }
  if (opened.error().kind == base::ErrorKind::conflict) return tl::unexpected(opened.error());
  log_.error("cache_node", "index_unavailable", {{"error", opened.error().text}});
  counts_->last_failed = true;
  return {};
}

void IndexJournal::retry() {
  if (store() || options_.directory.empty()) return;
  auto opened = store::Store::open(options_, log_);
  if (!opened) return;
  // Records of an earlier run have no object in the index of this run, and their files have been removed.
  std::size_t dropped = 0;
  bool is_complete = true;
  for (const auto table : {kObjectTable, kSlicedFileTable}) {
    std::vector<std::string> strange;
    const auto scanned = (*opened)->scan(table, [&](std::string_view key, std::string_view) {
      strange.emplace_back(key);
      return true;
    });
    is_complete &= scanned.has_value();
    dropped += strange.size();
    for (auto& key : strange) (*opened)->erase(table, std::move(key));
  }
  log_.info("cache_node", "index_recovered", {{"dropped_records", dropped}, {"complete", is_complete}});
  counts_->last_failed = false;
  const std::lock_guard lock(mutex_);
  store_ = std::move(*opened);
}

std::shared_ptr<store::Store> IndexJournal::store() const {
  const std::lock_guard lock(mutex_);
  return store_;
}

std::size_t IndexJournal::restore(store::Store& store, ObjectIndex& index) {
  auto loaded = load_records(store);
  if (!loaded.status) log_.error("cache_node", "index_cut_short", {{"error", loaded.status.error().text}});
  for (auto& key : loaded.damaged) store.erase(kObjectTable, std::move(key));
  index.restore(std::move(loaded.objects));
  return loaded.damaged.size();
}

/// Restores the files that are stored in slices. Their slices are objects with records of their own.
std::size_t IndexJournal::restore_files(store::Store& store, SlicedFiles& files) {
  std::vector<SlicedFilePtr> known;
  std::vector<std::string> damaged;
  const auto scanned = store.scan(kSlicedFileTable, [&](std::string_view key, std::string_view value) {
    if (auto file = read_file_record(key, value))
      known.push_back(std::move(file));
    else
      damaged.emplace_back(key);
    return true;
  });
  if (!scanned) log_.error("cache_node", "index_cut_short", {{"error", scanned.error().text}});
  for (auto& key : damaged) store.erase(kSlicedFileTable, std::move(key));
  std::sort(known.begin(), known.end(), [](const auto& a, const auto& b) { return a->seen < b->seen; });
  const auto first =
      known.begin() + static_cast<std::ptrdiff_t>(known.size() - std::min(known.size(), SlicedFiles::kMost));
  for (auto it = known.begin(); it != first; ++it) store.erase(kSlicedFileTable, std::string((*it)->key.id.view()));
  for (auto it = first; it != known.end(); ++it) files.put(std::move(*it));
  return damaged.size();
}

/// Changes are queued in their order.
void IndexJournal::file_changed(const ObjectId& id, const SlicedFile* file) {
  const auto to = store();
  if (!to) return;
  ++counts_->pending;
  const auto done = [counts = counts_, failures = failures_](base::Status status) mutable {
    --counts->pending;
    counts->last_failed = !status;
    if (!status) failures.add();
  };
  if (file)
    to->put(kSlicedFileTable, std::string(id.view()), write_file_record(*file), done);
  else
    to->erase(kSlicedFileTable, std::string(id.view()), done);
}

bool IndexJournal::stored(const Object& object, std::string_view key_text, OnSettled on_settled) {
  const auto to = store();
  if (!to) {
    const std::lock_guard lock(counts_->mutex);
    counts_->without_record.insert(object.id);
    return false;
  }
  ++counts_->pending;
  to->put(kObjectTable, std::string(object.id.view()), write_record(object, key_text),
          [counts = counts_, failures = failures_, id = object.id,
           on_settled = std::move(on_settled)](base::Status status) mutable {
            --counts->pending;
            counts->last_failed = !status;
            if (!status) failures.add();
            {
              const std::lock_guard lock(counts->mutex);
              if (status) {
                counts->without_record.erase(id);
              } else {
                counts->without_record.insert(id);
              }
            }
            if (on_settled) on_settled();
          });
  return true;
}

bool IndexJournal::gone(const Object& object, OnSettled on_settled) {
  {
    const std::lock_guard lock(counts_->mutex);
    counts_->without_record.erase(object.id);
  }
  const auto to = store();
  if (!to) return false;
  ++counts_->pending;
  to->erase(kObjectTable, std::string(object.id.view()),
            [counts = counts_, on_settled = std::move(on_settled)](base::Status) {
              --counts->pending;
              if (on_settled) on_settled();
            });
  return true;
}

void IndexJournal::write_again(const Object& object) {
  const auto from = store();
  if (!from) return;
  const auto record = from->get(kObjectTable, object.id.view());
  if (!record || !*record) return;
  const auto read = read_record(object.id.view(), **record);
  if (read && read->object->generation == object.generation) stored(object, read->key_text);
}

base::Status IndexJournal::each(const std::function<void(const ReadRecord&)>& visit) const {
  const auto from = store();
  if (!from) return base::failure(base::ErrorKind::unavailable, base::Fault::tribune, "the index could not be opened");
  return from->scan(kObjectTable, [&](std::string_view key, std::string_view value) {
    if (const auto record = read_record(key, value)) visit(*record);
    return true;
  });
}

std::vector<ObjectId> IndexJournal::without_record() const {
  const std::lock_guard lock(counts_->mutex);
  return {counts_->without_record.begin(), counts_->without_record.end()};
}

void IndexJournal::flush() {
  if (const auto to = store()) to->flush();
}

std::string IndexJournal::trouble() const {
  if (!store()) return counts_->last_failed ? "the index could not be opened" : "";
  return counts_->last_failed ? "index records cannot be written" : "";
}

}  // namespace tribune::cache_node
