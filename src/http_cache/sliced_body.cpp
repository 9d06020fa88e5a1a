#include "http_cache/sliced_body.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace tribune::http_cache {
namespace {

constexpr std::uint64_t kFirstChunk = 16 << 10;
constexpr std::uint64_t kLargestChunk = 1 << 20;
constexpr std::uint64_t kLargestInOne = 4 << 20;  // a body up to this size is copied once, so that hits send one slice

}  // namespace

SlicedBody::SlicedBody(base::BytesSlice slice) { append(std::move(slice)); }

void SlicedBody::append(base::BytesSlice slice) {
  if (slice.length == 0) return;
  size_ += slice.length;
  slices_.push_back(std::move(slice));
}

SlicedBody SlicedBody::part(std::uint64_t first, std::uint64_t length) const {
  SlicedBody result;
  for (const auto& slice : slices_) {
    if (length == 0) break;
    if (first >= slice.length) {
      first -= slice.length;
      continue;
    }
    const auto taken = std::min<std::uint64_t>(length, slice.length - first);
    result.append({slice.bytes, slice.offset + static_cast<std::size_t>(first), static_cast<std::size_t>(taken)});
    first = 0;
    length -= taken;
  }
  return result;
}

std::uint64_t SlicedBody::held_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& slice : slices_) bytes += sizeof slice + slice.bytes->size();
  return bytes;
}

void GrowingBody::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (chunks_.empty() || chunks_.back().used == chunks_.back().bytes->size())
      chunks_.push_back({std::make_shared<std::string>(next_chunk_bytes(), '\0')});
    auto& chunk = chunks_.back();
    const auto taken = std::min(bytes.size(), chunk.bytes->size() - chunk.used);
    std::copy_n(bytes.data(), taken, chunk.bytes->data() + chunk.used);
    chunk.used += taken;
    size_ += taken;
    bytes.remove_prefix(taken);
  }
}

std::vector<base::BytesSlice> GrowingBody::from(std::uint64_t first) const {
  std::vector<base::BytesSlice> slices;
  for (const auto& chunk : chunks_) {
    if (first < chunk.used)
      slices.push_back({chunk.bytes, static_cast<std::size_t>(first), chunk.used - static_cast<std::size_t>(first)});
    first -= std::min<std::uint64_t>(first, chunk.used);
  }
  return slices;
}

SlicedBody GrowingBody::finished() {
  if (chunks_.size() > 1 && size_ <= kLargestInOne) {
    auto whole = std::make_shared<std::string>();
    whole->reserve(static_cast<std::size_t>(size_));
    for (const auto& chunk : chunks_) whole->append(*chunk.bytes, 0, chunk.used);
    chunks_ = {{std::move(whole), static_cast<std::size_t>(size_)}};
  } else if (!chunks_.empty() && chunks_.back().used < chunks_.back().bytes->size()) {
    auto& last = chunks_.back();
    last.bytes = std::make_shared<std::string>(*last.bytes, 0, last.used);
  }
  SlicedBody body;
  for (auto& slice : from(0)) body.append(std::move(slice));
  return body;
}

/// Each chunk is as large as all before it, up to a bound, so that an origin that announces a large body and sends
/// little of it occupies little memory.
std::size_t GrowingBody::next_chunk_bytes() const {
  const auto wanted = std::clamp(size_, kFirstChunk, kLargestChunk);
  return static_cast<std::size_t>(length_ && *length_ > size_ ? std::min(wanted, *length_ - size_) : wanted);
}

}  // namespace tribune::http_cache
