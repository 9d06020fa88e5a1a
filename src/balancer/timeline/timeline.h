#pragma once
// The numbering that viewers see, for one channel: it never goes backwards, whatever the source does. Pure; the times
// are given.
//
// What a refresh of one playlist (a track) can be
//   first         nothing was known of this track: it is taken as it is, or continues what a former process saved
//   newer         the same timeline, grown or unchanged
//   older_copy    the same timeline as another cache of the origin still has it: it ends earlier, its names are the
//   known
//                 ones, and what it lacks lasts at most kOlderCopy target durations. The last good one stays. When for
//                 that long nothing but older copies came, it is a restart after all
//   restarted     the end went back by more, or most of the known numbers have other names or dates now, or the numbers
//                 jumped ahead by more than time allows, twice
//   unconfirmed   the numbers jumped ahead by more than time allows, or begin above kLargestFirst, once: the last good
//   one stays
//
// A restart opens a generation of the channel: a new epoch (part of every link, so a reused file name never shows the
// old match) and new shifts, above everything that any track has listed. Tracks that see the restart later join the
// generation that the first one opened, so that one number means one moment in all of them. The old tail stays listed,
// joined by EXT-X-DISCONTINUITY, until the window has passed it.
//
// The channel's origins may number and name the same media differently. A restart that comes with a change of the
// origin is therefore compared with what was listed: by dates, else by names and durations (origin_alignment.cpp). When
// the two overlap, or one follows the other at once, the new generation goes on with the old numbers and without a
// discontinuity. When a few segments are missing between them, at most hls::kMaxHole, it goes on too, and these are
// listed as gaps (EXT-X-GAP).

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "hls/playlist.h"

namespace tribune::balancer {

/// In target durations.
inline constexpr int kOlderCopy = 3;

/// Numbers above this one are taken from a new track only when a second playlist confirms them, and then as if the
/// track had restarted. Numbers of a clock in milliseconds are below it.
inline constexpr std::int64_t kLargestFirst = 100'000'000'000'000;

/// How long a playlist's segments last; 30 days at most.
std::chrono::milliseconds span_of(const hls::Playlist&);

struct Generation {
  std::string epoch;           // 1 to 16 of a-z 0-9
  std::int64_t msn_shift = 0;  // viewers' MSN - source's MSN
  std::int64_t discontinuity_shift = 0;
  base::SteadyTime opened{};
  std::size_t origin = 0;  // whose names its segments have: 0 the source's own, n the n-th backup's
  bool goes_on = false;    // the same media as the generation before
};

/// Owned by one worker.
class Timeline {
 public:
  /// `new_epoch` gives an id that was never used.
  explicit Timeline(std::function<std::string()> new_epoch) : new_epoch_(std::move(new_epoch)) {}

  enum class Verdict { first, newer, older_copy, restarted, unconfirmed };

  struct Outcome {
    Verdict verdict{};
    std::shared_ptr<const hls::Playlist>
        playlist;  // in viewers' numbering; null for an older copy and what is not confirmed
  };

  /// A good media playlist of the source, fetched from that origin (as Generation::origin). `expires` and `pace_kbps`
  /// are those of links that are listed first now. Errors: no segments, or nothing in it that may be shown.
  base::Result<Outcome> observe(const std::string& track, const hls::Playlist& source, std::int64_t expires,
                                base::SteadyTime now, const hls::Limits& limits = {}, std::size_t origin = 0,
                                std::int64_t pace_kbps = 0);

  /// Opens the first generation, when there is none.
  void begin(base::SteadyTime now);

  /// Of a segment's or URI's `generation`.
  const Generation& generation(std::uint32_t index) const;
  /// The newest; its epoch is empty before the first playlist.
  const Generation& current() const;
  /// When the links of this MSN expire: fixed when the track listed it first.
  std::int64_t expiry(const std::string& track, std::int64_t msn) const { return terms(track, msn).expires; }
  /// At which pace they are sent: fixed in the same way.
  std::int64_t pace_kbps(const std::string& track, std::int64_t msn) const { return terms(track, msn).pace_kbps; }
  /// The links that a track lists.
  struct Links {
    std::int64_t oldest = 0;                     // their first expiry, in unix seconds
    std::chrono::milliseconds span{0};           // how long what it lists lasts
    std::optional<base::SteadyTime> live_until;  // when it was seen last without an end
  };
  std::optional<Links> links(const std::string& track) const;
  std::vector<std::string> tracks() const;
  /// Gives all that a track lists a new expiry: only for one that has ended, whose players do not load it again.
  void renew(const std::string& track, std::int64_t expires, std::int64_t pace_kbps = 0);
  /// A track that nobody can ask for any more. What it listed stays below what is listed later.
  void forget(const std::string& track);

  // What must survive this process: one record for the channel and one for each track. Damaged ones are ignored.
  std::string save_channel(base::SteadyTime now, base::WallTime wall) const;
  std::string save_track(const std::string& track, base::SteadyTime now, base::WallTime wall) const;
  void load_channel(std::string_view record, base::SteadyTime now, base::WallTime wall);
  void load_track(const std::string& track, std::string_view record, base::SteadyTime now, base::WallTime wall);

