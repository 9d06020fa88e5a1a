#include "access/ticket_queue.h"

#include <numeric>

#include "base/json.h"

namespace tribune::access {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxSamples = 300;
constexpr std::uint64_t kEnoughCalls =
    100;  // enough for a rate; with fewer calls the whole time that was sampled counts
constexpr auto kMinWindow = 10s;

/// Derives from a random number a number in [2, n) that has no common divisor with n; 1 when there is none.
std::uint64_t multiplier_for(std::uint64_t n, std::uint64_t random) {
  if (n < 3) return 1;
  // At least one in twenty numbers of this size fits, and n - 1 always does.
  for (auto candidate = 2 + random % (n - 2);; candidate = candidate + 1 < n ? candidate + 1 : 2)
    if (std::gcd(candidate, n) == 1) return candidate;
}

bool is_known_unserved(TicketState state) { return state == TicketState::waiting || state == TicketState::silent; }

}  // namespace

std::string to_text(const TicketQueueRecord& record) {
  base::json::Writer w;
  w.begin_object()
      .member("queue", std::uint64_t{record.queue})
      .member("served", record.served)
      .member("next", record.next);
  w.member("reserved", record.reserved).member("before_opening", record.is_before_opening);
  const auto& lottery = record.lottery;
  w.member("first", lottery.first)
      .member("end", lottery.end)
      .member("multiplier", lottery.multiplier)
      .member("offset", lottery.offset);
  return w.end_object().take();
}

std::optional<TicketQueueRecord> parse_ticket_queue_record(std::string_view text) {
  const auto json = base::json::parse(text);
  if (!json || !json->is(base::json::Kind::object)) return std::nullopt;
  TicketQueueRecord record;
  bool is_whole = true;
  const auto number = [&](std::string_view name) {
    const auto value = json->whole(name);
    is_whole = is_whole && value && *value >= 0;
    return static_cast<std::uint64_t>(value.value_or(0));
  };
  record.queue = static_cast<std::uint32_t>(number("queue"));
  record.served = number("served");
  record.next = number("next");
  record.reserved = number("reserved");
  record.is_before_opening = json->flag("before_opening").value_or(false);
  record.lottery = {number("first"), number("end"), number("multiplier"), number("offset")};
  const auto& lottery = record.lottery;
  const bool is_drawn = lottery.first == lottery.end ||
                        (lottery.first < lottery.end && std::gcd(lottery.multiplier, lottery.end - lottery.first) == 1);
  const bool is_ordered =
      record.served < record.next && record.next <= record.reserved && record.reserved - record.served < (1ull << 32);
  if (!is_whole || !is_drawn || !is_ordered) return std::nullopt;
  return record;
}

std::int32_t TicketQueue::ticks(base::SteadyTime t) {
  return static_cast<std::int32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count() /
                                   100);
}

void TicketQueue::restore(const TicketQueueRecord& record) {
  record_ = record;
  record_.next = record.reserved;
  // Within a lottery numbers are not called in their order: all of its entries are kept.
  const bool is_in_lottery = record.served + 1 < record.lottery.end;
  base_ = is_in_lottery ? std::min(record.lottery.first, record.served + 1) : record.served + 1;
  if (base_ == 0) base_ = 1;
  entries_.assign(record_.next - base_, TicketEntry{});
  for (auto number = base_; number < record_.next; ++number)
    if (place_of(number) <= record_.served) entries_[number - base_].state = TicketState::done;
}

TicketQueueRecord TicketQueue::record() const { return record_; }

std::uint64_t TicketQueue::add(SessionId session, std::uint64_t client, std::uint32_t node_list, base::SteadyTime now) {
  const auto number = record_.next++;
  entries_.push_back({session, client, ticks(now), ticks(now), node_list, TicketState::waiting});
  ++waiting_;
  ++known_unserved_;
  count_waiting(place_of(number), 1);
  return number;
}

TicketEntry* TicketQueue::find(std::uint64_t number) {
  return number < base_ || number >= record_.next ? nullptr : &entries_[number - base_];
}

void TicketQueue::set_state(std::uint64_t number, TicketState state) {
  auto* entry = find(number);
  if (!entry || entry->state == state) return;
  if (entry->state == TicketState::waiting) {
    --waiting_;
    count_waiting(place_of(number), -1);
  }
  if (state == TicketState::waiting) {
    ++waiting_;
    count_waiting(place_of(number), 1);
  }
  if (is_known_unserved(entry->state)) --known_unserved_;
  if (is_known_unserved(state)) ++known_unserved_;
  entry->state = state;
  if (state >= TicketState::done) trim();
}

