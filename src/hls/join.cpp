// Joins two source timelines to one playlist. The joined text is built from both and parsed again, so that it has the
// invariants of a parsed playlist.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "hls/numbers.h"
#include "hls/rewriting.h"
#include "hls/text.h"

namespace tribune::hls {
namespace {

constexpr std::array<std::string_view, 14> kHeaderTags{"EXTM3U",
                                                       "EXT-X-VERSION",
                                                       "EXT-X-TARGETDURATION",
                                                       "EXT-X-MEDIA-SEQUENCE",
                                                       "EXT-X-DISCONTINUITY-SEQUENCE",
                                                       "EXT-X-PLAYLIST-TYPE",
                                                       "EXT-X-I-FRAMES-ONLY",
                                                       "EXT-X-PART-INF",
                                                       "EXT-X-SERVER-CONTROL",
                                                       "EXT-X-INDEPENDENT-SEGMENTS",
                                                       "EXT-X-START",
                                                       "EXT-X-ALLOW-CACHE",
                                                       "EXT-X-DEFINE",
                                                       "EXT-X-IMAGES-ONLY"};
constexpr std::array<std::string_view, 9> kSegmentTags{
    "EXTINF",    "EXT-X-BYTERANGE", "EXT-X-DISCONTINUITY",     "EXT-X-KEY",      "EXT-X-MAP",
    "EXT-X-GAP", "EXT-X-PART",      "EXT-X-PROGRAM-DATE-TIME", "EXT-X-DATERANGE"};
// Tags of the live edge, which an old timeline does not have.
constexpr std::array<std::string_view, 4> kEndTags{"EXT-X-PART", "EXT-X-PRELOAD-HINT", "EXT-X-RENDITION-REPORT",
                                                   "EXT-X-ENDLIST"};

// A line and the key that is repeated before it, for each of the two playlists.
constexpr std::int64_t kMaxLinesPerLine = 4;

template <class Set>
bool contains(const Set& set, std::string_view name) {
  return std::find(set.begin(), set.end(), name) != set.end();
}

tl::unexpected<base::Error> cannot_join(std::string_view why, base::ErrorKind kind = base::ErrorKind::conflict) {
  return base::failure(kind, base::Fault::origin, fmt::format("two playlists cannot be joined: {}", why));
}

tl::unexpected<base::Error> too_long() {
  return cannot_join("the result is too long after keys and variables are expanded", base::ErrorKind::too_large);
}

// The keys that apply where `line` begins, in the order of the text, and the init section's line.
struct Standing {
  std::vector<const KeyTag*> keys;
  std::optional<std::uint32_t> map_line;
};

Standing standing_at(const Playlist& playlist, std::uint32_t line) {
  std::unordered_map<std::string_view, const KeyTag*> by_format;
  for (const auto& key : playlist.keys) {
    if (key.line >= line) break;
    if (key.none)
      by_format.clear();
    else
      by_format[key.keyformat] = &key;
  }
  Standing standing;
  for (const auto& [format, key] : by_format) standing.keys.push_back(key);
  std::sort(standing.keys.begin(), standing.keys.end(),
            [](const KeyTag* a, const KeyTag* b) { return a->line < b->line; });
  for (const auto map_line : playlist.map_lines)
    if (map_line < line) standing.map_line = map_line;
  return standing;
}

class Join {
 public:
  Join(const Playlist& before, std::int64_t first, const Playlist& after, const Joint& joint, std::uint64_t max_bytes)
      : before_(before),
        after_(after),
        joint_(joint),
        max_bytes_(max_bytes),
        old_(before, max_bytes),
        new_(after, max_bytes) {
    kept_ = static_cast<std::size_t>(
        std::clamp<std::int64_t>(first - before.media_sequence, 0, std::int64_t(before.segments.size())));
    const auto listed_end = std::max(joint.first, before.end_msn() + (before.trailing_parts > 0 ? 1 : 0));
    new_begin_ = static_cast<std::size_t>(std::clamp<std::int64_t>(listed_end - joint.msn_shift - after.media_sequence,
                                                                   0, std::int64_t(after.segments.size())));
  }

