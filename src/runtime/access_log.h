#pragma once
// Reports every finished request: one line in the access log, counters and a histogram of durations.

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

/// The path for the log, cut after 512 bytes. Session tokens and tickets are replaced by the session, or by "…" where
/// it is not known: path segments "~{token}", what follows /api/v1/sessions/ and /api/v1/access/ whatever it is, and
/// other segments that contain the form of a token, such as "index.m3u8%3Fsession%3D{token}". Queries are not logged,
/// because they contain the signatures of links and tokens.
std::string loggable_path(std::string_view path, std::string_view session);

/// One per listener. Any thread; locks inside (once per method and class of status).
class AccessLog {
 public:
  AccessLog(base::Log&, base::Metrics&, std::string listener);
  void record(const net::AccessRecord&);

 private:
  static constexpr std::size_t kMethods = static_cast<std::size_t>(http::Method::other) + 1;
  static constexpr std::size_t kClasses = 6;  // 1xx to 5xx; 0: no status

  base::Counter& requests(http::Method, int status);
  void write_line(const net::AccessRecord&);

  base::Log& log_;
  base::Metrics& metrics_;
  std::string listener_;
  base::Histogram duration_;
  base::Counter sent_bytes_;
  base::Counter cut_;
  // A counter is created at its first request, so that /metrics lists only combinations that occur.
  struct Lazy {
    std::once_flag made;
    std::optional<base::Counter> counter;
  };
  std::array<std::array<Lazy, kClasses>, kMethods> requests_;
};

}  // namespace tribune::runtime
