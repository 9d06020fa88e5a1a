#include "cache_node/disk/disk_writer.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>

namespace tribune::cache_node {

namespace {

constexpr std::uint64_t kBatchBytes = 1 << 20;
constexpr std::size_t kMaxParts = 256;                   // in one pwritev; IOV_MAX is 1024
constexpr std::uint64_t kMinEvictedBytes = 16ull << 20;  // the least number of bytes to evict when the disk is full

/// Writes all bytes, or returns the error.
base::Status write_all(int fd, std::vector<iovec> parts, std::uint64_t offset) {
  std::size_t first = 0;
  while (first < parts.size()) {
    const auto count = std::min(parts.size() - first, kMaxParts);
    const auto wrote = ::pwritev(fd, parts.data() + first, static_cast<int>(count), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      const int code = wrote == 0 ? ENOSPC : errno;
      const auto kind = code == ENOSPC || code == EDQUOT ? base::ErrorKind::too_large : base::ErrorKind::io;
      return base::failure(kind, base::Fault::tribune, fmt::format("cannot write an object: {}", std::strerror(code)),
                           true);
    }
    offset += static_cast<std::uint64_t>(wrote);
    auto left = static_cast<std::size_t>(wrote);
    while (first < parts.size() && left >= parts[first].iov_len) left -= parts[first++].iov_len;
    if (left > 0) {
      parts[first].iov_base = static_cast<char*>(parts[first].iov_base) + left;
      parts[first].iov_len -= left;
    }
  }
  return {};
}

}  // namespace

DiskWriter::DiskWriter(const ObjectFiles& files, ObjectIndex& index, DiskMaintenance& disk_maintenance,
                       DiskHealth& health, const base::Clock& clock)
    : files_(files), index_(index), disk_maintenance_(disk_maintenance), health_(health), clock_(clock) {}

void DiskWriter::changed(const std::shared_ptr<Fill>& fill) {
  if (memory_only_) fill->reduce_keeping(Fill::Keeping::memory);
  if (fill->claim_disk_work()) thread_.add([this, fill] { process(fill); });
}

void DiskWriter::finish_queued() {
  std::promise<void> done;
  thread_.add([&done] { done.set_value(); });
  done.get_future().wait();
}

void DiskWriter::process(const std::shared_ptr<Fill>& fill) {
  while (true) {
    const auto unwritten = fill->take_unwritten(kBatchBytes);
    if (unwritten.chunks.empty()) {
      if (unwritten.phase == Fill::Phase::complete) {
        store_complete(fill);
      } else if (unwritten.phase == Fill::Phase::failed && writing_.erase(fill.get()) > 0) {
        files_.remove_unfinished(fill->key().id, fill->generation());
      }
      return;
    }
    if (const auto wrote = write(*fill, writing_[fill.get()], unwritten); !wrote)
      continue_in_memory(fill, wrote.error());
  }
}

base::Status DiskWriter::write(Fill& fill, OpenFile& file, const Fill::Unwritten& unwritten) {
  if (!file) {
    if (auto space = check_free_bytes(); !space) return space;
    auto begun = files_.begin(fill.key().id, fill.generation());
    if (!begun) return tl::unexpected(begun.error());
    file = std::move(*begun);
    fill.opened(file);
  }
  std::vector<iovec> parts;
  std::uint64_t bytes = 0;
  for (const auto& chunk : unwritten.chunks) {
    parts.push_back({const_cast<char*>(chunk->data()), chunk->size()});
    bytes += chunk->size();
  }
  if (auto wrote = write_all(file->fd(), std::move(parts), unwritten.offset); !wrote) return wrote;
  fill.written(bytes);
  health_.worked();
  return {};
}

/// The fill continues in RAM. Bytes that are in the file stay readable through its descriptor.
void DiskWriter::continue_in_memory(const std::shared_ptr<Fill>& fill, const base::Error& error) {
  health_.failed(error.text);
  fill->reduce_keeping(Fill::Keeping::memory);
  if (writing_.erase(fill.get()) > 0) files_.remove_unfinished(fill->key().id, fill->generation());
  if (error.kind == base::ErrorKind::too_large) evict_bytes(kMinEvictedBytes);
}

base::Status DiskWriter::check_free_bytes() {
  if (auto there = files_.is_there(); !there) return there;
  const auto floor = min_free_bytes_.load();
  if (floor == 0) return {};
  const auto free = files_.free_bytes();
  if (free >= floor) return {};
  evict_bytes(floor - free + kMinEvictedBytes);
  if (free >= floor / 2) return {};
  return base::failure(base::ErrorKind::too_large, base::Fault::tribune,
                       fmt::format("the disk has {} free bytes left, less than half of min_free_bytes", free), true);
}

void DiskWriter::evict_bytes(std::uint64_t least) {
  const auto now = clock_.steady_now();
  if (last_eviction_ && now - *last_eviction_ < std::chrono::seconds(1)) return;
  last_eviction_ = now;
  disk_maintenance_.evicted(
      index_.evict_bytes(std::max(least, index_.totals().bytes / 16), base::unix_seconds(clock_.wall_now())));
}

void DiskWriter::probe() {
  if (memory_only_ || health_.reason().empty()) return;
  thread_.add([this] {
    auto works = check_free_bytes();
    if (works) works = files_.probe();
    if (works) health_.worked();
  });
}

void DiskWriter::store_complete(const std::shared_ptr<Fill>& fill) {
  const auto view = fill->view();
  auto writing = writing_.extract(fill.get());
  if (fill->keeping() != Fill::Keeping::disk) {
    if (!writing.empty()) files_.remove_unfinished(fill->key().id, fill->generation());
    if (const auto replaced = index_.keep_in_memory(fill)) disk_maintenance_.purged({replaced});
    return;
  }
  auto object = std::make_shared<Object>();
  object->id = fill->key().id;
  object->generation = fill->generation();
  object->size = view.received;
  object->stored = static_cast<std::uint32_t>(view.stored);
  object->verified = true;
  object->checksum = view.checksum;
  object->set_head(view.head);

  base::Status visible;
  if (writing.empty()) {  // an object without bytes
    if (auto file = files_.begin(object->id, object->generation); !file) visible = tl::unexpected(file.error());
  }
  if (visible) visible = files_.make_visible(object->id, object->generation);
  if (!visible) {
    health_.failed(visible.error().text);
    files_.remove_unfinished(object->id, object->generation);
    fill->reduce_keeping(Fill::Keeping::memory);
    if (const auto replaced = index_.keep_in_memory(fill)) disk_maintenance_.purged({replaced});
    return;
  }
  auto completed = index_.complete(*fill, object);
  if (completed.accepted) {
    disk_maintenance_.stored(*object, fill->key().text, completed.replaced);
  } else {
    files_.remove(*object);
  }
  disk_maintenance_.evicted(std::move(completed.evicted));
}

}  // namespace tribune::cache_node
