#pragma once
// Bodies in slices: one that is complete, and one that is being received.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace tribune::http_cache {

/// Slices of shared bytes, in order. Copies share the bytes.
class SlicedBody {
 public:
  SlicedBody() = default;
  explicit SlicedBody(base::BytesSlice);
  void append(base::BytesSlice);
  std::uint64_t size() const { return size_; }
  const std::vector<base::BytesSlice>& slices() const { return slices_; }
  /// The part of `length` bytes from `first` on, both inside the body.
  SlicedBody part(std::uint64_t first, std::uint64_t length) const;
  /// The bytes that the slices keep in RAM: each counts with its whole string.
  std::uint64_t held_bytes() const;

 private:
  std::vector<base::BytesSlice> slices_;
  std::uint64_t size_ = 0;
};

/// A body that grows at its end. The bytes of a slice never change, so one thread may read slices while another one
/// appends; the calls themselves must exclude each other.
class GrowingBody {
 public:
  /// `length`: of the whole body, if it is known.
  explicit GrowingBody(std::optional<std::uint64_t> length = {}) : length_(length) {}
  void append(std::string_view);
  std::uint64_t size() const { return size_; }
  /// All bytes from `first` on.
  std::vector<base::BytesSlice> from(std::uint64_t first) const;
  /// The whole body, without unused memory at its end; in one slice up to 4 MiB. Slices that were taken before stay
  /// valid.
  SlicedBody finished();

 private:
  struct Chunk {
    std::shared_ptr<std::string> bytes;  // the part behind `used` is not received yet
    std::size_t used = 0;
  };
  std::size_t next_chunk_bytes() const;

  std::optional<std::uint64_t> length_;
  std::vector<Chunk> chunks_;
  std::uint64_t size_ = 0;
};

}  // namespace tribune::http_cache
