#pragma once
// What the balancer knows of one source playlist at one moment, ready to be rendered for viewers. A new refresh makes a
// new snapshot; viewers who hold the old one are not disturbed.

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

class FollowingNodes;
class SnapshotHold;

/// What a blocking reload waits for (RFC 8216bis section 6.2.5.2).
struct BlockingReload {
  std::int64_t msn = 0;
  std::optional<std::int64_t> part;

  /// In a playlist that ends before `end_msn`, and with that many parts of it.
  bool is_in(std::int64_t end_msn, std::int32_t trailing_parts) const {
    return msn < end_msn || (part && msn == end_msn && *part < trailing_parts);
  }
};

/// From `first_msn` on, segments come from the node at `node_url` ("http://host:port", as its heartbeat says); empty:
/// from this balancer, which answers each with a 307.
struct LinkPin {
  std::int64_t first_msn = 0;
  std::string node_url;
  bool operator==(const LinkPin&) const = default;
};

/// Ascending by MSN; the first pin covers everything before it too. Empty: links relative to the balancer, which
/// answers each with a 307 ("redirect").
using LinkPins = std::vector<LinkPin>;

/// A playlist as viewers get it. Immutable; shared by all viewers with the same pins.
struct Rendered {
  base::SharedBytes body;
  base::SharedBytes gzip;  // null when compression does not pay
  std::string etag;        // strong, with quotes
  std::string gzip_etag;   // of the compressed representation
};

/// Immutable; const methods from any thread. The renderings made so far are kept inside, behind a lock that covers the
/// lookup only; each is built once.
class SourceSnapshot {
 public:
  virtual ~SourceSnapshot() = default;

  virtual bool is_multivariant() const = 0;

  // Of a media playlist, in viewers' numbering:
  virtual std::int64_t first_msn() const = 0;
  /// The first MSN that this playlist does not name at all, not even by a part or preload hint: where a new pin begins.
  virtual std::int64_t next_msn() const = 0;
  virtual std::chrono::milliseconds target_duration() const = 0;
  virtual bool ended() const = 0;

  /// When the origin first gave this text.
  virtual base::WallTime confirmed_at() const = 0;

  /// The playlist at `/live/{channel}/~{session}/{path}`. Pins do not matter to a multivariant playlist: pass {}.
  virtual std::shared_ptr<const Rendered> render(const LinkPins&) const = 0;

  /// A multivariant playlist at the bare URL `/live/{channel}/index.m3u8`: every child is named under `~{token}/`.
  virtual std::string text_for_bare_url(std::string_view token) const = 0;

  /// Whether a reload that waits for this need not wait any more.
  virtual bool lists(const BlockingReload&) const { return true; }

  // Null for a multivariant playlist:
  /// Who is told of the segments to come.
  virtual FollowingNodes* audience() const { return nullptr; }
  /// Who does not see this playlist's newest yet.
  virtual SnapshotHold* gate() const { return nullptr; }
};

using SnapshotPtr = std::shared_ptr<const SourceSnapshot>;

}  // namespace tribune::balancer
