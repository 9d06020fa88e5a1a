#pragma once
// What the house says of every finished request: one log line and a few counters.

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/metrics.h"
#include "net/server/http_server.h"

namespace tribune::runtime {

/// The path as it may stand in a log: the session token of a path element "~{token}" gives way to the session's name,
/// and a very long path to its beginning. Queries, where links and tokens carry their signatures, are never logged.
std::string loggable_path(std::string_view path, std::string_view session);

/// For one listener. Any thread; locks inside (once per method and class of status).
class AccessLog {
 public:
  AccessLog(base::Log&, base::Metrics&, std::string listener);
  void record(const net::AccessRecord&);

 private:
  static constexpr std::size_t kMethods = static_cast<std::size_t>(http::Method::other) + 1;
  static constexpr std::size_t kClasses = 6;  // 1xx to 5xx, and 0 for what got no status

  base::Counter& requests(http::Method, int status);
  void write_line(const net::AccessRecord&);

  base::Log& log_;
  base::Metrics& metrics_;
  std::string listener_;
  base::Histogram duration_;
  base::Counter sent_bytes_;
  base::Counter cut_;
  // Made when first needed, so that /metrics lists only what happens here.
  struct Lazy {
    std::once_flag made;
    std::optional<base::Counter> counter;
  };
  std::array<std::array<Lazy, kClasses>, kMethods> requests_;
};

}  // namespace tribune::runtime
