#pragma once
// Playlists as viewers receive them: the text with its links, compressed once, with its ETag.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/sources/rendered_playlists.h"
#include "balancer/sources/source_links.h"
#include "balancer/sources/source_snapshot.h"
#include "base/metrics.h"
#include "hls/media/media_facts.h"
#include "hls/playlist.h"

namespace tribune::balancer {

/// The text of a media playlist for viewers with these pins: the link of a segment names the node of its MSN's pin.
std::string media_text(const hls::Playlist&, const std::vector<SourceLinkPtr>&, const LinkPins&);

/// A body with its compressed form and their ETags.
std::shared_ptr<const Rendered> rendered(std::string text);

/// A media playlist whose rendered texts are cached in RenderedPlaylists. Immutable; const methods from any thread.
class MediaSnapshot final : public SourceSnapshot {
 public:
  MediaSnapshot(std::shared_ptr<const hls::Playlist>, std::vector<SourceLinkPtr>, base::WallTime confirmed_at,
                base::Counter renders, std::shared_ptr<RenderedPlaylists> texts, bool is_variant = false);
  ~MediaSnapshot() override;

  bool is_multivariant() const override { return false; }
  std::int64_t first_msn() const override { return playlist_->media_sequence; }
  std::int64_t next_msn() const override { return playlist_->next_msn(); }
  std::chrono::milliseconds target_duration() const override { return playlist_->target_duration; }
  bool ended() const override { return playlist_->ended; }
  std::optional<std::uint64_t> variant_version() const override {
    return is_variant_ ? std::optional<std::uint64_t>(playlist_->end_msn()) : std::nullopt;
  }
  base::WallTime confirmed_at() const override { return confirmed_at_; }
  std::shared_ptr<const Rendered> render(const LinkPins&) const override;
  std::string text_for_bare_url(std::string_view token) const override;
  bool lists(const BlockingReload& want) const override {
    return playlist_->ended || want.is_in(playlist_->end_msn(), playlist_->trailing_parts);
  }

 private:
  std::shared_ptr<const Rendered> build(const LinkPins&) const;

  std::shared_ptr<const hls::Playlist> playlist_;
  std::vector<SourceLinkPtr> links_;
  base::WallTime confirmed_at_;
  mutable base::Counter renders_;
  std::shared_ptr<RenderedPlaylists> texts_;
  std::uint64_t owner_;  // of its entries in texts_
  bool is_variant_;
};

/// The variant of a source without a multivariant playlist. Unknown numbers are 0.
struct OnlyVariant {
  std::int64_t bandwidth_bps = 0;  // never 0
  std::int64_t average_bandwidth_bps = 0;
  hls::MediaFacts media = {};
};

/// A multivariant playlist. Immutable; const methods from any thread.
class MultivariantSnapshot final : public SourceSnapshot {
 public:
  MultivariantSnapshot(const hls::Playlist&, const std::vector<SourceLinkPtr>&, base::WallTime confirmed_at);
  /// For a source without a multivariant playlist: one variant, whose playlist is at kOnlyMediaPath.
  MultivariantSnapshot(const OnlyVariant&, base::WallTime confirmed_at);

  bool is_multivariant() const override { return true; }
  std::int64_t first_msn() const override { return 0; }
  std::int64_t next_msn() const override { return 0; }
  std::chrono::milliseconds target_duration() const override { return std::chrono::milliseconds{0}; }
  bool ended() const override { return false; }
  base::WallTime confirmed_at() const override { return confirmed_at_; }
  std::shared_ptr<const Rendered> render(const LinkPins&) const override { return rendered_; }
  std::string text_for_bare_url(std::string_view token) const override;

 private:
  std::vector<std::string> pieces_;  // of the text, split before each reference into the session
  base::WallTime confirmed_at_;
  std::shared_ptr<const Rendered> rendered_;
};

}  // namespace tribune::balancer
