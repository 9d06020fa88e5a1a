#include "accounts/password_hasher.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "base/memory.h"

#include "accounts/account.h"

namespace tribune::accounts {

namespace {

constexpr unsigned kMaxHashingThreads = 64;
constexpr double kAssumedSeconds = 0.05;        // of an entry, before the first one is measured
constexpr double kWeightOfNewDuration = 0.125;  // in the moving average

tl::unexpected<base::Error> no_capacity(std::string text) {
  return base::failure(base::ErrorKind::unavailable, base::Fault::tribune, std::move(text), true);
}

base::Counter refused_work(base::Metrics& metrics, std::string_view reason) {
  return metrics.counter("tribune_accounts_password_work_refused_total",
                         "Passwords that were neither hashed nor checked, by reason", {{"reason", reason}});
}

base::Counter password_work(base::Metrics& metrics, std::string_view outcome) {
  return metrics.counter("tribune_accounts_password_work_total",
                         "Passwords that were hashed or checked, by outcome; renewed ones count as right too",
                         {{"outcome", outcome}});
}

}  // namespace

/// One of the two callbacks is set.
struct PasswordHasher::Work {
  Work(std::string& from, std::string stored, OnHashed hash_done, OnChecked check_done)
      : password(std::move(from)),
        stored_hash(std::move(stored)),
        on_hashed(std::move(hash_done)),
        on_checked(std::move(check_done)) {
    base::wipe(from);  // a short text stays in its old place when it is moved
  }
  ~Work() { base::wipe(password); }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  std::string password;
  std::string stored_hash;
  OnHashed on_hashed;
  OnChecked on_checked;
  base::SteadyTime added{};
};

PasswordHasher::PasswordHasher(const Settings& settings, const base::Clock& clock, base::Metrics& metrics)
    : clock_(clock),
      thread_count_(std::clamp(settings.threads, 1u, kMaxHashingThreads)),
      made_(password_work(metrics, "made")),
      renewed_(password_work(metrics, "renewed")),
      right_(password_work(metrics, "right")),
      wrong_(password_work(metrics, "wrong")),
      failed_(password_work(metrics, "failed")),
      full_(refused_work(metrics, "full")),
      late_(refused_work(metrics, "late")),
      stopped_(refused_work(metrics, "stopped")),
      waiting_gauge_(
          metrics.gauge("tribune_accounts_password_work_waiting", "Passwords that wait to be hashed or checked")),
      wait_seconds_(metrics.histogram("tribune_accounts_password_wait_seconds",
                                      "Waiting time of passwords before they are hashed or checked",
                                      base::latency_buckets())),
      hash_seconds_(metrics.histogram("tribune_accounts_password_hash_seconds",
                                      "Time in which a password is hashed or checked", base::latency_buckets())),
      settings_(settings),
      hash_of_no_login_(base::hash_of_no_password(settings.cost)) {
  for (std::size_t i = 0; i < thread_count_; ++i) threads_.emplace_back([this] { run(); });
}

void PasswordHasher::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
}

void PasswordHasher::join() {
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

PasswordHasher::~PasswordHasher() {
  stop();
  join();
}

void PasswordHasher::apply(const Settings& settings) {
  auto no_login = base::hash_of_no_password(settings.cost);
  const std::lock_guard lock(mutex_);
  settings_ = settings;
  hash_of_no_login_ = std::move(no_login);
}

base::Status PasswordHasher::hash(HashingPriority priority, std::string password, OnHashed done) {
  return add(priority, std::make_unique<Work>(password, std::string{}, std::move(done), nullptr));
}

base::Status PasswordHasher::check(HashingPriority priority, std::string password, std::string hash_or_empty,
                                   OnChecked done) {
  return add(priority, std::make_unique<Work>(password, std::move(hash_or_empty), nullptr, std::move(done)));
}

base::Status PasswordHasher::add(HashingPriority priority, std::unique_ptr<Work> work) {
  if (work->password.size() > kMaxPasswordBytes)
    return base::failure(base::ErrorKind::too_large, base::Fault::client, "the password is too long");
  work->added = clock_.steady_now();
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) {
      stopped_.add();
      return no_capacity("the process is stopping: no password is checked");
    }
    const bool is_known = priority == HashingPriority::known_device;
    auto& queue = queues_[is_known ? 0 : 1];
    if (queue.size() >= (is_known ? settings_.max_waiting_known : settings_.max_waiting_other)) {
      full_.add();
      return no_capacity("too many passwords wait to be checked");
    }
    queue.push_back(std::move(work));
    waiting_gauge_.set(static_cast<double>(waiting()));
  }
  wake_.notify_one();
  return {};
}

