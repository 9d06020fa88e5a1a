// The origins of a channel: their health, and which backups have the same files as the source.
#include <algorithm>
#include <set>

#include "balancer/sources/source_channel.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

std::set<std::string_view> lines_of(std::string_view text) {
  std::set<std::string_view> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    lines.insert(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

/// "http://host:port": the query of a source's URL may contain credentials.
std::string SourceChannel::origin_name(std::size_t origin) const {
  const auto uri = http::parse_uri(origin == 0 ? config_.source : config_.backup_origins[origin - 1]);
  return uri ? uri->origin() : "";
}

/// A backup that stays in the configuration stays distrusted, also over a restart of the process.
void SourceChannel::configure_origins(bool are_same) {
  const auto count = 1 + config_.backup_origins.size();
  if (!are_same || source_origins_.count() != count) {
    source_origins_ = SourceOrigins(count);
    backup_trust_ = BackupTrust(count);
    const auto distrusted = lines_of(distrust_);
    for (std::size_t i = 1; i < count && distrusted.contains(source_id(config_.source)); ++i)
      if (distrusted.contains(origin_name(i))) backup_trust_.distrust(i);
  }
  use_trust();
}

void SourceChannel::use_trust() {
  std::set<std::size_t> distrusted;
  std::string record;
  for (std::size_t i = 1; i < source_origins_.count(); ++i) {
    if (backup_trust_.is_trusted(i)) continue;
    if (distrusted.empty()) record = source_id(config_.source);
    record.append("\n").append(origin_name(i));
    distrusted.insert(i);
  }
  if (const auto key = config_.id + "\n" + std::string(kDistrustMark); record.empty() && !distrust_.empty())
    store_.erase(kTimelinesTable, key);
  else if (record != distrust_)
    store_.put(kTimelinesTable, key, record);
  distrust_ = std::move(record);
  timeline_.distrust(std::move(distrusted));
  publish_origins();
}

void SourceChannel::publish_origins() {
  auto status = std::make_shared<std::vector<OriginStatus>>();
  for (std::size_t i = 0; i < source_origins_.count(); ++i)
    status->push_back({origin_name(i), i == source_origins_.choice(), source_origins_.is_healthy(i),
                       backup_trust_.is_trusted(i), backup_trust_.is_compared(i),
                       std::string(backup_trust_.difference(i))});
  slot_->origins.publish(std::move(status));
}

void SourceChannel::on_origin_changed(std::size_t origin, bool is_healthy, std::string_view why) {
  publish_origins();
  const auto& url = origin == 0 ? config_.source : config_.backup_origins[origin - 1];
  const auto name = std::string_view(url).substr(0, url.find('?'));  // the query may contain the origin's credentials
  if (is_healthy)
    services_.log.info("balancer", "origin_returned", {{"channel", config_.id}, {"origin", name}});
  else
    services_.log.warning("balancer", "origin_left", {{"channel", config_.id}, {"origin", name}, {"error", why}});
  if (!is_healthy) metrics_.origin_left();
}

void SourceChannel::on_backup_compared(std::size_t origin, const std::string& playlist,
                                       const FileComparison& comparison, std::chrono::milliseconds target_duration) {
  static constexpr std::string_view kWords[] = {"same", "different", "unrelated", "unknown"};
  metrics_.compared_backup(kWords[static_cast<std::size_t>(comparison.result)]);
  const bool was_compared = backup_trust_.is_compared(origin);
  const auto before = backup_trust_.difference(origin);
  const bool has_changed =
      backup_trust_.compared(origin, playlist, comparison, target_duration, services_.clock.steady_now());
  if (!has_changed) {
    if (was_compared != backup_trust_.is_compared(origin) || before != backup_trust_.difference(origin))
      publish_origins();
    return;
  }
  use_trust();
  const auto name = origin_name(origin);
  if (backup_trust_.is_trusted(origin)) {
    services_.log.info("balancer", "backup_trusted", {{"channel", config_.id}, {"origin", name}});
    return;
  }
  metrics_.backup_distrusted();
  services_.log.warning("balancer", "backup_distrusted",
                        {{"channel", config_.id},
                         {"origin", name},
                         {"path", playlist},
                         {"difference", backup_trust_.difference(origin)},
                         {"segment", comparison.path},
                         {"to_do", "let both packagers write the same files, or remove the backup"}});
}

void SourceChannel::believe_end(base::WallTime until) {
  end_believed_until_ = until;
  source_origins_ = SourceOrigins(source_origins_.count());
  publish_origins();
}

}  // namespace tribune::balancer
