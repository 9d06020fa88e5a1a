#include "cache_node/objects/fill.h"

#include <algorithm>

namespace tribune::cache_node {

Fill::View Fill::view() const {
  const std::lock_guard lock(mutex_);
  return {phase_, head_, length_, received_, stored_, checksum_, failure_, not_kept_, first_byte_};
}

std::uint64_t Fill::received() const {
  const std::lock_guard lock(mutex_);
  return received_;
}

std::size_t Fill::readers() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& group : loops_) count += group.readers.size();
  return count;
}

Fill::Keeping Fill::keeping() const {
  const std::lock_guard lock(mutex_);
  return keeping_;
}

void Fill::begin(ObjectHead head, std::optional<std::uint64_t> length) {
  const std::lock_guard lock(mutex_);
  head_ = std::move(head);
  length_ = length;
}

void Fill::append(std::string_view bytes, base::SteadyTime now) {
  if (bytes.empty()) return;
  auto chunk = memory_->chunk(bytes);
  std::unique_lock lock(mutex_);
  if (phase_ == Phase::asking) {
    phase_ = Phase::arriving;
    first_byte_ = now;
  }
  chunks_.push_back({received_, std::move(chunk)});
  received_ += bytes.size();
  if (keeping_ == Keeping::nothing) trim();
  wake(lock);
}

void Fill::finish(std::string etag, std::int64_t stored, std::uint64_t checksum) {
  std::unique_lock lock(mutex_);
  phase_ = Phase::complete;
  length_ = received_;
  stored_ = stored;
  checksum_ = checksum;
  if (head_.etag.empty()) head_.etag = std::move(etag);
  wake(lock);
}

void Fill::renew(std::int64_t now_unix, http::Terms terms) {
  const std::lock_guard lock(mutex_);
  stored_ = now_unix;
  head_.terms = std::move(terms);
}

void Fill::keep_nothing(std::string_view why) {
  {
    const std::lock_guard lock(mutex_);
    not_kept_ = why;
  }
  reduce_keeping(Keeping::nothing);
}

void Fill::fail(FillFailure failure) {
  std::deque<Chunk> freed;
  std::unique_lock lock(mutex_);
  phase_ = Phase::failed;
  failure_ = std::move(failure);
  freed.swap(chunks_);
  wake(lock);
}

bool Fill::claim_disk_work() {
  const std::lock_guard lock(mutex_);
  if (disk_works_) return false;
  const bool is_over = phase_ == Phase::complete || phase_ == Phase::failed;
  const bool has_bytes = keeping_ == Keeping::disk && received_ > written_ && phase_ != Phase::failed;
  if (!has_bytes && !(is_over && !disk_knows_end_)) return false;
  disk_works_ = true;
  return true;
}

Fill::Unwritten Fill::take_unwritten(std::uint64_t max_bytes) {
  const std::lock_guard lock(mutex_);
  Unwritten unwritten{{}, written_, phase_, keeping_};
  if (keeping_ == Keeping::disk && phase_ != Phase::failed) {
    std::uint64_t taken = 0;
    for (auto chunk = chunks_.begin(); chunk != chunks_.end() && taken < max_bytes; ++chunk) {
      if (chunk->offset < written_) continue;
      unwritten.chunks.push_back(chunk->bytes);
      taken += chunk->bytes->size();
    }
  }
  if (unwritten.chunks.empty()) {
    disk_works_ = false;
    disk_knows_end_ = phase_ == Phase::complete || phase_ == Phase::failed;
  }
  return unwritten;
}

void Fill::opened(std::shared_ptr<const base::File> file) {
  const std::lock_guard lock(mutex_);
  file_ = std::move(file);
}

void Fill::written(std::uint64_t bytes) {
  std::deque<Chunk> freed;
  const std::lock_guard lock(mutex_);
  written_ += bytes;
  while (!chunks_.empty() && chunks_.front().offset + chunks_.front().bytes->size() <= written_) {
    freed.push_back(std::move(chunks_.front()));
    chunks_.pop_front();
  }
}

void Fill::reduce_keeping(Keeping keeping) {
  std::unique_lock lock(mutex_);
  if (keeping <= keeping_) return;
  keeping_ = keeping;
  if (keeping_ == Keeping::nothing) trim();
  wake(lock);
}