std::chrono::seconds PasswordHasher::expected_wait(HashingPriority priority) const {
  const std::lock_guard lock(mutex_);
  const auto ahead = running_ + (priority == HashingPriority::known_device ? queues_[0].size() : waiting());
  const auto one = average_seconds_ > 0 ? average_seconds_ : kAssumedSeconds;
  const auto rounds = ahead / thread_count_ + 1;
  return std::max(std::chrono::seconds{1},
                  std::chrono::seconds{static_cast<std::int64_t>(std::ceil(one * static_cast<double>(rounds)))});
}

void PasswordHasher::run() {
  while (true) {
    auto taken = take();
    if (!taken.work) return;
    answer(taken);
  }
}

/// A failed allocation loses the answer of this entry, and not the process.
void PasswordHasher::answer(Taken& taken) {
  try {
    if (taken.outcome == Outcome::compute)
      compute(taken);
    else
      refuse(taken);
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
  }
}

/// The next entry, without work when the thread ends. Entries that have waited for too long come first.
PasswordHasher::Taken PasswordHasher::take() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return is_stopping_ || waiting() > 0; });
  Taken taken;
  if (waiting() == 0) return taken;
  const auto now = clock_.steady_now();
  const auto is_late = [&](const Queue& queue) {
    return !queue.empty() && now - queue.front()->added >= settings_.max_wait;
  };
  auto* queue = queues_[0].empty() ? &queues_[1] : &queues_[0];
  if (is_late(queues_[1])) queue = &queues_[1];
  if (is_stopping_)
    taken.outcome = Outcome::stopping;
  else if (is_late(*queue))
    taken.outcome = Outcome::late;
  else
    ++running_;
  taken.work = std::move(queue->front());
  queue->pop_front();
  taken.cost = settings_.cost;
  if (taken.work->stored_hash.empty()) taken.work->stored_hash = hash_of_no_login_;
  waiting_gauge_.set(static_cast<double>(waiting()));
  wait_seconds_.observe(std::chrono::duration<double>(now - taken.work->added).count());
  return taken;
}

void PasswordHasher::refuse(Taken& taken) {
  const bool is_late = taken.outcome == Outcome::late;
  (is_late ? late_ : stopped_).add();
  const auto error = no_capacity(is_late ? "the password waited too long to be checked"
                                         : "the process is stopping: no password is checked");
  auto& work = *taken.work;
  if (work.on_hashed)
    work.on_hashed(error);
  else
    work.on_checked(error);
}

void PasswordHasher::compute(Taken& taken) {
  const auto began = clock_.steady_now();
  auto& work = *taken.work;
  if (work.on_hashed) {
    auto result = hashed(taken);
    base::wipe(work.password);
    finish(began);
    work.on_hashed(std::move(result));
  } else {
    auto result = checked(taken);
    base::wipe(work.password);
    finish(began);
    work.on_checked(std::move(result));
  }
}

void PasswordHasher::finish(base::SteadyTime began) {
  const auto seconds = std::chrono::duration<double>(clock_.steady_now() - began).count();
  hash_seconds_.observe(seconds);
  const std::lock_guard lock(mutex_);
  --running_;
  average_seconds_ =
      average_seconds_ > 0 ? average_seconds_ + kWeightOfNewDuration * (seconds - average_seconds_) : seconds;
}

base::Result<std::string> PasswordHasher::hashed(const Taken& taken) {
  auto hash = base::hash_password(taken.work->password, taken.cost);
  (hash ? made_ : failed_).add();
  return hash;
}

base::Result<PasswordHasher::Checked> PasswordHasher::checked(const Taken& taken) {
  const auto& work = *taken.work;
  Checked checked;
  switch (base::check_password(work.stored_hash, work.password)) {
    case base::PasswordMatch::unavailable: failed_.add(); return no_capacity("no memory to check a password");
    case base::PasswordMatch::wrong: wrong_.add(); return checked;
    case base::PasswordMatch::right: right_.add(); checked.is_right = true;
  }
  if (!base::needs_renewal(work.stored_hash, taken.cost)) return checked;
  if (auto renewed = base::hash_password(work.password, taken.cost)) {
    checked.renewed_hash = std::move(*renewed);
    renewed_.add();
  }
  return checked;
}

}  // namespace tribune::accounts
