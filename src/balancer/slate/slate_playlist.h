#pragma once
// The text of a playlist whose viewer waits, and of one whose viewer was called. Pure functions.
//
// Time is cut into slots of the slate's segment duration; the number of a slot is the MSN of its segment, for every
// viewer and every balancer with the same clock. So a million who wait share one text, and nothing about them must be
// remembered.
//
//   waits    … | slate 7 | slate 8 | slate 9 |
//   turned   … | slate 8 | slate 9 | EXT-X-DISCONTINUITY | programme 5031 as MSN 10 | 5032 as 11 …
//
// A turn fixes which slot the programme's first segment takes the place of. From then on this viewer's numbers are the
// programme's, shifted. The last slate segments leave the playlist one by one as the programme's come.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "balancer/slate/slate.h"
#include "base/clock.h"
#include "base/result.h"
#include "hls/limits.h"

namespace tribune::balancer {

/// Segments that a waiting viewer's playlist lists.
inline constexpr std::int64_t kSlateWindow = 6;

/// The slot of a time; slot 0 began in 2024, which keeps the numbers below 2^31 for decades.
std::int64_t slot_at(std::chrono::milliseconds slot, base::WallTime);
base::WallTime begin_of_slot(std::chrono::milliseconds slot, std::int64_t number);

/// How one viewer's playlists turned into the programme; the same for all renditions, for ever.
struct Turn {
  std::int64_t slot = 0;                     // the viewer's MSN of the programme's first segment; slate before it
  std::int64_t msn = 0;                      // the programme's MSN of that segment
  std::int64_t discontinuity = 0;            // the viewer's discontinuity sequence of that segment
  std::int64_t programme_discontinuity = 0;  // the programme's

  std::int64_t msn_shift() const { return slot - msn; }
  bool operator==(const Turn&) const = default;
};

/// What is listed in slots [end - kSlateWindow, end).
std::string slate_text(const Slate&, const SlateRendition&, std::int64_t end);

/// A turn at a moment whose slot is `now`, into a programme as its media playlist's text tells it: it begins with the
/// newest segment there, so that the distance to the live edge stays what it was. The limits are the channel's, for its
/// source; the text, which this balancer made of it, may be longer for its links. Errors: a text without segments.
base::Result<Turn> turn_at(const Slate&, std::int64_t now, std::string_view programme, const hls::Limits& = {});

/// The playlist of a viewer who turned. `slate` and `rendition` may be null: then the slate's last segments are left
/// out. Errors: a programme that cannot be read.
base::Result<std::string> turned_text(const Slate* slate, const SlateRendition* rendition, const Turn&,
                                      std::string_view programme, const hls::Limits& = {});

/// The query of a viewer who turned, as the programme's numbering has it: _HLS_msn is shifted, the rest stays.
std::string turned_query(std::string_view query, const Turn&);

}  // namespace tribune::balancer
