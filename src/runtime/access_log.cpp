#include "runtime/access_log.h"

#include <algorithm>
#include <cmath>

#include "http/cmcd.h"
#include "net/server/request_id.h"

namespace tribune::runtime {
namespace {

constexpr std::size_t kLongestPath = 512;
constexpr std::size_t kLongestName = 64;

/// Replaces characters that could disturb a log line, because the player chooses this name.
std::string loggable_name(std::string_view name) {
  std::string out(name.substr(0, kLongestName));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c <= ' ' || c > '~' || c == '"' || c == '\\'; }, '?');
  return out;
}

bool is_base64url(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// Whether a session token or ticket follows in the paths of the API.
bool names_session(std::string_view before) { return before == "/api/v1/sessions" || before == "/api/v1/access"; }

/// Whether the segment is a token, "{key id}.{base64url}" (contracts/signed_payload.h, account_token.h). Within the
/// API, where no file name looks like one, also with other characters around it.
bool has_token(std::string_view path, std::string_view segment) {
  constexpr std::size_t kLongestKeyId = 20, kShortestPayload = 36;
  const auto dot = segment.find('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  const auto payload = segment.substr(dot + 1);
  const auto end = std::find_if_not(payload.begin(), payload.end(), is_base64url);
  if (end - payload.begin() < static_cast<std::ptrdiff_t>(kShortestPayload)) return false;
  const bool is_exact =
      end == payload.end() && dot <= kLongestKeyId && std::all_of(segment.begin(), segment.begin() + dot, is_base64url);
  return is_exact || path.starts_with("/api/");
}

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::string loggable_path(std::string_view path, std::string_view session) {
  const std::string name = session.empty() ? "…" : std::string(session);
  std::string out;
  for (std::size_t begin = 0; begin < path.size();) {
    const auto end = std::min(path.find('/', begin + 1), path.size());
    const auto segment = path.substr(begin, end - begin);
    // Tokens and tickets contain a '.'. Other segments with '~' ("~via", "~0") do not and are logged unchanged.
    if (segment.starts_with("/~") && segment.find('.') != std::string_view::npos)
      out += "/~" + name;
    else if (names_session(path.substr(0, begin)) || (segment.size() > 1 && has_token(path, segment.substr(1))))
      out += "/" + name;
    else
      out += segment;
    begin = end;
  }
  if (out.size() <= kLongestPath) return out;
  out.resize(kLongestPath);
  return out + "…";
}

AccessLog::AccessLog(base::Log& log, base::Metrics& metrics, std::string listener)
    : log_(log),
      metrics_(metrics),
      listener_(std::move(listener)),
      duration_(metrics.histogram("tribune_http_request_duration_seconds",
                                  "Time from the complete request to the last byte of its response, in seconds.",
                                  base::latency_buckets(), {{"listener", listener_}})),
      sent_bytes_(metrics.counter("tribune_http_sent_body_bytes_total",
                                  "Bytes of response bodies that were passed to the kernel.",
                                  {{"listener", listener_}})),
      cut_(metrics.counter(
          "tribune_http_requests_cut_total",
          "Requests whose response was not sent completely: the client closed the connection or the server reset it.",
          {{"listener", listener_}})) {}

void AccessLog::record(const net::AccessRecord& record) {
  requests(record.request.method, record.status).add();
  duration_.observe(seconds(record.duration));
  sent_bytes_.add(static_cast<double>(record.bytes_sent));
  if (!record.completed) cut_.add();
  if (log_.wants_access()) write_line(record);
}

base::Counter& AccessLog::requests(http::Method method, int status) {
  const auto status_class = static_cast<std::size_t>(status >= 100 && status < 600 ? status / 100 : 0);
  auto& lazy = requests_[static_cast<std::size_t>(method)][status_class];
  std::call_once(lazy.made, [&] {
    const auto word = status_class == 0 ? std::string("none") : std::to_string(status_class) + "xx";
    lazy.counter = metrics_.counter("tribune_http_requests_total", "Requests, by method and status class.",
                                    {{"listener", listener_}, {"method", http::to_string(method)}, {"status", word}});
  });
  return *lazy.counter;
}

void AccessLog::write_line(const net::AccessRecord& record) {
  const auto cmcd = http::read_cmcd(record.request.headers, record.request.query);
  const auto path = loggable_path(record.request.path, record.note.session);
  log_.info("http", "request",
            {{"listener", listener_},
             {"client", record.request.client},
             {"method", http::to_string(record.request.method)},
             {"path", path},
             {"status", record.status},
             {"bytes", record.bytes_sent},
             {"duration_ms", std::round(seconds(record.duration) * 1e6) / 1e3},
             {"cache", record.note.cache},
             {"node", record.note.node},
             {"session", record.note.session},
             {"player", cmcd ? loggable_name(cmcd->session) : ""},
             {"request", record.request.headers.first(net::kRequestIdField).value_or("")},
             {"reason", record.note.reason},
             {"completed", record.completed}});
}

}  // namespace tribune::runtime
