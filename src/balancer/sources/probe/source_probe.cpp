#include "balancer/sources/probe/source_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>
#include <vector>

#include "hls/attributes.h"
#include "http/range.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

constexpr std::chrono::milliseconds kTimeout{5'000};

/// The BYTERANGE of an EXT-X-MAP; nullopt without a valid one.
std::optional<hls::SubRange> range_of_map(std::string_view line) {
  std::vector<hls::Attribute> attributes;
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || hls::read_attributes(line, colon + 1, attributes)) return std::nullopt;
  const auto* range = hls::find(attributes, "BYTERANGE");
  if (!range) return std::nullopt;
  hls::SubRange sub;
  const auto* end = range->value.data() + range->value.size();
  const auto length = std::from_chars(range->value.data(), end, sub.length);
  if (length.ec != std::errc{} || sub.length <= 0) return std::nullopt;
  if (length.ptr == end) return sub;
  const auto offset = *length.ptr == '@' ? std::from_chars(length.ptr + 1, end, sub.offset)
                                         : std::from_chars_result{length.ptr, std::errc::invalid_argument};
  return offset.ec == std::errc{} && offset.ptr == end && sub.offset >= 0 ? std::optional(sub) : std::nullopt;
}

const hls::Segment* segment_to_probe(const hls::Playlist& playlist) {
  const auto is_there = [](const hls::Segment& segment) { return !segment.gap; };
  const auto& segments = playlist.segments;
  if (playlist.ended || playlist.vod) {
    const auto first = std::find_if(segments.begin(), segments.end(), is_there);
    return first == segments.end() ? nullptr : &*first;
  }
  const auto last = std::find_if(segments.rbegin(), segments.rend(), is_there);
  return last == segments.rend() ? nullptr : &*last;
}

std::int64_t offset_of(const ProbeTarget::File& file) { return file.range ? file.range->offset : 0; }

}  // namespace

std::optional<ProbeTarget> probe_target(const hls::Playlist& playlist, const http::Uri& base) {
  const auto* segment = segment_to_probe(playlist);
  if (!segment || segment->uri_use >= playlist.uris.size()) return std::nullopt;
  const auto url_of = [&](const hls::UriUse& use) {
    const auto uri = http::resolve_as_written(base, use.uri);
    return uri ? uri->text() : std::string();
  };
  ProbeTarget target;
  target.segment = {url_of(playlist.uris[segment->uri_use]), segment->byterange};
  target.duration = segment->duration;
  const hls::UriUse* map = nullptr;
  for (const auto& use : playlist.uris)
    if (use.kind == hls::UriKind::map && use.line < segment->end_line) map = &use;
  if (map) target.init = {url_of(*map), range_of_map(playlist.lines[map->line].text)};
  if (target.segment.url.empty() || (map && target.init.url.empty())) return std::nullopt;
  return target;
}

void SourceProbe::begin(const ProbeTarget& target, const net::FetchRequest& like,
                        std::function<void(ProbeResult)> on_found) {
  on_found_ = std::move(on_found);
  is_probing_ = true;
  init_ = {};
  segment_ = {};
  duration_ = target.duration;
  deadline_ = loop_.after(std::min(kTimeout, like.deadlines.total), [this] {
    const base::Error late{base::ErrorKind::timeout, base::Fault::origin, true, "the media did not arrive in time"};
    if (!init_.is_done) init_.error = late;
    if (!segment_.is_done) segment_.error = late;
    end();
  });
  if (target.init.url.empty())
    init_.is_done = true;
  else
    fetch(init_, target.init, like);
  fetch(segment_, target.segment, like);
}

void SourceProbe::cancel() {
  is_probing_ = false;
  deadline_ = {};
  init_ = {};
  segment_ = {};
  on_found_ = nullptr;
}

void SourceProbe::fetch(Part& part, const ProbeTarget::File& file, net::FetchRequest request) {
  request.url = file.url;
  request.headers = {};
  request.accept_gzip = false;
  request.max_body_bytes = std::numeric_limits<std::int64_t>::max();  // an origin without range support sends the whole
                                                                      // file, and the fetch is dropped before its end
  const auto length = std::min(kProbeBytes, file.range ? file.range->length : kProbeBytes);
  if (offset_of(file) > std::numeric_limits<std::int64_t>::max() - length)
    return finish(part,
                  base::Error{base::ErrorKind::protocol, base::Fault::origin, false, "the byte range is too large"});
  request.headers.add("Range", fmt::format("bytes={}-{}", offset_of(file), offset_of(file) + length - 1));
  if (file.range) part.whole_bytes = static_cast<std::uint64_t>(file.range->length);
  net::FetchHandlers handlers;
  handlers.on_head = [this, &part, file](const net::FetchHead& head) { on_head(part, file, head); };
  handlers.on_body = [this, &part, length](std::string_view bytes) {
    if (part.is_done) return net::Flow::go_on;
    const auto most = static_cast<std::size_t>(length);
    part.bytes.append(bytes.substr(0, most - std::min(most, part.bytes.size())));
    if (part.bytes.size() >= most) finish(part, std::nullopt);
    return net::Flow::go_on;
  };
  handlers.on_done = [this, &part](base::Result<void> done) {
    if (done && !part.whole_bytes) part.whole_bytes = part.bytes.size();
    finish(part, done ? std::nullopt : std::optional(done.error()));
  };
  part.fetch = client_.start(std::move(request), std::move(handlers));
}

void SourceProbe::on_head(Part& part, const ProbeTarget::File& file, const net::FetchHead& head) {
  if (part.is_done) return;
  const auto given = head.status == 206 ? head.headers.first("Content-Range") : std::nullopt;
  const auto range = given ? http::parse_content_range(*given) : std::nullopt;
  const bool is_elsewhere = range && range->range.first != static_cast<std::uint64_t>(offset_of(file));
  // An origin without range support sends the file from its beginning.
  const bool is_usable = (head.status == 206 && !is_elsewhere) || (head.status == 200 && offset_of(file) == 0);
  if (!is_usable)
    return finish(part, base::Error{base::ErrorKind::unavailable, base::Fault::origin, true,
                                    fmt::format("the origin responds with status {} for the media", head.status)});
  if (part.whole_bytes) return;
  if (range)
    part.whole_bytes = range->whole_length;
  else if (head.status == 200)
    part.whole_bytes = head.content_length;
}

// A fetch must not be dropped inside its own callback.
void SourceProbe::finish(Part& part, std::optional<base::Error> error) {
  if (std::exchange(part.is_done, true)) return;
  part.error = std::move(error);
  loop_.post([this, &part, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired() || !is_probing_ || !part.is_done) return;
    part.fetch.reset();
    if (init_.is_done && segment_.is_done) end();
  });
}

void SourceProbe::end() {
  if (!is_probing_) return;
  constexpr std::uint64_t kLargestFile = 1ull << 40;
  ProbeResult result;
  result.error = init_.error ? init_.error : segment_.error;
  result.facts = hls::media_facts(init_.bytes + segment_.bytes);
  const auto whole = segment_.error ? 0 : segment_.whole_bytes.value_or(0);
  if (duration_.count() > 0 && whole > 0 && whole < kLargestFile) {
    const auto bits = static_cast<double>(whole) * 8e6 / static_cast<double>(duration_.count());
    if (bits >= 1 && bits < 1e11) result.bandwidth_bps = static_cast<std::int64_t>(bits);
  }
  const auto on_found = std::exchange(on_found_, nullptr);
  cancel();
  on_found(std::move(result));
}

}  // namespace tribune::balancer
