#pragma once
// Byte buffers that requests share, file descriptors with automatic close, and a text without surrounding blanks.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tribune::base {

/// An immutable body shared by reference between viewers and workers.
using SharedBytes = std::shared_ptr<const std::string>;

inline SharedBytes share(std::string bytes) { return std::make_shared<const std::string>(std::move(bytes)); }

/// The text without spaces and tabs at both ends (OWS of RFC 9110 section 5.6.3).
inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Owns one descriptor and closes it with the last reference. Const methods from any thread.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

  /// Records that a read from disk failed. A caller that keeps the file checks is_unreadable() before it uses it again.
  void report_unreadable() const { unreadable_ = true; }
  bool is_unreadable() const { return unreadable_; }

 private:
  int fd_;
  mutable std::atomic<bool> unreadable_ = false;
};

/// A range of an open regular file, in bytes.
struct FileSlice {
  std::shared_ptr<const File> file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// A range of shared bytes.
struct BytesSlice {
  SharedBytes bytes;
  std::size_t offset = 0;
  std::size_t length = 0;
  std::string_view view() const { return std::string_view(*bytes).substr(offset, length); }
};

}  // namespace tribune::base
