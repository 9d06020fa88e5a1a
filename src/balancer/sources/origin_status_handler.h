#pragma once
// GET /status/origins on the admin listener: the origins of each channel, and which backups have the files of the
// source (backup_trust.h).

#include <functional>
#include <vector>

#include "balancer/sources/sources.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// Any thread.
class OriginStatusHandler {
 public:
  /// `sources` is called once the role serves.
  explicit OriginStatusHandler(std::function<Sources&()> sources) : sources_(std::move(sources)) {}

  std::vector<runtime::Route> routes();

 private:
  http::Response origins() const;

  std::function<Sources&()> sources_;
};

}  // namespace tribune::balancer
