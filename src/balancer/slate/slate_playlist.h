#pragma once
// The text of the playlist of a waiting viewer, and of a viewer whose ticket was called. Pure functions.
//
// Time is divided into slots of the slate's segment duration. The number of a slot is the MSN of its segment, for every
// viewer and every balancer with the same clock. All waiting viewers therefore share one text, and no state of them is
// kept.
//
//   waiting            … | slate 7 | slate 8 | slate 9 |
//   after transition   … | slate 8 | slate 9 | EXT-X-DISCONTINUITY | programme 5031 as MSN 10 | 5032 as 11 …
//
// A transition fixes the slot of the programme's first segment. From then on this viewer's numbers are the programme's,
// shifted. The last slate segments leave the playlist as programme segments are added.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "balancer/slate/slate.h"
#include "base/clock.h"
#include "base/result.h"
#include "hls/limits.h"

namespace tribune::balancer {

/// Segments in the playlist of a waiting viewer.
inline constexpr std::int64_t kSlateWindow = 6;

/// The slot of a time. Slot 0 began in 2024, which keeps the numbers below 2^31 for decades.
std::int64_t slot_at(std::chrono::milliseconds slot, base::WallTime);
base::WallTime begin_of_slot(std::chrono::milliseconds slot, std::int64_t number);

/// The change of one viewer's playlists from the slate to the programme; the same for all renditions, and permanent.
struct SlateTransition {
  std::int64_t slot = 0;                     // the viewer's MSN of the programme's first segment; slate before it
  std::int64_t msn = 0;                      // the programme's MSN of that segment
  std::int64_t discontinuity = 0;            // the viewer's discontinuity sequence of that segment
  std::int64_t programme_discontinuity = 0;  // the programme's

  std::int64_t msn_shift() const { return slot - msn; }
  bool operator==(const SlateTransition&) const = default;
};

/// The playlist of the slots [end - kSlateWindow, end).
std::string slate_text(const Slate&, const SlateRendition&, std::int64_t end);

/// A transition at slot `now` to the programme whose media playlist is `programme`. It begins with the newest segment,
/// which keeps the distance to the live edge. `limits` are the channel's limits of its source; the text, which this
/// balancer made, may be longer because of its links. Errors: a text without segments.
base::Result<SlateTransition> transition_at(const Slate&, std::int64_t now, std::string_view programme,
                                            const hls::Limits& = {});

/// The playlist after a transition. Without `slate` and `rendition` the last slate segments are left out. Errors: a
/// programme that cannot be parsed.
base::Result<std::string> text_after_transition(const Slate* slate, const SlateRendition* rendition,
                                                const SlateTransition&, std::string_view programme,
                                                const hls::Limits& = {});

/// The query of a viewer after a transition in the programme's numbering: _HLS_msn is shifted, other keys are
/// unchanged.
std::string query_after_transition(std::string_view query, const SlateTransition&);

}  // namespace tribune::balancer
