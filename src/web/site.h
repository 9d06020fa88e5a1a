#pragma once
// The files of a built web page in memory, with their types, validators and compressed bodies. Only files that were in
// the folder at loading are served, so no request path reaches other files.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "http/message.h"

namespace tribune::web {

struct SiteFile {
  std::string content_type;
  std::string cache_control;
  base::SharedBytes body;
  std::string etag;
  base::SharedBytes gzip;  // null when the file is only sent uncompressed
  std::string gzip_etag;   // of the compressed representation
};

/// Bounds on the files that are read into memory.
struct SiteLimits {
  std::uint64_t max_bytes = 64ull << 20;
  std::size_t max_files = 2'000;
};

/// Compresses a body; returns an empty text on failure.
using Compress = std::function<std::string(std::string_view)>;

/// Immutable. Const methods from any thread.
class Site {
 public:
  /// Reads the whole folder; links and special files are ignored. Errors: not_found without an index.html, too_large
  /// beyond the limits, io.
  static base::Result<std::shared_ptr<const Site>> load(const std::filesystem::path& folder, const Compress&,
                                                        const SiteLimits& = {});

  /// The file at a canonical request path; a path that ends with '/' names the index.html under it. Null when there is
  /// none.
  const SiteFile* find(std::string_view path) const;

  /// The response to a GET or HEAD: 200, 304, 412, 308 to the path with a '/' for a folder with an index.html, or a 404
  /// problem.
  http::Response answer(const http::Request&) const;

  std::size_t files() const { return files_.size(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::map<std::string, SiteFile, std::less<>> files_;  // by path from the root, with its leading '/'
  std::uint64_t bytes_ = 0;
};

/// The media type by the name's suffix; application/octet-stream for an unknown suffix.
std::string_view content_type_of(std::string_view name);

}  // namespace tribune::web