void Fill::trim() {
  std::uint64_t needed = received_;
  for (const auto& group : loops_)
    for (const auto& state : group.readers) needed = std::min(needed, state->position);
  while (!chunks_.empty() && chunks_.front().offset + chunks_.front().bytes->size() <= needed) chunks_.pop_front();
}

std::unique_ptr<FillReader> Fill::join(net::EventLoop& loop, std::function<void()> on_progress) {
  auto state = std::make_shared<ReaderState>();
  state->loop = &loop;
  state->on_progress = std::move(on_progress);
  const std::lock_guard lock(mutex_);
  if (keeping_ == Keeping::nothing) return nullptr;
  auto group = std::find_if(loops_.begin(), loops_.end(), [&](const LoopReaders& r) { return r.loop == &loop; });
  if (group == loops_.end()) group = loops_.insert(loops_.end(), LoopReaders{&loop, {}, false});
  group->readers.push_back(state);
  return std::make_unique<FillReader>(shared_from_this(), std::move(state));
}

void Fill::leave(const std::shared_ptr<ReaderState>& state) {
  state->left = true;
  const std::lock_guard lock(mutex_);
  for (auto& group : loops_) {
    if (group.loop != state->loop) continue;
    const auto at = std::find(group.readers.begin(), group.readers.end(), state);
    if (at == group.readers.end()) continue;
    *at = std::move(group.readers.back());
    group.readers.pop_back();
  }
  if (keeping_ == Keeping::nothing) trim();
}

void Fill::wake(std::unique_lock<std::mutex>& lock) {
  std::vector<net::EventLoop*> loops;
  for (auto& group : loops_) {
    if (group.woken || group.readers.empty()) continue;
    group.woken = true;
    loops.push_back(group.loop);
  }
  lock.unlock();
  for (auto* loop : loops) loop->post([self = shared_from_this(), loop] { self->wake_loop(loop); });
}

void Fill::wake_loop(net::EventLoop* loop) {
  std::vector<std::shared_ptr<ReaderState>> readers;
  {
    const std::lock_guard lock(mutex_);
    for (auto& group : loops_) {
      if (group.loop != loop) continue;
      group.woken = false;
      readers = group.readers;
    }
  }
  for (const auto& state : readers)
    if (!state->left) state->on_progress();
}

void FillReader::skip_to(std::uint64_t position) {
  const std::lock_guard lock(fill_->mutex_);
  state_->position = std::max(state_->position, position);
  if (fill_->keeping_ == Fill::Keeping::nothing) fill_->trim();
}

FillReader::Piece FillReader::take(std::uint64_t max) {
  const std::lock_guard lock(fill_->mutex_);
  Piece piece;
  piece.phase = fill_->phase_;
  auto& position = state_->position;
  // The last announced byte is held back until the fill is complete: a body that continues beyond it is broken, and no
  // reader may treat it as complete.
  auto given = fill_->received_;
  if (piece.phase == Fill::Phase::arriving && fill_->length_ && given >= *fill_->length_ && given > 0)
    given = *fill_->length_ - 1;
  if (position >= given || piece.phase == Fill::Phase::failed) return piece;
  max = std::min(max, given - position);
  if (max == 0) return piece;
  const auto& chunks = fill_->chunks_;
  if (!chunks.empty() && position >= chunks.front().offset) {
    auto chunk = std::upper_bound(chunks.begin(), chunks.end(), position,
                                  [](std::uint64_t p, const Fill::Chunk& c) { return p < c.offset; });
    --chunk;
    const auto inside = position - chunk->offset;
    piece.length = std::min<std::uint64_t>(max, chunk->bytes->size() - inside);
    piece.body = base::BytesSlice{chunk->bytes, inside, piece.length};
  } else if (fill_->file_ && position < fill_->written_) {
    piece.length = std::min(max, fill_->written_ - position);
    piece.body = base::FileSlice{fill_->file_, position, piece.length};
  } else {
    piece.lost = true;
    return piece;
  }
  position += piece.length;
  if (fill_->keeping_ == Fill::Keeping::nothing) fill_->trim();
  return piece;
}

}  // namespace tribune::cache_node
