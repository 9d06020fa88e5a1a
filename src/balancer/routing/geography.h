#pragma once
// The location of a client, by a MaxMind database. libmaxminddb stays inside geography.cpp.

#include <memory>
#include <optional>
#include <string>

#include "base/ip_address.h"
#include "base/result.h"

namespace tribune::balancer {

/// A position in degrees; north and east are positive.
struct Coordinates {
  double latitude = 0;
  double longitude = 0;
};

/// The distance along the surface of the earth.
double distance_km(const Coordinates&, const Coordinates&);

/// Immutable; const methods from any thread. The file is mapped: replace it by renaming a new one over it.
class Geography {
 public:
  /// Errors: the file cannot be read, or is no such database.
  static base::Result<std::shared_ptr<const Geography>> open(const std::string& file);
  ~Geography();
  Geography(const Geography&) = delete;
  Geography& operator=(const Geography&) = delete;

  std::optional<Coordinates> find(const base::IpAddress&) const;

 private:
  struct Inner;
  explicit Geography(std::unique_ptr<Inner>);
  std::unique_ptr<Inner> inner_;
};

}  // namespace tribune::balancer
