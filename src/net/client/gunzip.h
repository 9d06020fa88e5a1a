#pragma once
// Decompresses gzip (RFC 1952) in pieces, so that a small body cannot expand to a large one in memory: the caller takes
// one bounded piece of output at a time and may stop at any time. zlib is used in gunzip.cpp only.

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
  /// The next piece, at most 32 KiB; empty when more input is needed. The view is valid until the next call. Errors:
  /// protocol, fault origin.
  base::Result<std::string_view> next();
  /// Whether the input ended after the checksum of a member.
  bool is_complete() const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace tribune::net
