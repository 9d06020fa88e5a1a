#pragma once
// Undoes gzip (RFC 1952) piece by piece, so that a small body never becomes a large one in memory: the caller takes one
// bounded piece of output at a time and stops when it has had enough. zlib stays in gunzip.cpp.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tribune::net {

/// Owned by one worker.
class Gunzip {
 public:
  Gunzip();
  ~Gunzip();
  Gunzip(Gunzip&&) noexcept;
  Gunzip& operator=(Gunzip&&) noexcept;

  /// Adds bytes of the coded body; they are copied.
  void feed(std::string_view coded);
  /// The next piece, at most 32 KiB; empty when more input is needed. The view holds until the next call. Errors:
  /// protocol, fault origin.
  base::Result<std::string_view> next();
  /// Whether the stream ended where it should: after the last member's checksum.
  bool is_complete() const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace tribune::net
