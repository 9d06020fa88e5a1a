#include "cache_node/upkeep/warm_up.h"

#include <algorithm>

namespace tribune::cache_node {

namespace {
constexpr std::size_t kAtOnce = 8;
constexpr std::size_t kMaxJobs = 16;
constexpr std::chrono::milliseconds kPeriod{20};   // fills say to their readers how they end; a job only counts
}  // namespace

WarmUp::WarmUp(net::EventLoop& loop, const base::Clock& clock, base::Log& log, ObjectIndex& index, BeginFill begin_fill)
    : loop_(loop), clock_(clock), log_(log), index_(index), begin_fill_(std::move(begin_fill)) {}

WarmUp::Progress WarmUp::Job::progress() const { return {total, left.size(), running.size(), stored, failed}; }

base::Result<WarmUp::Progress> WarmUp::begin(contracts::WarmOrder order) {
  const std::lock_guard lock(mutex_);
  for (const auto& job : jobs_)
    if (job.id == order.job) return job.progress();
  if (jobs_.size() >= kMaxJobs) {
    const auto over = std::find_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.progress().is_done(); });
    if (over == jobs_.end()) return base::failure(base::ErrorKind::unavailable, base::Fault::client, "too many warm-ups are under way", true);
    jobs_.erase(over);
  }
  Job job;
  job.id = std::move(order.job);
  job.total = order.objects.size();
  job.left.assign(std::make_move_iterator(order.objects.begin()), std::make_move_iterator(order.objects.end()));
  jobs_.push_back(std::move(job));
  loop_.post([this] { work(); });
  return jobs_.back().progress();
}

std::optional<WarmUp::Progress> WarmUp::progress(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& job : jobs_)
    if (job.id == id) return job.progress();
  return std::nullopt;
}

void WarmUp::work() {
  bool any_left = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto& job : jobs_) {
      take_stock(job);
      begin_more(job);
      any_left |= !job.progress().is_done();
      if (job.told || !job.progress().is_done()) continue;
      job.told = true;
      log_.info("cache_node", "warmed_up", {{"job", job.id}, {"stored", job.stored}, {"failed", job.failed}});
    }
  }
  if (any_left) timer_ = loop_.after(kPeriod, [this] { work(); });
}

void WarmUp::take_stock(Job& job) {
  std::erase_if(job.running, [&](const ObjectKey& key) {
    const auto standing = index_.standing(key.id);
    if (standing == ObjectIndex::Standing::filling) return false;
    ++(standing == ObjectIndex::Standing::held || index_.sliced().find(key.id) ? job.stored : job.failed);
    return true;
  });
}

void WarmUp::begin_more(Job& job) {
  while (!job.left.empty() && job.running.size() < kAtOnce) {
    const auto object = std::move(job.left.front());
    job.left.pop_front();
    if (auto key = begin_fill_(object)) {
      job.running.push_back(std::move(*key));
    } else {
      ++job.failed;
    }
  }
}

void write(base::json::Writer& w, std::string_view job, const WarmUp::Progress& p) {
  w.member("job", job).member("total", p.total).member("left", p.left).member("running", p.running).member("stored", p.stored);
  w.member("failed", p.failed).member("done", p.is_done());
}

}  // namespace tribune::cache_node