  base::Result<std::string> text() {
    if (new_begin_ == after_.segments.size()) return cannot_join("the new playlist has no new segment");
    if (auto fine = check(); !fine) return tl::unexpected(fine.error());
    prepare();
    if (!old_.fits() || !new_.fits()) return too_long();
    std::string out;
    add_header(out);
    if (keeps_old()) {
      add_old(out);
      add_hole(out);
      for (std::int64_t i = extra_discontinuities(); i > 0; --i) add(out, "#EXT-X-DISCONTINUITY");
      if (old_keys_must_end()) add(out, "#EXT-X-KEY:METHOD=NONE");
    }
    add_new(out);
    if (out.size() > max_bytes_) return too_long();
    return out;
  }

  std::int64_t first_new_msn() const { return new_segment().msn + joint_.msn_shift; }

 private:
  bool keeps_old() const { return kept_ < before_.segments.size(); }
  const Segment& new_segment() const { return after_.segments[new_begin_]; }
  std::int64_t hole() const { return keeps_old() ? first_new_msn() - before_.end_msn() : 0; }
  std::int64_t new_discontinuity() const { return new_segment().discontinuity_sequence + joint_.discontinuity_shift; }
  std::int64_t extra_discontinuities() const {
    return new_discontinuity() - before_.segments.back().discontinuity_sequence - new_segment().discontinuities;
  }
  bool old_keys_must_end() const {
    const auto old_end = static_cast<std::uint32_t>(before_.lines.size());
    return !standing_at(before_, old_end).keys.empty();
  }
  void add(std::string& out, std::string_view line) const { out.append(line).append(new_.line_end()); }

  base::Status check() const {
    if (first_new_msn() < 0 || new_discontinuity() - new_segment().discontinuities < 0)
      return cannot_join("a sequence number would be negative");
    if (!keeps_old()) return {};
    if (hole() > kMaxHole) return cannot_join("too many segments are missing between them");
    const bool is_marked = new_discontinuity() > before_.segments.back().discontinuity_sequence;
    if (extra_discontinuities() < 0 || (!is_marked && !joint_.goes_on))
      return cannot_join("the discontinuity sequence would decrease");
    const bool old_has_map = !before_.map_lines.empty();
    if (old_has_map && !standing_at(after_, new_segment().end_line).map_line)
      return cannot_join("the old init section would apply to the new segments");
    return {};
  }

  void prepare() {
    old_.make_ranges_explicit();
    old_.expand_variables();  // before lines are repeated
    old_.make_ivs_explicit();
    for (std::uint32_t line = 0; line < before_.lines.size(); ++line) {
      const auto name = tag_name(before_.lines[line].text);
      if (contains(kHeaderTags, name) || contains(kEndTags, name)) old_.drop(line);
    }
    new_.make_ranges_explicit();
    new_.expand_variables();
    new_.make_ivs_explicit();
    for (const auto& number : after_.numbers)
      if (number.what == Numbered::What::last_msn)
        new_.replace(number.line, number.begin, number.length,
                     std::to_string(std::max<std::int64_t>(0, number.value + joint_.msn_shift)));
  }

  void add_header(std::string& out) {
    const auto& first_old = keeps_old() ? before_.segments[kept_] : new_segment();
    const auto msn = keeps_old() ? first_old.msn : first_new_msn();
    const auto sequence =
        (keeps_old() ? first_old.discontinuity_sequence : new_discontinuity()) - first_old.discontinuities;
    const auto version =
        std::max({keeps_old() ? before_.version : 1, after_.version, std::int64_t{hole() > 0 ? 8 : 1}});
    const auto target =
        std::max(keeps_old() ? before_.target_duration : std::chrono::milliseconds{0}, after_.target_duration);
    add(out, "#EXTM3U");
    if (version > 1) add(out, fmt::format("#EXT-X-VERSION:{}", version));
    add(out, fmt::format("#EXT-X-TARGETDURATION:{}", std::chrono::ceil<std::chrono::seconds>(target).count()));
    add(out, fmt::format("#EXT-X-MEDIA-SEQUENCE:{}", msn));
    if (sequence > 0) add(out, fmt::format("#EXT-X-DISCONTINUITY-SEQUENCE:{}", sequence));
    const auto end = after_.segments[0].end_line;
    bool in_segment = false;
    for (std::uint32_t line = 1; line < end; ++line) {
      const auto name = tag_name(after_.lines[line].text);
      in_segment = in_segment || contains(kSegmentTags, name) || line + 1 == end;
      const bool written = name == "EXT-X-VERSION" || name == "EXT-X-TARGETDURATION" ||
                           name == "EXT-X-MEDIA-SEQUENCE" || name == "EXT-X-DISCONTINUITY-SEQUENCE" || name == "EXTM3U";
      if (!written && (!in_segment || contains(kHeaderTags, name))) new_.emit(line, line + 1, out, true);
      if (!in_segment || contains(kHeaderTags, name)) header_lines_.push_back(line);
    }
  }

