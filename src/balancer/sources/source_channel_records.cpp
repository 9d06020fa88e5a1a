// What of a channel's numbering and names survives this process: its records in the store.
#include <algorithm>

#include "balancer/sources/source_channel.h"
#include "hls/numbers.h"

namespace tribune::balancer {

namespace {
/// Each node has received the answer to a heartbeat in this time.
constexpr std::chrono::milliseconds kNodesAreTold{1'500};
}  // namespace

void SourceChannel::load(const TimelineRecords& records) {
  const auto now = services_.clock.steady_now();
  const auto wall = services_.clock.wall_now();
  for (const auto& [key, record] : records)
    if (key.empty()) timeline_.load_channel(record, now, wall);
  for (const auto& [key, record] : records) {
    if (key == kEndMark)
      end_believed_until_ =
          wall +
          std::min<std::chrono::seconds>(
              kEndBelieved, std::chrono::seconds{hls::read_integer(record).value_or(0) - base::unix_seconds(wall)});
    else if (key == kDistrustMark)
      distrust_ = record;
    else if (key.starts_with(kChildrenMark))
      saved_children_[key.substr(kChildrenMark.size())] = record;
    else if (!key.empty())
      timeline_.load_track(key, record, now, wall);
  }
  saved_revision_ = timeline_.revision();
}

TimelineRecords SourceChannel::export_records() {
  const auto now = services_.clock.steady_now();
  const auto wall = services_.clock.wall_now();
  TimelineRecords records;
  if (timeline_.current().epoch.empty()) return records;  // nothing was listed
  for (const auto& track : timeline_.tracks()) records[track] = timeline_.save_track(track, now, wall);
  for (const auto& [key, record] : saved_children_) records[std::string(kChildrenMark) + key] = record;
  if (const auto root = playlists_.find(kIndexPath);
      root != playlists_.end() && !saved_children_.contains(std::string(kIndexPath)))
    records[std::string(kChildrenMark) + std::string(kIndexPath)] = root->second.children.save(config_.source);
  if (is_ended_by_operator()) records[std::string(kEndMark)] = std::to_string(base::unix_seconds(end_believed_until_));
  if (!distrust_.empty()) records[std::string(kDistrustMark)] = distrust_;
  records[""] = timeline_.save_channel(now, wall);
  if (!is_generation_saved()) store_.keep(kTimelinesTable, config_.id + "\n", records[""]);
  return records;
}

void SourceChannel::continue_above(const Timeline::Standing& former) {
  const auto tracks = timeline_.tracks();
  if (!timeline_.continue_above(former, services_.clock.steady_now())) return;
  for (const auto& track : tracks) store_.keep(kTimelinesTable, config_.id + "\n" + track, std::nullopt);
  services_.log.warning("balancer", "numbering_lost",
                        {{"channel", config_.id}, {"next_msn", former.next_msn}, {"epoch", timeline_.current().epoch}});
}

void SourceChannel::begin_numbering() {
  awaits_former_numbers_ = false;
  for (const auto& call : std::exchange(held_, {})) call();
}

/// The numbers reach the nodes by their next heartbeats.
void SourceChannel::publish_standing() {
  auto standing = timeline_.standing();
  if (standing.next_msn > 0) slot_->listed.publish(std::make_shared<const Timeline::Standing>(std::move(standing)));
}

void SourceChannel::save_track(const std::string& track) {
  publish_standing();
  store_.keep(kTimelinesTable, config_.id + "\n" + track,
              timeline_.save_track(track, services_.clock.steady_now(), services_.clock.wall_now()));
}

void SourceChannel::forget_track(const std::string& track) {
  timeline_.forget(track);
  slot_->holds.listed_again(track);
  store_.keep(kTimelinesTable, config_.id + "\n",
              timeline_.save_channel(services_.clock.steady_now(), services_.clock.wall_now()));
  store_.keep(kTimelinesTable, config_.id + "\n" + track, std::nullopt);
}

bool SourceChannel::is_generation_saved() const { return timeline_.revision() == saved_revision_; }

void SourceChannel::save_generation(std::function<void()> on_saved) {
  const auto revision = timeline_.revision();
  auto& loop = worker_.loop;
  auto record = timeline_.save_channel(services_.clock.steady_now(), services_.clock.wall_now());
  const auto finish = [this, revision, on_saved = std::move(on_saved),
                       alive = std::weak_ptr<int>(alive_)](const base::Status& status) {
    if (alive.expired()) return;
    saved_revision_ = revision;
    if (!status)
      services_.log.error("balancer", "timeline_not_saved", {{"channel", config_.id}, {"error", status.error().text}});
    if (status || timeline_.standing().next_msn == 0 || !timeline_.current().is_placed) return on_saved();
    // WHY: viewers are served even when the write failed. The next process asks the nodes where the numbering stood.
    when_numbering(on_saved);
    if (std::exchange(awaits_former_numbers_, true)) return;
    nodes_know_ = worker_.loop.after(kNodesAreTold, [this] { begin_numbering(); });
  };
  store_.keep(kTimelinesTable, config_.id + "\n", std::move(record), [&loop, finish](base::Status status) {
    loop.post([finish, status = std::move(status)] { finish(status); });
  });
}

}  // namespace tribune::balancer
