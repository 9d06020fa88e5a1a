#include "cache_node/request/fill_starter.h"

#include <algorithm>
#include <utility>

#include "base/memory.h"
#include "cache_node/objects/object_key.h"
#include "cache_node/policy/reuse.h"
#include "http/problem.h"

namespace tribune::cache_node {

namespace {
constexpr std::chrono::seconds kFailureRemembered{1};
constexpr std::chrono::seconds kMapAwaited{2};
constexpr std::chrono::milliseconds kMapPeriod{20};
constexpr std::int64_t kWarmLinkSeconds = 60;

FillFailure channel_unknown() {
  return {&http::problems::channel_unknown, "the channel is not in the channel map of this node", "channel_unknown"};
}
}  // namespace

FillStarter::FillStarter(const MediaFlowParts& parts, const MediaRequestReader& reader,
                         const std::vector<std::unique_ptr<runtime::Worker>>& workers)
    : parts_(parts), reader_(reader) {
  for (const auto& worker : workers) by_worker_.push_back(std::make_unique<OfWorker>(worker->loop));
}

ObjectKey FillStarter::key_of(const MediaRequest& media) const {
  return object_key(object_key(parts_.view.get()->query_rules, media.link), media.variant);
}

// --- Coalescing ---

ObjectIndex::Found FillStarter::find_or_fill(runtime::Worker& worker, const MediaRequest& media, const ObjectKey& key) {
  auto found = find(key, media);
  if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found); joined && joined->began)
    begin(worker, {media, joined->fill});
  return found;
}

/// An entry that is complete and not fresh becomes stale, and its fill begins. A stale entry is returned as it is when
/// its revalidation has just ended.
ObjectIndex::Found FillStarter::find(const ObjectKey& key, const MediaRequest& media) {
  const auto now = parts_.clock.steady_now();
  auto found = parts_.index.find_or_begin(key, now, media.revalidation.has_value());
  if (media.revalidation || media.retention.by == Retention::By::life || is_usable(found, media)) return found;
  found = parts_.index.find_or_renew(key, now, found);
  if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found); joined && joined->gone)
    parts_.disk_maintenance.purged({joined->gone});
  return found;
}

bool FillStarter::is_usable(const ObjectIndex::Found& found, const MediaRequest& media) const {
  const auto is_fresh = [&](const ObjectHead& head, std::int64_t stored) {
    return decide_reuse(HeldObject{media.retention, head, parts_.age(stored), media.listed_for}) == http::Reuse::fresh;
  };
  if (const auto* object = std::get_if<ObjectPtr>(&found)) {
    const bool never_changes = media.retention.by == Retention::By::listed && !(*object)->has_terms();
    return never_changes || (*object)->stale || is_fresh((*object)->head(), (*object)->stored);
  }
  const auto* joined = std::get_if<ObjectIndex::Joined>(&found);
  if (!joined || joined->began || joined->is_stale) return true;
  const auto view = joined->fill->view();
  return view.phase != Fill::Phase::complete || is_fresh(view.head, view.stored);
}

ObjectIndex::Found FillStarter::find_or_fill_slice(runtime::Worker& worker, const MediaRequest& media,
                                                   const SlicedFilePtr& file, std::uint64_t number) {
  const auto map = parts_.channels.map();
  if (!map || !map->find(media.link.channel)) return channel_unknown();
  const auto key = file->slice_key(number);
  if (lacks_memory(key))
    return FillFailure{&http::problems::overloaded, "this node has too little memory for another object",
                       "memory_scarce"};
  auto found = parts_.index.find_or_begin(key, parts_.clock.steady_now());
  if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found); joined && joined->began)
    begin(worker, {media, joined->fill, file, number});
  return found;
}

bool FillStarter::lacks_memory(const ObjectKey& key) {
  if (base::Memory::of_process().level() == base::MemoryLevel::plenty || !needs_new_fill(key)) return false;
  parts_.fills.metrics.refused_for_memory.add();
  return true;
}

bool FillStarter::needs_new_fill(const ObjectKey& key) const {
  const auto status = parts_.index.status(key.id);
  return status == ObjectIndex::Status::nothing || status == ObjectIndex::Status::failed;
}

// --- Warm-up ---

FillStarter::WarmResult FillStarter::warm(runtime::Worker& worker, std::string_view target) {
  const auto media = reader_.read_target(target);
  const auto map = parts_.channels.map();
  if (!media || !map || !map->find(media->link.channel)) return WarmResult::refused;
  const auto key = object_key(parts_.view.get()->query_rules, media->link);
  if (parts_.index.sliced().find(key.id)) return WarmResult::known;
  if (base::Memory::of_process().level() != base::MemoryLevel::plenty && needs_new_fill(key))
    return WarmResult::refused;
  const auto found = parts_.index.find_or_begin(key, parts_.clock.steady_now());
  const auto* joined = std::get_if<ObjectIndex::Joined>(&found);
  if (!joined || !joined->began) return WarmResult::known;
  begin(worker, {*media, joined->fill});
  return WarmResult::began;
}

