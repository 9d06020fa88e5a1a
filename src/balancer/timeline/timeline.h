#pragma once
// The numbering of one channel for viewers. It never decreases, whatever the source does. Pure; times are passed in.
//
// Verdicts on a refresh of one playlist (a track)
//   first         nothing is known of the track: it is accepted as it is, or continues what a former process saved
//   newer         the same timeline, longer or unchanged
//   older_copy    the same timeline from another cache of the origin: it ends earlier, its names are the known ones,
//                 and at most kOlderCopy target durations are missing. The last good playlist stays. When only older
//                 copies arrive for that long, it is a restart
//   unconfirmed   another timeline: the end went back by more, or most of the known numbers have other names or dates
//   now,
//                 or the numbers jumped ahead by more than time allows. A single stale response of a cache looks the
//                 same, so the last good playlist stays
//   restarted     two responses in a row are of the same other timeline, the second is longer, and none of the known
//   one
//                 came between. A source whose responses alternated between two timelines within the last kMixedFor
//                 target durations must stay on the other one for kMixedConfirmation of them
//
// Of a restart only the live edge (kLiveEdge target durations) is appended: what is older was missed. It opens a
// generation of the channel: a new epoch (part of every link, so that a reused file name never shows the former
// content) and new shifts, above everything that any track has listed. Tracks that see the restart later join the
// generation that the first one opened, so that one number is the same media time in all of them. The old tail stays
// listed, joined by EXT-X-DISCONTINUITY, until the window has passed it.
//
// The origins of a channel, and the packagers behind one URL, may number and name the same media differently. A restart
// is therefore compared with what was listed: by dates, and when it comes with a change of the origin otherwise by
// names and durations (origin_alignment.cpp). A packager that begins again reuses its names, and a looped playout its
// names and durations, so these identify nothing without a change of the origin. When the two overlap or are adjacent,
// the new generation continues the old numbers without a discontinuity. When at most hls::kMaxHole segments are missing
// between them, it continues as well, and these are listed as gaps (EXT-X-GAP).
//
// A distrusted origin (distrust) has other files under the names of the source. A change from or to it is a restart
// that needs no confirmation, and names identify nothing; dates show whether it has the same media.
//
// Another source of the channel (use_source) opens a generation, too, which its first playlist places above everything
// that was listed. It needs no confirmation. It continues the old numbers only when dates, names and durations are
// equal, because another encoder may have nearly the same dates, and another film the same names. The old tail stays
// listed when both have a sliding window; a source that keeps its segments (VOD, EVENT) is listed completely and alone.

// A former process may have listed more than its records say, because the disk was full. Others have seen what it
// listed (continue_above). A numbering that the records do not know is not guessed: a new generation begins above it.
// Until the source is seen to continue the recorded numbers, a restart leaves out kUnseen numbers, or as many as the
// age of the record allows, whichever applies.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "hls/playlist.h"

