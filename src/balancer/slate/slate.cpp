#include "balancer/slate/slate.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "balancer/slate/slate_playlist.h"
#include "balancer/sources/source_links.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/signing.h"
#include "contracts/canonical.h"
#include "contracts/origin_path.h"
#include "http/conditional_response.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

namespace fs = std::filesystem;
namespace json = base::json;
using base::ErrorKind;
using base::Fault;
using std::chrono::milliseconds;

constexpr std::size_t kVersionDigits = 12;
constexpr std::int64_t kMaxSlotMs = 60'000;
constexpr milliseconds kMaxTime{100'000'000'000'000};
constexpr std::string_view kSlotPrefix = "slot-";

tl::unexpected<base::Error> unfit(std::string text) {
  return base::failure(ErrorKind::invalid_input, Fault::tribune, "slate.json: " + std::move(text));
}

std::string_view content_type_of(std::string_view name) {
  if (name.ends_with(".ts")) return "video/mp2t";
  if (name.ends_with(".vtt")) return "text/vtt";
  if (name.ends_with(".aac")) return "audio/aac";
  return "video/mp4";
}

/// Whether the name stays inside the slate's own folder.
bool is_plain(std::string_view name) {
  const auto fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '/';
  };
  return !name.empty() && name.front() != '/' && name.front() != '.' && name.find("..") == std::string_view::npos &&
         name.find("//") == std::string_view::npos && std::all_of(name.begin(), name.end(), fine);
}

base::Result<std::string> read_file(const fs::path& path) {
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  if (failed)
    return base::failure(ErrorKind::not_found, Fault::tribune,
                         fmt::format("cannot read {}: {}", path.string(), failed.message()));
  if (size > kMaxSlateBytes)
    return base::failure(ErrorKind::too_large, Fault::tribune, path.string() + " exceeds the maximum size of a slate");
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (in.bad() || !in.is_open() || bytes.size() != size)
    return base::failure(ErrorKind::io, Fault::tribune, "cannot read " + path.string());
  return bytes;
}

/// The path after `~{session}/` of the media playlist with that URI at the source.
std::string path_of(const contracts::Channel& channel, std::string_view named) {
  const auto source = http::parse_uri(channel.source);
  const auto uri = source ? http::resolve(*source, named) : source;
  if (!uri) return "";
  if (uri->text() == source->text()) return std::string(kOnlyMediaPath);
  const auto origin = contracts::to_origin_path(contracts::origin_set(channel.source, channel.extra_origins), *uri);
  return origin ? playlist_path(*origin) : "";
}

base::Result<SlateRendition> read_rendition(const json::Value& value, const contracts::Channel& channel) {
  SlateRendition rendition;
  rendition.path = path_of(channel, value.text("playlist").value_or(""));
  if (rendition.path.empty()) return unfit("the \"playlist\" of a rendition is not a playlist of the source");
  rendition.init = value.text("init").value_or("");
  if (!rendition.init.empty() && !is_plain(rendition.init)) return unfit("a file name is not allowed");
  const auto* segments = value.find("segments");
  if (!segments || !segments->is(json::Kind::array) || segments->array.empty() ||
      segments->array.size() > kMaxSlateSegments)
    return unfit(fmt::format("a rendition has no segments, or more than {}", kMaxSlateSegments));
  for (const auto& segment : segments->array) {
    const SlateSegment read{std::string(segment.text("file").value_or("")),
                            milliseconds{segment.whole("ms").value_or(0)}};
    if (!is_plain(read.file)) return unfit("a file name is not allowed");
    if (read.duration.count() <= 0 || read.duration.count() > kMaxSlotMs)
      return unfit("the duration of a segment is missing or invalid");
    rendition.segments.push_back(read);
  }
  return rendition;
}

}  // namespace

