#include "net/server/output_buffer.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace tribune::net {
namespace {

constexpr std::size_t kCopiedBytes = 4 * 1024;  // below this size a copy costs less than a reference

struct SharedPart {
  base::SharedBytes bytes;
};

void append_shared(evbuffer* out, base::SharedBytes bytes, std::string_view view) {
  if (view.empty()) return;
  if (view.size() < kCopiedBytes) return append_bytes(out, view);
  auto* reference = new SharedPart{std::move(bytes)};
  const auto release = [](const void*, std::size_t, void* part) { delete static_cast<SharedPart*>(part); };
  if (evbuffer_add_reference(out, view.data(), view.size(), release, reference) == 0) return;
  delete reference;
  base::out_of_memory();
}

void append_file(evbuffer* out, const base::FileSlice& slice, std::uint64_t skip) {
  using FilePtr = std::shared_ptr<const base::File>;
  // The connection's output drains to a socket (EVBUFFER_FLAG_DRAINS_TO_FD), so libevent sends the segment by
  // sendfile.
  for (auto at = skip; at < slice.length;) {
    const auto size = std::min(slice.length - at, kMaxFileSegment);
    auto* segment = evbuffer_file_segment_new(slice.file->fd(), static_cast<ev_off_t>(slice.offset + at),
                                              static_cast<ev_off_t>(size), EVBUF_FS_DISABLE_MMAP);
    if (segment == nullptr) base::out_of_memory();
    auto* reference = new FilePtr(slice.file);
    evbuffer_file_segment_add_cleanup_cb(
        segment, [](const evbuffer_file_segment*, int, void* held) { delete static_cast<FilePtr*>(held); }, reference);
    // On failure libevent itself releases the segment.
    if (evbuffer_add_file_segment(out, segment, 0, static_cast<ev_off_t>(size)) != 0) base::out_of_memory();
    evbuffer_file_segment_free(segment);
    at += size;
  }
}

}  // namespace

void append_body(evbuffer* out, http::Body&& body, std::uint64_t skip) {
  if (auto* own = std::get_if<std::string>(&body)) {
    if (own->size() - skip < kCopiedBytes) return append_bytes(out, std::string_view(*own).substr(skip));
    auto shared = base::share(std::move(*own));
    const auto view = std::string_view(*shared).substr(skip);
    append_shared(out, std::move(shared), view);
  } else if (auto* slice = std::get_if<base::BytesSlice>(&body)) {
    const auto view = slice->view().substr(skip);
    append_shared(out, std::move(slice->bytes), view);
  } else if (const auto* file = std::get_if<base::FileSlice>(&body)) {
    append_file(out, *file, skip);
  }
}

}  // namespace tribune::net
