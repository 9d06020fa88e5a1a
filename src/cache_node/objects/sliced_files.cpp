#include "cache_node/objects/sliced_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "cache_node/objects/checksum.h"
#include "http/date.h"

namespace tribune::cache_node {

http::ByteRange SlicedFile::slice(std::uint64_t number) const {
  const auto first = number * slice_bytes;
  return {first, std::min(first + slice_bytes, size) - 1};
}

ObjectKey SlicedFile::slice_key(std::uint64_t number) const {
  return object_key(
      fmt::format("{}{}{}.{:016x}.{:x}.{}", key.text, kSliceMark, slice_bytes, checksum(validator()), size, number));
}

std::string SlicedFile::validator() const {
  return head.etag.empty() ? http::format_date(base::WallTime(std::chrono::seconds(head.last_modified))) : head.etag;
}

SlicedFilePtr SlicedFiles::find(const ObjectId& id) {
  if (count_.load(std::memory_order_relaxed) == 0) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end()) return nullptr;
  by_use_.splice(by_use_.end(), by_use_, found->second.use);
  return found->second.file;
}

void SlicedFiles::put(SlicedFilePtr file) {
  const std::lock_guard lock(mutex_);
  const auto id = file->key.id;
  const auto known = files_.find(id);
  if (known == files_.end()) {
    files_.emplace(id, Known{file, by_use_.insert(by_use_.end(), id)});
  } else {
    known->second.file = file;
    by_use_.splice(by_use_.end(), by_use_, known->second.use);
  }
  count_ = files_.size();
  notify(id, file.get());
  if (files_.size() <= kMost) return;
  const auto idle = by_use_.front();
  files_.erase(idle);
  by_use_.pop_front();
  count_ = files_.size();
  notify(idle, nullptr);
}

void SlicedFiles::forget(const SlicedFilePtr& file) {
  forget_if([&](const SlicedFile& known) { return &known == file.get(); });
}

std::size_t SlicedFiles::forget_if(const std::function<bool(const SlicedFile&)>& is_meant) {
  if (count_ == 0) return 0;
  const std::lock_guard lock(mutex_);
  const auto gone = std::erase_if(files_, [&](const auto& entry) {
    if (!is_meant(*entry.second.file)) return false;
    by_use_.erase(entry.second.use);
    notify(entry.first, nullptr);
    return true;
  });
  count_ = files_.size();
  return gone;
}

}  // namespace tribune::cache_node
