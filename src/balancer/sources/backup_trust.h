#pragma once
// Which backups of a channel have the same files as its source, by their playlists (timeline/listed_files.h). Pure;
// times are passed in. Owned by one worker.
//
// States of a backup
//   trusted      not compared yet, or the last comparisons agree                                     (compared)
//   suspected    trusted, and the last comparison contradicts: the same playlist is compared again   (compared)
//   distrusted   two comparisons in a row contradict, a target duration apart; or the two playlists had no file in
//                common while both advanced, for kLargestLag target durations, or for one if their numbers are further
//                apart than a backup may lag                                                         (compared)
// A distrusted backup is trusted again after kAgreements comparisons that agree, with none between that does not.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/timeline/listed_files.h"
#include "base/clock.h"

namespace tribune::balancer {

class BackupTrust {
 public:
  /// `count` is that of SourceOrigins: origin 0 is the source's own, which is always trusted.
  explicit BackupTrust(std::size_t count) : origins_(count) {}

  bool is_trusted(std::size_t origin) const { return origins_[origin].is_trusted; }
  bool is_compared(std::size_t origin) const { return origins_[origin].is_compared; }
  /// What contradicted last, as FileComparison::difference; empty while nothing did.
  std::string_view difference(std::size_t origin) const { return origins_[origin].difference; }
  /// As a former process found.
  void distrust(std::size_t origin) { origins_[origin].is_trusted = false; }

  /// The backup with which the playlist of that name is to be compared now. It counts as asked from then on.
  std::optional<std::size_t> due(const std::string& playlist, base::SteadyTime now);
  /// Returns whether the trust in the backup changed.
  bool compared(std::size_t origin, const std::string& playlist, const FileComparison&,
                std::chrono::milliseconds target_duration, base::SteadyTime now);

  static constexpr std::chrono::seconds kPeriod{10};
  static constexpr std::chrono::seconds kSuspicionEnds{60};  // when its playlist is not compared any more
  static constexpr int kAgreements = 6;

 private:
  struct Suspicion {
    std::string playlist;
    FileComparison first;
    base::SteadyTime since{};
    base::SteadyTime last{};
  };
  struct Origin {
    bool is_trusted = true;
    bool is_compared = false;
    std::string_view difference{};
    std::optional<Suspicion> suspicion = {};
    int agreements = 0;  // since the last comparison that contradicted
    base::SteadyTime agreed{};
    base::SteadyTime next{};
  };
  static bool agree(Origin&, const std::string& playlist, base::SteadyTime now);
  static bool suspect(Origin&, const std::string& playlist, const FileComparison&,
                      std::chrono::milliseconds target_duration, base::SteadyTime now);

  std::vector<Origin> origins_;
};

}  // namespace tribune::balancer
