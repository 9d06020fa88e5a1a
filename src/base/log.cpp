// The only file that includes spdlog; its bounded queue and its thread carry the lines.
#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "base/log_line.h"

namespace tribune::base {

namespace {

constexpr std::size_t kQueuedLines = 8192;
constexpr int kStuckPipeMs = 200;

/// Writes lines to a descriptor. With a full disk, or a reader that stopped reading, lines are dropped and counted. The
/// log's thread writes; reopen() from any thread, locks inside.
class DescriptorSink final : public spdlog::sinks::sink {
 public:
  explicit DescriptorSink(const std::string& file) { reopen(file); }
  ~DescriptorSink() override { close_own(); }

  void reopen(const std::string& file) {
    const int fd = file.empty() ? STDOUT_FILENO : ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    const std::lock_guard lock(mutex_);
    if (fd < 0) {
      if (fd_ < 0) fd_ = STDOUT_FILENO;  // no other target at the start; a reload keeps the open file
      return;
    }
    close_own();
    fd_ = fd;
  }

  void log(const spdlog::details::log_msg& message) override {
    const std::lock_guard lock(mutex_);
    const char* at = message.payload.data();
    std::size_t left = message.payload.size();
    while (left > 0) {
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, stuck_ ? 0 : kStuckPipeMs) <= 0) return lose(true);
      const auto written = ::write(fd_, at, left);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return lose(false);
      at += written;
      left -= static_cast<std::size_t>(written);
    }
    stuck_ = false;
  }

  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  std::uint64_t lost() const { return lost_; }

 private:
  void lose(bool stuck) {
    stuck_ = stuck;
    ++lost_;
  }
  void close_own() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }

  std::mutex mutex_;  // guards fd_ and stuck_
  int fd_ = -1;
  bool stuck_ = false;  // the pipe is not read: do not wait again for each line
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace

struct Log::Inner {
  explicit Inner(const LogSettings& settings)
      : file(settings.file),
        sink(std::make_shared<DescriptorSink>(settings.file)),
        pool(std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1)),
        logger(std::make_shared<spdlog::async_logger>("tribune", sink, pool,
                                                      spdlog::async_overflow_policy::overrun_oldest)) {
    logger->set_level(spdlog::level::trace);
    apply(settings);
  }

  void apply(const LogSettings& settings) {
    level = settings.level;
    format = settings.format;
    access = settings.access;
  }

  std::atomic<LogLevel> level;
  std::atomic<LogFormat> format;
  std::atomic<bool> access;
  std::string file;  // changed by reconfigure() alone
  std::shared_ptr<DescriptorSink> sink;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

Log::Log(const LogSettings& settings) : inner_(std::make_unique<Inner>(settings)) {}

Log::~Log() {
  // Destroying the pool writes the queued lines; a stuck reader delays it by kStuckPipeMs once. The logger, which
  // queued lines refer to, is destroyed after it, on this thread and not on the pool's.
  inner_->pool.reset();
  inner_->logger.reset();
}

void Log::write(LogLevel level, std::string_view component, std::string_view event, LogFields fields) {
  if (!wants(level)) return;
  const auto line = format_line(inner_->format, std::chrono::system_clock::now(), level, component, event, fields);
  inner_->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

bool Log::wants(LogLevel level) const {
  return level >= inner_->level.load(std::memory_order_relaxed) && level != LogLevel::off;
}

bool Log::wants_access() const { return inner_->access.load(std::memory_order_relaxed) && wants(LogLevel::info); }

void Log::reconfigure(const LogSettings& settings) {
  inner_->apply(settings);
  if (!settings.file.empty() || !inner_->file.empty()) inner_->sink->reopen(settings.file);
  inner_->file = settings.file;
}

std::uint64_t Log::dropped_lines() const { return inner_->sink->lost() + inner_->pool->overrun_counter(); }

}  // namespace tribune::base