 private:
  /// A segment of the source as it was listed.
  struct Seen {
    std::uint64_t name = 0;          // hash of the path and byte range
    std::int64_t discontinuity = 0;  // as viewers see it
    std::int64_t date_ms = 0;        // EXT-X-PROGRAM-DATE-TIME, or 0
    std::int64_t duration_us = 0;
  };
  /// What links from this MSN on carry.
  struct LinkTerms {
    std::int64_t first_msn = 0;
    std::int64_t expires = 0;
    std::int64_t pace_kbps = 0;
  };
  /// Numbers that a second playlist must confirm.
  struct Jump {
    std::int64_t first;
    std::int64_t end;
    base::SteadyTime at;
  };
  struct Track {
    bool known = false;
    std::uint32_t generation = 0;
    std::size_t origin = 0;       // where the last playlist came from
    std::int64_t seen_first = 0;  // source's MSN of seen[0]
    std::vector<Seen> seen;
    std::int32_t trailing_parts = 0;
    std::int64_t discontinuity_shift = 0;
    std::int64_t floor = 0;      // viewers' MSN: nothing of this generation below it
    std::int64_t first = 0;      // viewers' MSN listed first, last time
    std::int64_t listed_to = 0;  // viewers' MSN: nothing was listed from here on
    std::int64_t last_discontinuity = 0;
    base::SteadyTime changed{};
    std::optional<base::SteadyTime> only_older_since;
    std::optional<Jump> jump;  // source's numbers, as they came last
    std::vector<LinkTerms> terms;
    std::chrono::milliseconds span{0};  // of what was listed last
    std::optional<base::SteadyTime> live_until;
    std::shared_ptr<const hls::Playlist> last;  // what viewers saw last
    std::shared_ptr<const hls::Playlist>
        tail;                      // of the generations before, and what has left the source's window since
    std::int64_t tail_window = 0;  // numbers listed while the tail is; 0: not known yet

    std::int64_t seen_end() const { return seen_first + static_cast<std::int64_t>(seen.size()); }
    const Seen* find(std::int64_t msn) const;
  };

  LinkTerms terms(const std::string& track, std::int64_t msn) const;

  // restart_detection.cpp
  static Seen seen_as(const hls::Playlist&, const hls::Segment&, std::int64_t discontinuity_shift);
  /// Whether the segment's name counts so many on from that one's.
  static bool is_named_before(const hls::Playlist&, const hls::Segment&, std::int64_t back, const Seen&);
  Verdict judge(Track&, const hls::Playlist&, base::SteadyTime now, std::size_t origin) const;
  bool is_older_copy(const Track&, const hls::Playlist&) const;
  static bool mostly_differs(const Track&, const hls::Playlist&);
  /// Whether the playlist goes on from a jump that was seen before; remembers it otherwise.
  static bool is_confirmed(Track&, const hls::Playlist&, base::SteadyTime now);
  bool is_out_of_range(const hls::Playlist&) const;
  static bool jumped_too_far(const Track&, const hls::Playlist&, base::SteadyTime now);

  // origin_alignment.cpp
  /// By how much the source's numbers must rise to be those that the track has seen; nothing when they do not meet.
  static std::optional<std::int64_t> offset_to(const Track&, const hls::Playlist&);
  /// The same when the source begins some segments later than the track has seen.
  static std::optional<std::int64_t> offset_over_hole(const Track&, const hls::Playlist&);
  /// Makes the generation go on with the track's own numbers, when the playlist does.
  void go_on(const Track&, const hls::Playlist&, Generation&) const;
  /// Whether the generation goes on and the playlist ends where this track's viewers are already.
  static bool lags_behind(const Track&, const hls::Playlist&, const Generation&);

  // timeline.cpp
  Generation next_generation(const hls::Playlist&, base::SteadyTime now, const Track& cause, std::size_t origin) const;
  void open_generation(Generation);
  void enter_generation(Track&);
  /// The source behind the tail; null when the window has passed the tail, or the two cannot be joined.
  std::shared_ptr<const hls::Playlist> behind_tail(Track&, const hls::Playlist& source, hls::Joint,
                                                   const hls::Limits&) const;
  base::Result<std::shared_ptr<const hls::Playlist>> for_viewers(Track&, const hls::Playlist&, const hls::Limits&);
  void remember(Track&, const hls::Playlist& source, std::shared_ptr<const hls::Playlist> shown, const LinkTerms&,
                base::SteadyTime now);

  std::function<std::string()> new_epoch_;
  std::map<std::uint32_t, Generation> generations_;
  std::int64_t forgotten_to_ = 0;  // the numbers that forgotten tracks had listed
  std::int64_t forgotten_discontinuity_ = 0;
  std::map<std::string, Track> tracks_;
};

}  // namespace tribune::balancer
