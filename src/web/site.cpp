#include "web/site.h"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/encoding.h"
#include "base/signing.h"
#include "http/conditional_response.h"
#include "http/content_coding.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::web {
namespace {

namespace fs = std::filesystem;
using base::ErrorKind;
using base::Fault;

constexpr std::string_view kImmutableFolder = "/assets/";  // the names of these files contain a hash of the content
constexpr std::size_t kLeastGzipBytes = 512;
constexpr std::size_t kEtagDigits = 20;

constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kContentTypes{{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".txt", "text/plain; charset=utf-8"},
    {".xml", "application/xml"},
    {".webmanifest", "application/manifest+json"},
}};

// The page may connect to every node and balancer, and runs only its own code.
constexpr std::string_view kPagePolicy =
    "default-src 'self'; connect-src *; media-src * blob:; img-src 'self' data:; worker-src 'self' blob:; object-src "
    "'none'; "
    "base-uri 'none'; frame-ancestors 'none'";

bool is_compressible(std::string_view content_type) {
  return content_type.starts_with("text/") || content_type.starts_with("application/json") ||
         content_type == "image/svg+xml" || content_type == "application/wasm" || content_type == "application/xml" ||
         content_type == "application/manifest+json";
}

base::Result<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in.good() && !in.eof()) return base::failure(ErrorKind::io, Fault::tribune, "cannot read " + path.string());
  return bytes;
}

SiteFile make_file(std::string_view path, std::string bytes, const Compress& compress) {
  SiteFile file;
  file.content_type = content_type_of(path);
  file.cache_control = path.starts_with(kImmutableFolder) ? "public, max-age=31536000, immutable" : "no-cache";
  const auto mark = base::to_hex(base::sha256(bytes)).substr(0, kEtagDigits);
  file.etag = "\"" + mark + "\"";
  if (bytes.size() >= kLeastGzipBytes && is_compressible(file.content_type)) {
    if (auto packed = compress(bytes); !packed.empty() && packed.size() < bytes.size()) {
      file.gzip = base::share(std::move(packed));
      file.gzip_etag = "\"" + mark + "-gz\"";
    }
  }
  file.body = base::share(std::move(bytes));
  return file;
}

/// Relative links in the page of a folder are valid only at a URL that ends with '/'.
http::Response to_folder(const http::Request& request) {
  http::Response response;
  response.status = 308;
  response.headers.set("Location", request.path + "/");
  response.headers.set("Cache-Control", "no-cache");
  return response;
}

base::BytesSlice whole(const base::SharedBytes& bytes) { return {bytes, 0, bytes->size()}; }

}  // namespace

std::string_view content_type_of(std::string_view name) {
  for (const auto& [suffix, type] : kContentTypes)
    if (name.ends_with(suffix)) return type;
  return "application/octet-stream";
}

base::Result<std::shared_ptr<const Site>> Site::load(const fs::path& folder, const Compress& compress,
                                                     const SiteLimits& limits) {
  auto site = std::make_shared<Site>();
  std::error_code failed;
  fs::recursive_directory_iterator entry(folder, failed);
  for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    if (!fs::is_regular_file(entry->symlink_status(failed))) continue;
    const auto path = "/" + entry->path().lexically_relative(folder).generic_string();
    auto bytes = read_file(entry->path());
    if (!bytes) return tl::unexpected(bytes.error());
    site->bytes_ += bytes->size();
    if (site->bytes_ > limits.max_bytes || site->files_.size() == limits.max_files)
      return base::failure(ErrorKind::too_large, Fault::tribune,
                           fmt::format("{} contains more than {} files or {} bytes", folder.string(), limits.max_files,
                                       limits.max_bytes));
    site->files_.emplace(path, make_file(path, std::move(*bytes), compress));
  }
  if (failed)
    return base::failure(ErrorKind::io, Fault::tribune,
                         fmt::format("cannot read {}: {}", folder.string(), failed.message()));
  if (!site->find("/"))
    return base::failure(ErrorKind::not_found, Fault::tribune,
                         fmt::format("{} does not contain index.html", folder.string()));
  return site;
}

const SiteFile* Site::find(std::string_view path) const {
  auto name = http::percent_decode(path);
  if (!name || name->find('\0') != std::string::npos) return nullptr;
  if (name->ends_with('/')) *name += "index.html";
  const auto found = files_.find(*name);
  return found == files_.end() ? nullptr : &found->second;
}

http::Response Site::answer(const http::Request& request) const {
  const auto* file = find(request.path);
  if (!file && find(request.path + "/")) return to_folder(request);
  if (!file) return http::problem(http::problems::not_found, "The viewer page has no file with this name.");
  const bool packed = file->gzip && http::accepts_gzip(request.headers);
  const auto& etag = packed ? file->gzip_etag : file->etag;

  http::Response response;
  response.headers.set("ETag", etag);
  response.headers.set("Cache-Control", file->cache_control);
  if (file->gzip) response.headers.set("Vary", "Accept-Encoding");
  if (http::is_decided_by_conditions(request.headers, etag, response)) return response;
  response.headers.set("Content-Type", file->content_type);
  response.headers.set("X-Content-Type-Options", "nosniff");
  if (file->content_type.starts_with("text/html")) response.headers.set("Content-Security-Policy", kPagePolicy);
  if (packed) response.headers.set("Content-Encoding", "gzip");
  response.body = whole(packed ? file->gzip : file->body);
  return response;
}

}  // namespace tribune::web
