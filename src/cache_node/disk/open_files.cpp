#include "cache_node/disk/open_files.h"

namespace tribune::cache_node {

namespace {

/// Binds a descriptor to its object: the index treats an object as unused only when there is no such binding.
struct Lease {
  ObjectPtr object;
  std::shared_ptr<const base::File> file;
};

std::shared_ptr<const base::File> lease(const ObjectPtr& object, std::shared_ptr<const base::File> file) {
  auto held = std::make_shared<Lease>(Lease{object, std::move(file)});
  const base::File* raw = held->file.get();
  return {std::move(held), raw};
}

}  // namespace

base::Result<std::shared_ptr<const base::File>> OpenFiles::open(const ObjectPtr& object) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = kept_.find(object->id);
        found != kept_.end() && found->second->generation == object->generation) {
      if (found->second->file->is_unreadable())
        return base::failure(base::ErrorKind::io, base::Fault::tribune, "the file could not be read from the disk");
      by_use_.splice(by_use_.begin(), by_use_, found->second);
      return lease(object, found->second->file);
    }
  }
  auto opened = files_.open(*object);
  if (!opened) return opened;
  std::list<Kept> closing;  // closed after the lock is released
  const std::lock_guard lock(mutex_);
  if (const auto found = kept_.find(object->id); found != kept_.end()) {
    closing.splice(closing.end(), by_use_, found->second);
    kept_.erase(found);
  }
  by_use_.push_front({object->id, object->generation, *opened});
  kept_[object->id] = by_use_.begin();
  if (by_use_.size() > bound_) {
    kept_.erase(by_use_.back().id);
    closing.splice(closing.end(), by_use_, std::prev(by_use_.end()));
  }
  return lease(object, std::move(*opened));
}

void OpenFiles::forget(const ObjectId& id) {
  std::list<Kept> closing;
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(id);
  if (found == kept_.end()) return;
  closing.splice(closing.end(), by_use_, found->second);
  kept_.erase(found);
}

}  // namespace tribune::cache_node
