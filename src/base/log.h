#pragma once
// The log: one line per event, as text or JSON, with the event's name and fields. Writing never blocks the caller:
// lines pass through a bounded queue to one thread, and lines that cannot be written (full disk, closed pipe, full
// queue) are dropped and counted.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace tribune::base {

enum class LogLevel { debug, info, warning, error, off };
enum class LogFormat { text, json };

struct LogSettings {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  std::string file;    // empty: standard output
  bool access = true;  // one line per request
};

struct LogField {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, int v) : key(k), value(std::int64_t{v}) {}
  LogField(std::string_view k, unsigned v) : key(k), value(std::uint64_t{v}) {}
  LogField(std::string_view k, long v) : key(k), value(std::int64_t{v}) {}
  LogField(std::string_view k, unsigned long v) : key(k), value(std::uint64_t{v}) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
};
using LogFields = std::initializer_list<LogField>;

/// Any thread; locks inside.
class Log {
 public:
  explicit Log(const LogSettings&);
  ~Log();  // writes the queued lines, for at most one second
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// `event` is a past event or state in snake_case ("node_lost"); `component` is the library that logs ("balancer").
  void write(LogLevel, std::string_view component, std::string_view event, LogFields fields = {});

  void debug(std::string_view component, std::string_view event, LogFields f = {}) {
    write(LogLevel::debug, component, event, f);
  }
  void info(std::string_view component, std::string_view event, LogFields f = {}) {
    write(LogLevel::info, component, event, f);
  }
  void warning(std::string_view component, std::string_view event, LogFields f = {}) {
    write(LogLevel::warning, component, event, f);
  }
  void error(std::string_view component, std::string_view event, LogFields f = {}) {
    write(LogLevel::error, component, event, f);
  }

  bool wants(LogLevel) const;
  bool wants_access() const;
  /// Changes level, format and access immediately; a changed file is reopened (log rotation by reload).
  void reconfigure(const LogSettings&);
  std::uint64_t dropped_lines() const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace tribune::base
