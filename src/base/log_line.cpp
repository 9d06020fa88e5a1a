#include "base/log_line.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/rfc3339.h"

namespace tribune::base {

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
    case LogLevel::off: return "off";
  }
  return "off";
}

namespace {

bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == '\\' ||
        static_cast<unsigned char>(c) >= 0x7F)
      return false;
  return true;
}

std::string as_text(const LogFields& fields) {
  std::string out;
  for (const auto& field : fields) {
    out += ' ';
    out += field.key;
    out += '=';
    std::visit(
        [&](const auto& v) {
          using V = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<V, std::string_view>) {
            if (is_plain(v))
              out += v;
            else
              out += '"' + json::escape(v) + '"';
          } else {
            out += fmt::format("{}", v);
          }
        },
        field.value);
  }
  return out;
}

}  // namespace

std::string format_line(LogFormat format, WallTime time, LogLevel level, std::string_view component,
                        std::string_view event, LogFields fields) {
  if (format == LogFormat::text)
    return fmt::format("{} {:<7} {} {}{}\n", rfc3339(time), to_string(level), component, event, as_text(fields));
  json::Writer w;
  w.begin_object()
      .member("time", rfc3339(time))
      .member("level", to_string(level))
      .member("component", component)
      .member("event", event);
  for (const auto& field : fields) std::visit([&](const auto& v) { w.member(field.key, v); }, field.value);
  w.end_object();
  return w.take() + "\n";
}

}  // namespace tribune::base