  // Keys and init section that began before the first remaining segment.
  void restate(const Playlist& playlist, Rewriting& rewriting, std::uint32_t line, std::string& out) {
    const auto standing = standing_at(playlist, line);
    for (const auto* key : standing.keys)
      if (!key->implied_iv) add(out, rewriting.text_of_line(key->line));  // else make_ivs_explicit() repeats it
    if (standing.map_line) add(out, rewriting.text_of_line(*standing.map_line));
  }

  void add_old(std::string& out) {
    const auto first_line = before_.segments[kept_].first_line;
    restate(before_, old_, first_line, out);
    old_.emit(first_line == 0 ? 1 : first_line, before_.segments.back().end_line, out, true);
  }

  void add_hole(std::string& out) {
    const auto& last = before_.segments.back();
    const auto each = joint_.missing_each.count() > 0 ? joint_.missing_each : last.duration;
    for (std::int64_t i = 0; i < hole(); ++i) {
      add(out, "#EXT-X-GAP");
      const bool partial = i == 0 && before_.trailing_parts > 0;
      add(out, fmt::format("#EXTINF:{},", seconds_text(partial ? before_.trailing_duration : each)));
      if (last.byterange)
        add(out, fmt::format("#EXT-X-BYTERANGE:{}@{}", last.byterange->length, last.byterange->offset));
      add(out, old_.text_of_line(last.end_line - 1));
    }
  }

  void add_new(std::string& out) {
    const auto first_line = new_segment().first_line;
    restate(after_, new_, first_line, out);
    if (new_begin_ == 0)
      for (const auto line : header_lines_) new_.drop(line);
    new_.emit(first_line == 0 ? 1 : first_line, static_cast<std::uint32_t>(after_.lines.size()), out);
  }

  const Playlist& before_;
  const Playlist& after_;
  const Joint& joint_;
  const std::uint64_t max_bytes_;
  Rewriting old_;
  Rewriting new_;
  std::size_t kept_ = 0;
  std::size_t new_begin_ = 0;
  std::vector<std::uint32_t> header_lines_;
};

}  // namespace

base::Result<Playlist> join(const Playlist& before, std::int64_t first, const Playlist& after, const Joint& joint,
                            const Limits& limits) {
  Join work(before, first, after, joint, limits.max_rewritten_bytes);
  auto text = work.text();
  if (!text) return tl::unexpected(text.error());
  Context context;
  context.limits = limits;  // of the source; the result has its own bound
  context.limits.max_bytes = context.limits.max_line_bytes = limits.max_rewritten_bytes;
  context.limits.max_lines = kMaxLinesPerLine * limits.max_lines;
  auto joined = parse(*text, context);
  if (!joined) return joined;
  const auto first_new = work.first_new_msn();
  const auto generation_of = [&](std::int64_t msn) {
    if (msn >= first_new || before.segments.empty()) return joint.generation;
    const auto index =
        std::clamp<std::int64_t>(msn - before.media_sequence, 0, std::int64_t(before.segments.size()) - 1);
    return before.segments[static_cast<std::size_t>(index)].generation;
  };
  for (auto& segment : joined->segments) segment.generation = generation_of(segment.msn);
  for (auto& use : joined->uris) use.generation = generation_of(use.msn);
  joined->variables = after.variables;
  return joined;
}

}  // namespace tribune::hls
