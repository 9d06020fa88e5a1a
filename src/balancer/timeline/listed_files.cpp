#include "balancer/timeline/listed_files.h"

#include <algorithm>
#include <cstdlib>
#include <unordered_map>

#include "base/hash.h"
#include "base/rfc3339.h"

namespace tribune::balancer {
namespace {

constexpr std::size_t kCompared = 32;     // segments at the end of a backup's playlist
constexpr std::size_t kSeenAtOnce = 128;  // segments at the end of the source's playlist
constexpr std::size_t kFilesKept = 256;
constexpr std::int64_t kSecond_us = 1'000'000;
constexpr std::int64_t kLongest_us = 24 * 3'600 * kSecond_us;

bool is_rounded(std::int64_t duration_us) { return duration_us % kSecond_us == 0; }

bool is_other_duration(std::int64_t one_us, std::int64_t other_us) {
  const auto rounding_us = is_rounded(one_us) || is_rounded(other_us) ? kSecond_us / 2 : kSecond_us / 10;
  return std::abs(one_us - other_us) > rounding_us;
}

}  // namespace

/// The source's files by name, date and number.
class ListedFiles::Lookup {
 public:
  explicit Lookup(const ListedFiles& known) {
    std::int64_t after_us = 0;
    for (auto it = known.files_.rbegin(); it != known.files_.rend(); ++it) {
      const auto& file = it->second;
      // A packager with a ring of names uses those again that have left the playlist.
      const bool is_only = file.msn < known.listed_from_ || by_name_.try_emplace(file.name, &file).second;
      if (!is_only) by_name_[file.name] = nullptr;
      if (file.date_us != 0) by_date_.emplace(file.date_us, &file);
      if (after_us <= kLargestLag * known.target_us_) by_number_.emplace(file.msn, &file);
      after_us += file.duration_us;
    }
  }

  /// The file to compare with; null without one. `has_unique_name`: no other file of the backup has its name.
  const File* counterpart(const File& theirs, bool has_unique_name) const {
    const bool is_dated = theirs.date_us != 0 && !by_date_.empty();
    const auto* placed = is_dated ? at_date(theirs) : at_number(theirs.msn);
    if ((placed && placed->name == theirs.name) || !has_unique_name) return placed;
    const auto named = by_name_.find(theirs.name);
    if (named == by_name_.end() || !named->second) return placed;
    const bool may_lag = is_dated && named->second->date_us != 0;
    return may_lag || at_number(named->second->msn) ? named->second : placed;
  }

  static bool begin_together(const File& one, const File& other) {
    return 2 * std::abs(one.date_us - other.date_us) <= std::min(one.duration_us, other.duration_us);
  }

 private:
  const File* at_date(const File& theirs) const {
    const auto next = by_date_.lower_bound(theirs.date_us);
    if (next != by_date_.end() && begin_together(*next->second, theirs)) return next->second;
    if (next != by_date_.begin() && begin_together(*std::prev(next)->second, theirs)) return std::prev(next)->second;
    return nullptr;
  }
  const File* at_number(std::int64_t msn) const {
    const auto found = by_number_.find(msn);
    return found == by_number_.end() ? nullptr : found->second;
  }

  std::unordered_map<std::uint64_t, const File*> by_name_;  // those that are listed; null: several have the name
  std::map<std::int64_t, const File*> by_date_;
  std::unordered_map<std::int64_t, const File*> by_number_;  // without those that are older than a backup may lag
};

std::vector<ListedFiles::File> ListedFiles::files_of(const hls::Playlist& playlist, const http::Uri& base,
                                                     std::size_t most) {
  std::vector<File> files;
  const auto skipped = playlist.segments.size() - std::min(playlist.segments.size(), most);
  std::int64_t date_us = 0;
  for (auto i = skipped; i < playlist.segments.size(); ++i) {
    const auto& segment = playlist.segments[i];
    if (const auto date = base::parse_iso8601(segment.program_date_time))
      date_us = date->time_since_epoch().count() * 1'000;
    const auto begins_us = date_us;
    // Rounded durations would add up to another moment.
    const auto duration_us = std::clamp<std::int64_t>(segment.duration.count(), 0, kLongest_us);
    date_us = date_us == 0 || is_rounded(duration_us) ? 0 : date_us + duration_us;
    const auto uri = http::resolve_as_written(base, playlist.uris[segment.uri_use].uri);
    if (segment.gap || !uri) continue;
    auto name = base::fnv1a(uri->path);
    if (segment.byterange) name += base::multiplicative_hash(static_cast<std::uint64_t>(segment.byterange->offset));
    files.push_back({segment.msn, name, begins_us, duration_us, uri->path});
  }
  return files;
}

void ListedFiles::see(const hls::Playlist& playlist, const http::Uri& base) {
  target_us_ = std::clamp<std::int64_t>(std::chrono::microseconds{playlist.target_duration}.count(), 0, kLongest_us);
  listed_from_ = playlist.media_sequence;
  auto seen = files_of(playlist, base, kSeenAtOnce);
  bool is_known = false, is_other = false;
  for (const auto& file : seen)
    if (const auto found = files_.find(file.msn); found != files_.end()) {
      is_known = true;
      is_other = is_other || !difference(found->second, file).empty();
    }
  if (is_known) are_renamed_ = is_other;
  const bool went_back = !files_.empty() && playlist.end_msn() <= files_.rbegin()->first;
  if (is_other || went_back) files_.clear();
  for (auto& file : seen) {
    auto& known = files_[file.msn];
    if (file.date_us == 0) file.date_us = known.date_us;
    known = std::move(file);
  }
  while (files_.size() > kFilesKept) files_.erase(files_.begin());
}

std::string_view ListedFiles::difference(const File& ours, const File& theirs) {
  if (ours.name != theirs.name) return "names";
  if (is_other_duration(ours.duration_us, theirs.duration_us)) return "durations";
  if (ours.date_us == 0 || theirs.date_us == 0) return ours.msn == theirs.msn ? "" : "numbers";
  return Lookup::begin_together(ours, theirs) ? "" : "dates";
}

bool ListedFiles::is_far(std::int64_t segments) const {
  std::int64_t all_us = 0;
  for (const auto& [msn, file] : files_) all_us += file.duration_us;
  const auto usual_us = all_us / static_cast<std::int64_t>(files_.size());
  return usual_us > 0 && std::abs(segments) > kLargestLag * target_us_ / usual_us;
}

FileComparison ListedFiles::compare(const hls::Playlist& backup, const http::Uri& base) const {
  FileComparison comparison;
  const auto theirs = files_of(backup, base, kCompared);
  if (files_.empty() || theirs.empty() || are_renamed_) return comparison;
  comparison.source_end = files_.rbegin()->first + 1;
  comparison.backup_end = backup.end_msn();
  comparison.is_far = is_far(comparison.backup_end - comparison.source_end);
  comparison.result = FileComparison::Result::unrelated;
  std::unordered_map<std::uint64_t, int> names;
  for (const auto& file : theirs) ++names[file.name];
  const Lookup lookup(*this);
  for (const auto& file : theirs) {
    const auto* ours = lookup.counterpart(file, names[file.name] == 1);
    if (!ours) continue;
    comparison.result = FileComparison::Result::same;
    comparison.difference = difference(*ours, file);
    if (comparison.difference.empty()) continue;
    comparison.result = FileComparison::Result::different;
    comparison.path = file.path;
    break;
  }
  return comparison;
}

}  // namespace tribune::balancer
