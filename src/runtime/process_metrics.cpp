#include "runtime/process_metrics.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace tribune::runtime {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

double resident_bytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "re"), &std::fclose);
  long total = 0, resident = 0;
  if (!file || std::fscanf(file.get(), "%ld %ld", &total, &resident) != 2) return 0;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

/// Linux 6.2 and later report the count as the directory's size. Listing the directory would block an event loop for
/// milliseconds.
double open_descriptors() {
  struct stat directory {};
  return ::stat("/proc/self/fd", &directory) == 0 ? static_cast<double>(directory.st_size) : 0;
}

double most_descriptors() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

}  // namespace

Descriptors descriptors() {
  return {static_cast<std::int64_t>(open_descriptors()), static_cast<std::int64_t>(most_descriptors())};
}

void add_process_metrics(base::Metrics& metrics, const base::Clock& clock, const base::Log& log,
                         std::string_view version) {
  metrics
      .gauge("tribune_build_info", "Build information: always 1, with the version as a label.", {{"version", version}})
      .set(1);
  metrics.gauge("process_start_time_seconds", "Start time of the process, in seconds since the Unix epoch.")
      .set(static_cast<double>(base::unix_seconds(clock.wall_now())));
  auto cpu = metrics.counter("process_cpu_seconds_total", "User and system CPU time of the process, in seconds.");
  auto dropped = metrics.gauge("tribune_log_dropped_lines",
                               "Log lines that could not be written or queued since the start of the process.");
  auto resident = metrics.gauge("process_resident_memory_bytes", "Resident memory of the process, in bytes.");
  auto opened =
      metrics.gauge("process_open_fds", "Open file descriptors; 0 when the kernel is too old to report the number.");
  auto limit = metrics.gauge("process_max_fds", "Maximum number of open file descriptors.");
  metrics.before_scrape([=, &log]() mutable {
    cpu.add(std::max(0.0, cpu_seconds() - cpu.value()));
    dropped.set(static_cast<double>(log.dropped_lines()));
    resident.set(resident_bytes());
    opened.set(open_descriptors());
    limit.set(most_descriptors());
  });
}

}  // namespace tribune::runtime
