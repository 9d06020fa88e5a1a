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

bool has_both_cases(std::string_view text) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  return std::any_of(text.begin(), text.end(), is_lower) && std::any_of(text.begin(), text.end(), is_upper);
}

/// Whether the segment contains a token, "{key id}.{base64url}" (contracts/signed_payload.h, account_token.h): alone,
/// or among other characters, as in "index.m3u8%3Fsession%3D{token}". Among other characters, the names of media files
/// can look like one ("init.{hash}.mp4"), except within the API; they rarely have letters of both cases.
bool has_token(std::string_view path, std::string_view segment) {
  constexpr std::size_t kLongestKeyId = 20, kShortestPayload = 36;
  for (auto dot = segment.find('.'); dot != std::string_view::npos; dot = segment.find('.', dot + 1)) {
    const auto rest = segment.substr(dot + 1);
    const auto end = std::find_if_not(rest.begin(), rest.end(), is_base64url);
    const auto payload = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
    if (dot == 0 || payload.size() < kShortestPayload) continue;
    const bool is_alone =
        end == rest.end() && dot <= kLongestKeyId && std::all_of(segment.begin(), segment.begin() + dot, is_base64url);
    const bool is_within = is_base64url(segment[dot - 1]) && has_both_cases(payload);
    if (is_alone || is_within || path.starts_with("/api/")) return true;
  }
  return false;
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