namespace tribune::balancer {

/// The largest lag of an older copy, and the time for which only older copies are accepted, in target durations.
inline constexpr int kOlderCopy = 3;
/// The same for a timeline whose dates show that it is the known media, in target durations.
inline constexpr int kDatedCopy = 10;

/// Of a restarted source, only this many target durations at its end are listed.
inline constexpr int kLiveEdge = 3;

/// In target durations: how long a source is mistrusted that sent two timelines in turn, and for how long only the
/// other one must come until it is believed then.
inline constexpr int kMixedFor = 60;
inline constexpr int kMixedConfirmation = 4;

/// Larger numbers of a new track are accepted only when a second playlist confirms them, and then as a restart of the
/// track. Numbers that are derived from a clock in milliseconds are smaller.
inline constexpr std::int64_t kLargestFirst = 100'000'000'000'000;

/// Numbers that a process may have listed after others heard of its numbers for the last time: a second of segments,
/// and the live edge of a source that restarted in it.
inline constexpr std::int64_t kUnseen = 1'000;
/// A record of this age may be the last one of a process whose disk was full since. Of each such second so many numbers
/// may have been listed: the segments of a live source are longer than 250 ms on average.
inline constexpr std::chrono::seconds kRecordIsRecent{30};
inline constexpr std::int64_t kListedPerSecond = 4;

/// The duration of a playlist's segments; at most 30 days.
std::chrono::milliseconds span_of(const hls::Playlist&);

struct Generation {
  std::string epoch;           // 1 to 16 of a-z 0-9
  std::int64_t msn_shift = 0;  // viewers' MSN - source's MSN
  std::int64_t discontinuity_shift = 0;
  base::SteadyTime opened{};
  std::size_t origin = 0;  // the origin of its segments' names: 0 is the source's own, n the n-th backup
  bool goes_on = false;    // it continues the media of the generation before
  std::int64_t first = 0;  // in viewers' numbering: it lists nothing below it
  bool is_placed = true;   // false: its first playlist determines its numbers
};

/// Owned by one worker.
class Timeline {
 public:
  /// `new_epoch` returns an id that was never used, for segments that are named at that origin (Generation::origin).
  explicit Timeline(std::function<std::string(std::size_t origin)> new_epoch) : new_epoch_(std::move(new_epoch)) {}

  enum class Verdict { first, newer, older_copy, restarted, unconfirmed };

  struct Outcome {
    Verdict verdict{};
    std::shared_ptr<const hls::Playlist>
        playlist;  // in the numbering of viewers; null for an older copy and an unconfirmed playlist
  };

  /// Processes a good media playlist of the source, fetched from that origin (as Generation::origin). `expires` and
  /// `pace_kbps` apply to the links that are first listed now. Errors: no segments, or none that may be shown.
  base::Result<Outcome> observe(const std::string& track, const hls::Playlist& source, std::int64_t expires,
                                base::SteadyTime now, const hls::Limits& limits = {}, std::size_t origin = 0,
                                std::int64_t pace_kbps = 0);

  /// Opens the first generation when there is none.
  void begin(base::SteadyTime now);

  /// The source of all further playlists, by an id that is saved. Opens a generation when the former one had another
  /// id, or when the links of the new one need another epoch; returns whether it did.
  bool use_source(std::string id, bool keeps_epoch, base::SteadyTime now);
  /// The origins, as Generation::origin, at which the names of the source mean other files. A change from or to one of
  /// them is a restart of the source, whatever its names are.
  void distrust(std::set<std::size_t> origins) { distrusted_ = std::move(origins); }
  /// No former playlist is served any more: another timeline of the source needs no confirmation once.
  void expect_restart();

  /// Where the numbering stands: nothing was listed from `next_msn` on.
  struct Standing {
    std::string epoch;
    std::int64_t next_msn = 0;
    std::int64_t discontinuity = 0;  // the largest that was listed
  };
  Standing standing() const;
  /// What a former process had listed, as others have seen it. When its epoch is not among the loaded ones, its
  /// numbering is lost: the tracks are forgotten, and a generation above it is opened. Returns whether it was.
  bool continue_above(const Standing& former, base::SteadyTime now);

  /// Changes with what save_channel() returns, except for forgotten tracks.
  std::int64_t revision() const { return revision_; }