void TicketQueue::advance() {
  ++record_.served;
  trim();
}

std::uint64_t TicketQueue::ahead_of(std::uint64_t number) {
  const auto place = place_of(number);
  if (place <= record_.served) return 0;
  // Served tickets do not wait, so the counts from the first block on are those of the positions after `served` alone.
  const auto first = first_block_ * kBlock, chunk = (place - std::min(place, first)) / kChunk,
             block = chunk / (kBlock / kChunk);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < block && i < blocks_.size(); ++i) sum += blocks_[i];
  for (auto i = block * (kBlock / kChunk); i < chunk && i < chunks_.size(); ++i) sum += chunks_[i];
  for (auto before = std::max(first + chunk * kChunk, record_.served + 1); before < place; ++before) {
    const auto* entry = find(record_.lottery.number_at(before));
    if (entry && entry->state == TicketState::waiting) ++sum;
  }
  return sum;
}

void TicketQueue::open(std::uint64_t random_a, std::uint64_t random_b) {
  record_.is_before_opening = false;
  const auto count_of_all = unserved();
  if (count_of_all < 2) return;
  record_.lottery = {record_.served + 1, record_.next, multiplier_for(count_of_all, random_a), random_b % count_of_all};
  chunks_.clear();
  blocks_.clear();
  for (std::uint64_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].state == TicketState::waiting) count_waiting(place_of(base_ + i), 1);
}

void TicketQueue::sample(base::SteadyTime now) {
  if (!has_head()) return samples_.clear();  // the speed while no ticket waits does not predict a waiting time
  samples_.push_back({now, record_.served, called_});
  if (samples_.size() > kMaxSamples) samples_.pop_front();
}

/// The newest window that is long enough and has enough calls; else all samples; nullopt when that is too short or no
/// ticket was called.
std::optional<std::pair<const TicketQueue::Sample*, const TicketQueue::Sample*>> TicketQueue::window() const {
  if (samples_.empty()) return std::nullopt;
  const auto& newest = samples_.back();
  const Sample* oldest = nullptr;
  for (auto sample = samples_.rbegin(); sample != samples_.rend(); ++sample) {
    if (newest.at - sample->at < kMinWindow) continue;
    oldest = &*sample;
    if (newest.called - sample->called >= kEnoughCalls) break;
  }
  if (!oldest || newest.called == oldest->called) return std::nullopt;
  return std::pair(oldest, &newest);
}

std::optional<double> TicketQueue::places_per_second() const {
  const auto span = window();
  if (!span) return std::nullopt;
  const std::chrono::duration<double> time = span->second->at - span->first->at;
  return static_cast<double>(span->second->served - span->first->served) / time.count();
}

std::optional<double> TicketQueue::calls_per_second() const {
  const auto span = window();
  if (!span) return std::nullopt;
  const std::chrono::duration<double> time = span->second->at - span->first->at;
  return static_cast<double>(span->second->called - span->first->called) / time.count();
}

void TicketQueue::count_waiting(std::uint64_t place, int by) {
  if (blocks_.empty()) first_block_ = (record_.served + 1) / kBlock;
  if (place / kBlock < first_block_) return;  // served, and its block was removed
  const auto block = place / kBlock - first_block_, chunk = (place - first_block_ * kBlock) / kChunk;
  if (block >= blocks_.size()) {
    blocks_.resize(block + 1);
    chunks_.resize(blocks_.size() * (kBlock / kChunk));
  }
  blocks_[block] += static_cast<std::uint32_t>(by);
  chunks_[chunk] += static_cast<std::uint32_t>(by);
}

void TicketQueue::trim() {
  const auto& lottery = record_.lottery;
  const bool is_in_lottery = record_.served + 1 < lottery.end && base_ < lottery.end;
  while (!is_in_lottery && !entries_.empty() && base_ <= record_.served &&
         entries_.front().state >= TicketState::done) {
    entries_.pop_front();
    ++base_;
    if (cursor_ > 0) --cursor_;
  }
  const auto served_block = (record_.served + 1) / kBlock;
  if (served_block < first_block_ + 64 || blocks_.empty()) return;
  const auto stale = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(served_block - first_block_, blocks_.size()));
  blocks_.erase(blocks_.begin(), blocks_.begin() + stale);
  chunks_.erase(chunks_.begin(), chunks_.begin() + stale * static_cast<std::ptrdiff_t>(kBlock / kChunk));
  first_block_ += static_cast<std::uint64_t>(stale);
}

}  // namespace tribune::access