std::optional<ObjectKey> FillStarter::warm_slice(runtime::Worker& worker, std::string_view target,
                                                 std::uint64_t number) {
  const auto media = reader_.read_target(target);
  const auto file =
      media ? parts_.index.sliced().find(object_key(parts_.view.get()->query_rules, media->link).id) : nullptr;
  if (!file) return std::nullopt;
  const auto found = find_or_fill_slice(worker, *media, file, number);
  if (std::holds_alternative<FillFailure>(found)) return std::nullopt;
  return file->slice_key(number);
}

std::optional<ObjectKey> FillStarter::warm_object(runtime::Worker& worker, const std::string& object,
                                                  std::optional<std::uint64_t> slice) {
  const auto channel_end = object.find('/');
  const auto epoch_end = channel_end == std::string::npos ? channel_end : object.find('/', channel_end + 1);
  if (epoch_end == std::string::npos) return std::nullopt;
  const auto query = std::min(object.find('?'), object.size());
  const auto now = parts_.clock.wall_now();
  const contracts::Link link{object.substr(0, channel_end), object.substr(channel_end + 1, epoch_end - channel_end - 1),
                             object.substr(epoch_end + 1, query - epoch_end - 1),
                             object.substr(std::min(query + 1, object.size())),
                             base::unix_seconds(now) + kWarmLinkSeconds};
  const auto view = parts_.view.get();
  const auto signed_query = contracts::signed_query(*view->keys, link, now);
  if (signed_query.empty()) return std::nullopt;
  const auto target = contracts::media_target(link, signed_query);
  if (slice) return warm_slice(worker, target, *slice);
  if (warm(worker, target) == WarmResult::refused) return std::nullopt;
  return object_key(view->query_rules, link);
}

// --- Candidates ---

void FillStarter::begin(runtime::Worker& worker, Beginning beginning) {
  const auto& link = beginning.media.link;
  const auto map = parts_.channels.map();
  const auto* channel = map ? map->find(link.channel) : nullptr;
  auto origins = channel ? channel->origins_of(link.epoch) : std::nullopt;
  if (origins) {
    const auto distrusted = parts_.channels.distrusted();
    if (const auto found = distrusted->find(link.channel); found != distrusted->end())
      origins->distrusted = found->second;
    return start(worker, *origins, beginning);
  }
  const auto now = parts_.clock.steady_now();
  if (beginning.deadline == base::SteadyTime{}) beginning.deadline = now + kMapAwaited;
  if (now < beginning.deadline) return wait_for_map(worker, std::move(beginning));
  fail(*beginning.fill, {.problem = &http::problems::node_unavailable,
                         .detail = "this node does not know the origins of the link's epoch yet",
                         .reason = "origins_unknown"});
}

void FillStarter::wait_for_map(runtime::Worker& worker, Beginning beginning) {
  auto& own = *by_worker_[worker.index];
  own.waiting.push_back(std::move(beginning));
  if (own.timer.pending()) return;
  parts_.request_channel_map();
  own.timer = worker.loop.after(kMapPeriod, [this, &worker] { retry_waiting(worker); });
}

void FillStarter::retry_waiting(runtime::Worker& worker) {
  for (auto& beginning : std::exchange(by_worker_[worker.index]->waiting, {})) begin(worker, std::move(beginning));
}

void FillStarter::fail(Fill& fill, const FillFailure& failure) {
  parts_.index.abandon(fill, failure, parts_.clock.steady_now() + kFailureRemembered);
  fill.fail(failure);
}

void FillStarter::start(runtime::Worker& worker, const contracts::OriginSet& origins, const Beginning& beginning) {
  const auto& [media, fill, file, slice, deadline] = beginning;
  const auto view = parts_.view.get();
  auto source = fill_candidates(*view, *parts_.peers.peers(), origins, media.link, fill->key(), media.asker,
                                parts_.clock.wall_now(), parts_.purges.covering(fill->key().text));
  if (!source)
    return fail(*fill, {.problem = &http::problems::not_found,
                        .detail = "the link names an origin that the channel does not have",
                        .reason = "no_such_origin",
                        .cause = source.error().text});
  source->variant = media.variant;
  if (file) {
    source->file = file;
    source->slice = file->slice(slice);
  }
  auto& runner = by_worker_[worker.index]->running.add([&](std::function<void()> on_over) {
    return std::make_unique<FillRunner>(parts_.fills, worker, view->fill, std::move(*source), beginning.fill,
                                        std::move(on_over));
  });
  runner.start();
}

}  // namespace tribune::cache_node