  /// The generation with the index of a segment's or URI's `generation`.
  const Generation& generation(std::uint32_t index) const;
  /// The newest generation; its epoch is empty before the first playlist.
  const Generation& current() const;
  /// When the links of this MSN expire. Fixed when the track first listed it.
  std::int64_t expiry(const std::string& track, std::int64_t msn) const { return terms(track, msn).expires; }
  /// The pace at which they are sent. Fixed in the same way.
  std::int64_t pace_kbps(const std::string& track, std::int64_t msn) const { return terms(track, msn).pace_kbps; }
  /// The links that a track lists.
  struct Links {
    std::int64_t oldest = 0;                     // the earliest expiry, in unix seconds
    std::chrono::milliseconds span{0};           // the duration of what it lists
    std::optional<base::SteadyTime> live_until;  // when it was last seen without an end
    bool keeps_all = false;                      // a live EVENT playlist, from which no segment leaves
  };
  std::optional<Links> links(const std::string& track) const;
  /// Whether the last playlist of the track, from the present source, had no end.
  bool is_live(const std::string& track) const;
  std::vector<std::string> tracks() const;
  /// Gives everything that a track lists a new expiry. Only for an ended track, whose players do not load it again.
  void renew(const std::string& track, std::int64_t expires, std::int64_t pace_kbps = 0);
  /// Removes a track that cannot be requested any more. Later numbers stay above those that it listed.
  void forget(const std::string& track);

  // The state that survives this process: one record for the channel and one for each track. Damaged ones are ignored.
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
  /// The terms of the links from this MSN on.
  struct LinkTerms {
    std::int64_t first_msn = 0;
    std::int64_t expires = 0;
    std::int64_t pace_kbps = 0;
  };
  /// Another timeline of the source, which a further playlist must confirm.
  struct Jump {
    std::int64_t first;
    std::int64_t end;
    std::int32_t trailing_parts;
    base::SteadyTime at;  // of the first playlist
    std::uint64_t name;   // of its last segment
  };
  struct Track {
    bool known = false;
    bool may_restart = false;  // another timeline needs no confirmation
    std::uint32_t generation = 0;
    std::size_t origin = 0;       // of the last playlist
    std::int64_t seen_first = 0;  // source's MSN of seen[0]
    std::vector<Seen> seen;
    std::int32_t trailing_parts = 0;
    std::int64_t discontinuity_shift = 0;
    std::int64_t floor = 0;      // in viewers' numbering: this generation lists nothing below it
    std::int64_t first = 0;      // in viewers' numbering: the first of the last playlist
    std::int64_t listed_to = 0;  // in viewers' numbering: nothing was listed from here on
    std::int64_t last_discontinuity = 0;
    base::SteadyTime changed{};
    std::optional<base::SteadyTime> only_older_since;
    std::optional<Jump> jump;               // in the source's numbering, as last received
    std::optional<base::SteadyTime> mixed;  // when the known timeline returned after another one
    std::vector<LinkTerms> terms;
    std::chrono::milliseconds span{0};  // of the last playlist
    std::optional<base::SteadyTime> live_until;
    bool keeps_all = false;
    bool has_ended = false;
    std::shared_ptr<const hls::Playlist> last;  // the last playlist of viewers
    std::shared_ptr<const hls::Playlist> tail;  // of former generations, and of what has left the source's window since
    std::int64_t tail_window = 0;               // numbers listed while the tail is; 0: unknown

    std::int64_t seen_end() const { return seen_first + static_cast<std::int64_t>(seen.size()); }
    const Seen* find(std::int64_t msn) const;
  };

  LinkTerms terms(const std::string& track, std::int64_t msn) const;

  // restart_detection.cpp
  static Seen seen_as(const hls::Playlist&, const hls::Segment&, std::int64_t discontinuity_shift);
  /// Whether the segment's name is the one of the Seen with one of its numbers increased by `back`.
  static bool is_named_before(const hls::Playlist&, const hls::Segment&, std::int64_t back, const Seen&);
  Verdict classify(Track&, const hls::Playlist&, base::SteadyTime now, std::size_t origin) const;
  bool is_older_copy(const Track&, const hls::Playlist&) const;
  static bool mostly_differs(const Track&, const hls::Playlist&);
  /// Whether the playlist continues a jump that was seen before; otherwise remembers the jump. `is_ahead`: the numbers
  /// went ahead, so that no older copy can look like it, and an unchanged playlist confirms it after a target duration.
  static bool is_confirmed(Track&, const hls::Playlist&, base::SteadyTime now, bool is_ahead);
  /// Whether the name of a segment that the jump had is another one now: names of this source identify nothing.
  static bool is_renamed(const Jump&, const hls::Playlist&);
  bool is_out_of_range(const hls::Playlist&) const;
  static bool jumped_too_far(const Track&, const hls::Playlist&, base::SteadyTime now);