base::Result<std::shared_ptr<const Slate>> Slate::load(const fs::path& folder, const contracts::Channel& channel) {
  auto slate = std::make_shared<Slate>();
  const auto text = read_file(folder / channel.id / "slate.json");
  if (!text) return tl::unexpected(text.error());
  if (auto fine = slate->read_manifest(*text, channel); !fine) return tl::unexpected(fine.error());
  if (auto fine = slate->read_files(folder / channel.id); !fine) return tl::unexpected(fine.error());
  std::string digests = *text;
  for (const auto& [name, file] : slate->files_) digests += file.etag;
  // A slate that cannot be shifted repeats, which most players support.
  if (auto continuous = slate->find_time_line(); !continuous) slate->fragments_ = 0;
  slate->version_ = base::to_hex(base::sha256(digests)).substr(0, kVersionDigits);
  slate->base_path_ = fmt::format("/slate/{}/{}/", channel.id, slate->version_);
  return slate;
}

base::Status Slate::read_manifest(std::string_view text, const contracts::Channel& channel) {
  const auto value = json::parse(text);
  if (!value) return unfit("not JSON: " + value.error().text);
  slot_ = milliseconds{value->whole("slot_ms").value_or(0)};
  if (slot_.count() < 1'000 || slot_.count() > kMaxSlotMs) return unfit("slot_ms must be 1000 to 60000");
  if (const auto* line = value->find("time_line")) {
    const auto listed = milliseconds{line->whole("unix_ms").value_or(0)},
               media = milliseconds{line->whole("media_ms").value_or(-1)};
    if (media.count() < 0 || media > kMaxTime || listed.count() <= 0 || listed > kMaxTime)
      return unfit("time_line must have valid unix_ms and media_ms");
    // A viewer whose ticket is called in a slot gets the newest segment after that slot.
    begin_ = media - (slot_at(slot_, base::WallTime{listed}) + 1) * slot_;
  }
  const auto* renditions = value->find("renditions");
  if (!renditions || !renditions->is(json::Kind::array) || renditions->array.empty()) return unfit("no renditions");
  for (const auto& entry : renditions->array) {
    auto rendition = read_rendition(entry, channel);
    if (!rendition) return tl::unexpected(rendition.error());
    if (this->rendition(rendition->path)) return unfit("more than one rendition for " + rendition->path);
    renditions_.push_back(std::move(*rendition));
    if (renditions_.back().segments.size() != renditions_.front().segments.size())
      return unfit("the renditions have different numbers of segments");
  }
  return {};
}

base::Status Slate::read_files(const fs::path& folder) {
  std::uint64_t sum = 0;
  const auto add = [&](const std::string& name) -> base::Status {
    if (name.empty() || files_.count(name)) return {};
    auto bytes = read_file(folder / name);
    if (!bytes) return tl::unexpected(bytes.error());
    sum += bytes->size();
    if (sum > kMaxSlateBytes)
      return base::failure(ErrorKind::too_large, Fault::tribune,
                           folder.string() + " exceeds the maximum size of a slate");
    auto etag = "\"" + base::to_hex(base::sha256(*bytes)).substr(0, 16) + "\"";
    files_.emplace(name, SlateFile{content_type_of(name), base::share(std::move(*bytes)), std::move(etag)});
    return {};
  };
  for (const auto& rendition : renditions_) {
    if (auto fine = add(rendition.init); !fine) return fine;
    for (const auto& segment : rendition.segments)
      if (auto fine = add(segment.file); !fine) return fine;
  }
  return {};
}

base::Status Slate::find_time_line() {
  const auto slots = loop() * slot_;
  auto nearest = milliseconds::max();
  for (auto& rendition : renditions_) {
    const auto is_text = [](const SlateSegment& segment) { return segment.file.ends_with(".vtt"); };
    if (rendition.init.empty() && std::all_of(rendition.segments.begin(), rendition.segments.end(), is_text)) continue;
    const auto fragments = read_times(rendition);
    if (!fragments) return tl::unexpected(fragments.error());
    fragments_ = std::max(fragments_, *fragments);
    milliseconds length{0};
    for (const auto& segment : rendition.segments) length += segment.duration;
    // The rendition whose length is nearest to the slots, the video, determines the length of the loop: audio ends with
    // a whole audio frame.
    if (std::chrono::abs(length - slots) >= nearest) continue;
    nearest = std::chrono::abs(length - slots);
    length_ = length;
  }
  return {};
}

base::Result<std::uint32_t> Slate::read_times(SlateRendition& rendition) const {
  if (rendition.init.empty()) return unfit("a rendition is not fragmented MP4");
  auto timescales = timescales_of(*file(rendition.init)->body);
  if (!timescales) return tl::unexpected(timescales.error());
  rendition.timescales = std::move(*timescales);
  std::uint32_t fragments = 0;
  for (const auto& segment : rendition.segments) {
    const auto& bytes = *file(segment.file)->body;
    if (auto moved = shifted(bytes, rendition.timescales, {}); !moved) return tl::unexpected(moved.error());
    const auto count = fragments_in(bytes);
    if (!count) return count;
    fragments += *count;
  }
  return fragments;
}

milliseconds Slate::time_shift(std::int64_t slot) const {
  const auto place = slot % loop();
  return std::max(milliseconds{0}, begin_ + slot * slot_ - place * length_ / loop());
}

base::Result<SlateFile> Slate::file_in(std::int64_t slot, std::string_view name) const {
  const auto stands = [&](const SlateRendition& r) { return !r.timescales.empty() && r.segment_of(slot).file == name; };
  const auto rendition = std::find_if(renditions_.begin(), renditions_.end(), stands);
  if (!is_continuous() || slot < 0 || rendition == renditions_.end())
    return base::failure(ErrorKind::not_found, Fault::client, "the slot has no segment with this name");
  const auto& original = *file(name);
  const auto round = slot / loop();
  auto bytes = shifted(*original.body, rendition->timescales,
                       {time_shift(slot), static_cast<std::uint32_t>(round) * fragments_});
  if (!bytes) return tl::unexpected(bytes.error());
  auto etag = original.etag;
  etag.insert(etag.size() - 1, fmt::format("-{}", slot));
  return SlateFile{original.content_type, base::share(std::move(*bytes)), std::move(etag)};
}

std::string Slate::path_in(std::int64_t slot, const SlateRendition& rendition) const {
  const auto& name = rendition.segment_of(slot).file;
  if (!is_continuous() || rendition.timescales.empty()) return base_path_ + name;
  return fmt::format("{}{}{}/{}", base_path_, kSlotPrefix, slot, name);
}

std::optional<SlotPath> read_slot_path(std::string_view path) {
  const auto slash = path.find('/');
  if (!path.starts_with(kSlotPrefix) || slash == std::string_view::npos) return std::nullopt;
  const auto slot = contracts::read_decimal(path.substr(kSlotPrefix.size(), slash - kSlotPrefix.size()));
  if (!slot) return std::nullopt;
  return SlotPath{*slot, path.substr(slash + 1)};
}

const SlateRendition* Slate::rendition(std::string_view path) const {
  const auto found =
      std::find_if(renditions_.begin(), renditions_.end(), [&](const SlateRendition& r) { return r.path == path; });
  return found == renditions_.end() ? nullptr : &*found;
}

const SlateFile* Slate::file(std::string_view name) const {
  const auto found = files_.find(name);
  return found == files_.end() ? nullptr : &found->second;
}

http::Response slate_file_reply(const http::Headers& request, const SlateFile& file) {
  http::Response response;
  response.headers = {{"Cache-Control", "public, max-age=86400, immutable"}, {"ETag", file.etag}};
  if (http::is_decided_by_conditions(request, file.etag, response)) return response;
  response.headers.add("Content-Type", file.content_type);
  response.body = base::BytesSlice{file.body, 0, file.body->size()};
  return response;
}

}  // namespace tribune::balancer
