#pragma once
// The channel map as the balancer told it last, kept on disk so that the node starts and works while the balancer is away.

#include <memory>
#include <mutex>
#include <string>

#include "base/log.h"
#include "cache_node/housekeeper.h"
#include "base/published.h"
#include "contracts/heartbeat.h"

namespace tribune::cache_node {

/// Any thread; locks inside.
class ChannelMapKeeper {
 public:
  /// Without a folder it is kept in RAM only.
  ChannelMapKeeper(std::string store_dir, Housekeeper&, base::Log&);

  /// Reads the map that was kept; a damaged one is told in the log and passed over.
  void load();
  /// From a verified answer. A changed map is used at once and kept soon.
  base::Status take(const std::string& json);
  /// Null while none is known.
  std::shared_ptr<const contracts::ChannelMap> map() const { return map_.get(); }

 private:
  const std::string path_;
  Housekeeper& housekeeper_;
  base::Log& log_;
  base::Published<contracts::ChannelMap> map_;
};

/// Writes a file so that readers see the old or the new content, never a part, and it survives a power cut. Blocks.
base::Status replace_file(const std::string& path, std::string_view content);

}  // namespace tribune::cache_node
