#include "cache_node/orders/warm_up.h"

#include <algorithm>

namespace tribune::cache_node {

namespace {
constexpr std::size_t kAtOnce = 8;
constexpr std::size_t kMaxJobs = 16;
constexpr std::chrono::milliseconds kPeriod{20};  // fills notify only their readers; a job polls the index
}  // namespace

WarmUp::WarmUp(net::EventLoop& loop, base::Log& log, ObjectIndex& index, BeginFill begin_fill)
    : loop_(loop), log_(log), index_(index), begin_fill_(std::move(begin_fill)) {}

WarmUp::Progress WarmUp::Job::progress() const { return {total, left.size(), running.size(), stored, failed}; }

base::Result<WarmUp::Progress> WarmUp::begin(contracts::WarmOrder order) {
  const std::lock_guard lock(mutex_);
  for (const auto& job : jobs_)
    if (job.id == order.job) return job.progress();
  if (jobs_.size() >= kMaxJobs) {
    const auto over = std::find_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.progress().is_done(); });
    if (over == jobs_.end())
      return base::failure(base::ErrorKind::unavailable, base::Fault::client, "too many warm-ups are running", true);
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
      count_finished(job);
      begin_more(job);
      any_left |= !job.progress().is_done();
      if (job.is_logged || !job.progress().is_done()) continue;
      job.is_logged = true;
      log_.info("cache_node", "warmed_up", {{"job", job.id}, {"stored", job.stored}, {"failed", job.failed}});
    }
  }
  if (any_left) timer_ = loop_.after(kPeriod, [this] { work(); });
}

void WarmUp::count_finished(Job& job) {
  std::erase_if(job.running, [&](Running& running) {
    const auto fill_state = this->fill_state(running);
    if (fill_state == FillState::runs) return false;
    ++(fill_state == FillState::stored ? job.stored : job.failed);
    return true;
  });
}

/// The state of an object that was begun. A file whose fill switched to slices continues with its slices.
WarmUp::FillState WarmUp::fill_state(Running& running) {
  const auto status = index_.status((running.slice_key ? *running.slice_key : running.key).id);
  if (status == ObjectIndex::Status::filling) return FillState::runs;
  const bool is_held = status == ObjectIndex::Status::held;
  const auto file = index_.sliced().find(running.key.id);
  if (!file) return is_held && !running.slice_key ? FillState::stored : FillState::failed;
  if (running.slice_key && !is_held) return FillState::failed;
  if (running.next_slice * file->slice_bytes >= file->size) return FillState::stored;
  running.slice_key = begin_fill_(running.object, running.next_slice++);
  return running.slice_key ? FillState::runs : FillState::failed;
}

void WarmUp::begin_more(Job& job) {
  while (!job.left.empty() && job.running.size() < kAtOnce) {
    auto object = std::move(job.left.front());
    job.left.pop_front();
    if (auto key = begin_fill_(object, std::nullopt)) {
      job.running.push_back({std::move(object), std::move(*key), std::nullopt, 0});
    } else {
      ++job.failed;
    }
  }
}

void write(base::json::Writer& w, std::string_view job, const WarmUp::Progress& p) {
  w.member("job", job)
      .member("total", p.total)
      .member("left", p.left)
      .member("running", p.running)
      .member("stored", p.stored);
  w.member("failed", p.failed).member("done", p.is_done());
}

}  // namespace tribune::cache_node