  // origin_alignment.cpp
  /// What shows that a playlist has the media that the track has seen: dates; after a change of the origin otherwise
  /// names and durations or offset_over_gap(), of which a distrusted origin has the dates alone; after a change of the
  /// source that all segments of one name are copies.
  enum class Evidence { dates, dates_elsewhere, any, all };
  static bool is_copy(const Seen&, const Seen&);
  /// The offset from the source's numbers to those that the track has seen; nullopt without that evidence.
  static std::optional<std::int64_t> offset_to(const Track&, const hls::Playlist&, Evidence);
  /// The same for a source that begins 1 to hls::kMaxHole segments after those that the track has seen.
  static std::optional<std::int64_t> offset_over_gap(const Track&, const hls::Playlist&, Evidence);
  /// Makes the generation continue the track's numbers when the playlist does.
  void continue_numbering(const Track&, const hls::Playlist&, Generation&, Evidence) const;
  /// Whether the generation continues and the playlist ends where this track's viewers already are.
  static bool lags_behind(const Track&, const hls::Playlist&, const Generation&);

  // timeline_record.cpp
  /// Whether a former process listed this track, or may have, and what the record says of it does not suffice to
  /// continue: it is lost, or older than what was listed while the source is behind that, too.
  bool is_lost(const std::string& track, const hls::Playlist& source) const;
  /// A generation whose first playlist places it above everything that was listed.
  void open_unplaced(base::SteadyTime now);
  static std::int64_t listed_since(const Track&, base::SteadyTime now);

  // timeline.cpp
  Generation next_generation(const hls::Playlist&, base::SteadyTime now, const Track& cause, std::size_t origin,
                             bool may_continue = true) const;
  void open_generation(Generation);
  void name_newest_at(std::size_t origin);
  /// Whether the names of what the track lists mean other files at that origin.
  bool has_other_files(const Track&, std::size_t origin) const;
  void on_numbered();
  bool is_of_former_source(const Track& track) const { return track.known && track.generation < source_since_; }
  Verdict enter_source(Track&, const hls::Playlist&);
  void enter_generation(Track&);
  /// The source appended to the tail; null when the window has passed the tail, or when the two cannot be joined.
  std::shared_ptr<const hls::Playlist> append_to_tail(Track&, const hls::Playlist& source, hls::Joint,
                                                      const hls::Limits&) const;
  base::Result<std::shared_ptr<const hls::Playlist>> for_viewers(Track&, const hls::Playlist&, const hls::Limits&);
  void remember(Track&, const hls::Playlist& source, std::shared_ptr<const hls::Playlist> shown, const LinkTerms&,
                base::SteadyTime now);

  std::function<std::string(std::size_t origin)> new_epoch_;
  std::map<std::uint32_t, Generation> generations_;
  std::set<std::size_t> distrusted_;
  std::string source_;              // empty: a record of a former version does not name it
  std::uint32_t source_since_ = 0;  // the index of its first generation
  std::int64_t revision_ = 0;
  std::int64_t forgotten_to_ = 0;  // the end of the numbers that forgotten tracks have listed
  std::int64_t forgotten_discontinuity_ = 0;
  std::int64_t former_end_ = 0;  // the end of the numbers that a former process listed, as far as known
  std::int64_t former_discontinuity_ = 0;
  std::int64_t unseen_ = 0;   // > 0: a former process listed more than its records say, perhaps so many numbers more
  bool is_continued_ = true;  // false: loaded, and the source was not seen to continue the loaded numbers yet
  std::map<std::string, Track> tracks_;
};

}  // namespace tribune::balancer
