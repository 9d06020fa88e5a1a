#pragma once
// The counters of one channel's source.

#include <map>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "base/result.h"

namespace tribune::balancer {

/// Owned by one worker.
class SourceMetrics {
 public:
  SourceMetrics(base::Metrics&, std::string channel);
  void refreshed(std::string_view result);
  void failed(const base::Error&);
  void flawed(std::string_view flaw, std::int64_t lines);
  /// Asset lists, session data, steering manifests.
  void fetched_document(std::string_view kind, std::string_view result);
  void media_probed(std::string_view result);
  void origin_left() { origins_left_.add(); }
  /// A playlist of a backup and that of the source.
  void compared_backup(std::string_view result);
  void backup_distrusted() { backups_distrusted_.add(); }
  void end_held() { ends_held_.add(); }
  void playlists_left_out(std::size_t count) { playlists_left_out_.add(count); }

  base::Counter renders;

 private:
  base::Counter origins_left_;
  base::Counter backups_distrusted_;
  base::Counter ends_held_;
  base::Counter playlists_left_out_;
  base::Metrics& metrics_;
  std::string channel_;
  std::map<std::string, base::Counter, std::less<>> refreshes_;
  std::map<std::string, base::Counter, std::less<>> failures_;
  std::map<std::string, base::Counter, std::less<>> flaws_;
  std::map<std::string, base::Counter, std::less<>> looks_;
  std::map<std::string, base::Counter, std::less<>> comparisons_;
};

}  // namespace tribune::balancer
