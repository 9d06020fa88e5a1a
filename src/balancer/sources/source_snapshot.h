#pragma once
// One state of a source playlist, ready to be rendered for viewers. A refresh makes a new snapshot; readers of the
// old one are not affected.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace tribune::balancer {

/// What a blocking reload waits for (RFC 8216bis section 6.2.5.2).
struct BlockingReload {
  std::int64_t msn = 0;
  std::optional<std::int64_t> part;

  /// Whether a playlist that ends before `end_msn`, with that many parts of it, contains it.
  bool is_in(std::int64_t end_msn, std::int32_t trailing_parts) const {
    return msn < end_msn || (part && msn == end_msn && *part < trailing_parts);
  }
};

/// From `first_msn` on, links of segments name the node at `node_url` ("http://host:port", as its heartbeat states).
/// Empty: they name this balancer, which responds with a 307.
struct LinkPin {
  std::int64_t first_msn = 0;
  std::string node_url;
  bool operator==(const LinkPin&) const = default;
};

/// Ascending by MSN; the first pin also covers everything before it. Empty: links relative to the balancer, which
/// responds with a 307 ("redirect").
using LinkPins = std::vector<LinkPin>;

/// A playlist as viewers receive it. Immutable; shared by all viewers with the same pins.
struct Rendered {
  base::SharedBytes body;
  base::SharedBytes gzip;  // null when compression does not reduce the size
  std::string etag;        // strong, with quotes
  std::string gzip_etag;   // of the compressed representation
};

/// Immutable; const methods from any thread. Rendered texts are cached, behind a lock that covers only the lookup; each
/// is rendered once.
class SourceSnapshot {
 public:
  virtual ~SourceSnapshot() = default;

  virtual bool is_multivariant() const = 0;

  // For a media playlist, in the numbering of viewers:
  virtual std::int64_t first_msn() const = 0;
  /// The first MSN that this playlist does not name, not even by a part or a preload hint. New pins begin there.
  virtual std::int64_t next_msn() const = 0;
  virtual std::chrono::milliseconds target_duration() const = 0;
  virtual bool ended() const = 0;

  /// Of a variant stream: the MSN after its last segment. nullopt for a rendition such as audio or subtitles, which a
  /// player fetches beside a variant stream.
  virtual std::optional<std::uint64_t> variant_version() const { return std::nullopt; }

  /// When the origin first delivered this text.
  virtual base::WallTime confirmed_at() const = 0;

  /// The playlist at `/live/{channel}/~{session}/{path}`. Pins have no effect on a multivariant playlist: pass {}.
  virtual std::shared_ptr<const Rendered> render(const LinkPins&) const = 0;

  /// The multivariant playlist at `/live/{channel}/index.m3u8`: the URI of every child begins with `~{token}/`.
  virtual std::string text_for_bare_url(std::string_view token) const = 0;

  /// Whether this snapshot satisfies the blocking reload.
  virtual bool lists(const BlockingReload&) const { return true; }
};

using SnapshotPtr = std::shared_ptr<const SourceSnapshot>;

}  // namespace tribune::balancer
