#include "balancer/sources/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "balancer/sources/playlist_query.h"
#include "balancer/sources/rendered_playlists.h"
#include "balancer/sources/source_channel.h"

namespace tribune::balancer {

/// The callbacks of one lookup. Only the worker that called look_up() uses them, so that they are also destroyed there.
struct PendingLookup::Inner {
  OnPlaylist on_answer = {};
  OnDocument on_document = {};

  void forget() {
    on_answer = nullptr;
    on_document = nullptr;
  }
};

PendingLookup::~PendingLookup() {
  if (inner_) inner_->forget();
}

PendingLookup& PendingLookup::operator=(PendingLookup&& other) noexcept {
  if (this == &other) return *this;
  if (inner_) inner_->forget();
  inner_ = std::move(other.inner_);
  return *this;
}

using ChannelTable = std::map<std::string, std::shared_ptr<ChannelSlot>, std::less<>>;
using OwnedChannels = std::map<std::string, std::unique_ptr<SourceChannel>, std::less<>>;

namespace {

SourceSettings with_rendered(SourceSettings settings, runtime::Services& services) {
  if (!settings.rendered)
    settings.rendered = std::make_shared<RenderedPlaylists>(services.clock, services.metrics, kRenderedBytes);
  return settings;
}

}  // namespace

struct Sources::Inner : std::enable_shared_from_this<Sources::Inner> {
  Inner(runtime::Services& s, store::Store& st, const SourceSettings& se, NodePushHandler* n,
        std::shared_ptr<base::ChannelLabels> l)
      : services(s),
        store(st),
        settings(with_rendered(se, s)),
        push_handler(n),
        labels(std::move(l)),
        owned(s.workers.size()),
        left(s.workers.size()) {}

  runtime::Services& services;
  store::Store& store;
  const SourceSettings settings;
  NodePushHandler* const push_handler;
  const std::shared_ptr<base::ChannelLabels> labels;
  std::map<std::string, TimelineRecords> records;  // by channel; written by load(), before the workers run
  base::Published<ChannelTable> channels{std::make_shared<const ChannelTable>()};
  std::vector<OwnedChannels> owned;  // each used by its worker only
  std::vector<std::map<std::string, TimelineRecords>>
      left;  // by worker, too: channels that a reload removed, because a later one may add them again
  std::atomic<std::int64_t> waiting{0};
  std::atomic<bool> draining{false};
  std::atomic<bool> configured{false};
  std::atomic<bool> awaits_former_numbers{false};

  std::size_t worker_of(std::string_view channel) const {
    return std::hash<std::string_view>{}(channel) % services.workers.size();
  }

  SourceChannel* owned_channel(std::size_t worker, const std::string& id) {
    const auto found = owned[worker].find(id);
    return found == owned[worker].end() ? nullptr : found->second.get();
  }

  /// What the channel had listed when it last existed, in this process or a former one; null for a new channel.
  const TimelineRecords* records_of(std::size_t worker, const std::string& id) const {
    if (const auto here = left[worker].find(id); here != left[worker].end()) return &here->second;
    const auto former = records.find(id);
    return former == records.end() ? nullptr : &former->second;
  }

  template <class Call>
  void post(const std::shared_ptr<ChannelSlot>& slot, Call call) {
    services.workers[slot->worker]->loop.post([self = shared_from_this(), slot, call = std::move(call)]() mutable {
      call(self->owned_channel(slot->worker, slot->id));
    });
  }

  std::optional<base::Result<PlaylistAnswer>> from_memory(const std::shared_ptr<ChannelSlot>&, const std::string& key,
                                                          SourceSlot&, const std::optional<BlockingReload>&);
  void wait(runtime::Worker& worker, const std::shared_ptr<ChannelSlot>&, const std::string& key, Source::Waiter,
            const std::shared_ptr<PendingLookup::Inner>&);
  void set_ages();

  std::mutex listed_mutex;
  std::shared_ptr<const contracts::ListedLinks> listed;  // cached for all nodes that request it
  base::SteadyTime listed_at{};
};

Sources::Sources(runtime::Services& services, store::Store& store, const SourceSettings& settings,
                 NodePushHandler* push_handler, std::shared_ptr<base::ChannelLabels> labels)
    : inner_(std::make_shared<Inner>(services, store, settings, push_handler, std::move(labels))) {
  services.metrics.before_scrape([inner = std::weak_ptr<Inner>(inner_)] {
    if (const auto alive = inner.lock()) alive->set_ages();
  });
}

Sources::~Sources() {
  for (auto& channels : inner_->owned) channels.clear();
}

base::Status Sources::load() {
  return inner_->store.scan(kTimelinesTable, [this](std::string_view key, std::string_view value) {
    const auto cut = key.find('\n');
    if (cut != std::string_view::npos)
      inner_->records[std::string(key.substr(0, cut))][std::string(key.substr(cut + 1))] = value;
    return true;
  });
}

void Sources::await_former_numbers() { inner_->awaits_former_numbers = true; }

void Sources::continue_above(const contracts::ListedNumbers& former) {
  const auto table = inner_->channels.get();
  for (const auto& [channel, number] : former)
    if (const auto found = table->find(channel); found != table->end())
      inner_->post(found->second, [standing = Timeline::Standing{number.epoch, number.next_msn, number.discontinuity}](
                                      SourceChannel* owner) {
        if (owner) owner->continue_above(standing);
      });
}

void Sources::begin_numbering() {
  if (!inner_->awaits_former_numbers.exchange(false)) return;
  for (std::size_t worker = 0; worker < inner_->owned.size(); ++worker)
    inner_->services.workers[worker]->loop.post([inner = inner_, worker] {
      for (auto& [id, channel] : inner->owned[worker]) channel->begin_numbering();
    });
}

contracts::ListedNumbers Sources::listed_numbers() const {
  contracts::ListedNumbers numbers;
  const auto table = inner_->channels.get();
  for (const auto& [id, channel] : *table) {
    const auto listed = channel->listed.get();
    if (listed && std::max(listed->next_msn, listed->discontinuity) <= contracts::kLargestListedNumber)
      numbers.emplace(id, contracts::ListedNumber{listed->epoch, listed->next_msn, listed->discontinuity});
  }
  return numbers;
}

void Sources::configure(std::shared_ptr<const contracts::Event> event, std::shared_ptr<const base::KeyRing> keys) {
  const auto before = inner_->channels.get();
  auto table = std::make_shared<ChannelTable>();
  for (const auto& channel : event->channels) {
    const auto known = before->find(channel.id);
    auto slot = known == before->end() ? std::make_shared<ChannelSlot>() : known->second;
    if (known == before->end()) {
      slot->id = channel.id;
      slot->label = inner_->labels ? inner_->labels->of(channel.id) : channel.id;
      slot->worker = inner_->worker_of(channel.id);
    }
    table->emplace(channel.id, slot);
    inner_->services.workers[slot->worker]->loop.post([inner = inner_, slot, event, keys, id = channel.id] {
      auto& owned = inner->owned[slot->worker][id];
      if (!owned) {
        owned = std::make_unique<SourceChannel>(inner->services, *inner->services.workers[slot->worker], inner->store,
                                                inner->settings, slot, inner->push_handler);
        if (const auto* records = inner->records_of(slot->worker, id)) owned->load(*records);
        if (inner->awaits_former_numbers) owned->await_former_numbers();
      }
      owned->configure(*event->find(id), keys);
    });
  }
  for (const auto& [id, slot] : *before)
    if (!table->count(id))
      inner_->services.workers[slot->worker]->loop.post([inner = inner_, slot = slot] {
        auto& owned = inner->owned[slot->worker];
        if (const auto gone = owned.find(slot->id); gone != owned.end()) {
          if (auto records = gone->second->export_records(); !records.empty())
            inner->left[slot->worker][slot->id] = std::move(records);
          gone->second->close({base::ErrorKind::not_found, base::Fault::client, false, "the channel was removed"});
          owned.erase(gone);
        }
      });
  inner_->channels.publish(std::move(table));
  inner_->configured = true;
}

std::optional<base::Result<PlaylistAnswer>> Sources::Inner::from_memory(const std::shared_ptr<ChannelSlot>& channel,
                                                                        const std::string& key, SourceSlot& slot,
                                                                        const std::optional<BlockingReload>& want) {
  const auto now = services.clock.steady_now();
  auto state = slot.state.get();
  slot.touch(now);
  const bool is_good = state->snapshot && now < state->good_until;
  if (state->is_failing && !is_good && now < state->retry_at)
    return base::Result<PlaylistAnswer>(tl::unexpected(*state->error));
  if (!state->snapshot) return std::nullopt;
  const bool blocks = want && state->facts.can_block_reload;
  if (blocks && !state->facts.contains(*want)) {
    if (now < state->usable_until && state->facts.is_too_far(*want)) return tl::unexpected(too_far_ahead());
    return std::nullopt;
  }
  if (now >= state->fresh_until) {
    if (now >= state->usable_until) return std::nullopt;
    post(channel, [key](SourceChannel* owner) {
      if (owner) owner->wake(key);
    });
  }
  PlaylistAnswer answer{state->snapshot, state->is_failing, false, blocks ? want : std::nullopt};
  // WHY: the answer takes over this reference to the state, which needs no further atomic operation.
  auto* publication = state->publication.get();
  answer.publication = PlaylistPublicationPtr(std::move(state), publication);
  return base::Result<PlaylistAnswer>(std::move(answer));
}

void Sources::Inner::wait(runtime::Worker& worker, const std::shared_ptr<ChannelSlot>& channel, const std::string& key,
                          Source::Waiter waiter, const std::shared_ptr<PendingLookup::Inner>& pending) {
  ++waiting;
  waiter.deliver = [self = shared_from_this(), &loop = worker.loop, pending](base::Result<PlaylistAnswer> answer) {
    --self->waiting;
    loop.post([pending, answer = std::move(answer)]() mutable {
      const auto on_answer = std::exchange(pending->on_answer, nullptr);
      if (on_answer) on_answer(std::move(answer));
    });
  };
  post(channel, [key, waiter = std::move(waiter)](SourceChannel* owner) mutable {
    if (owner) return owner->request(key, std::move(waiter));
    waiter.deliver(base::failure(base::ErrorKind::not_found, base::Fault::client, "the channel was removed"));
  });
}

PendingLookup Sources::look_up(runtime::Worker& worker, const PlaylistLookup& lookup, OnPlaylist on_answer) {
  const auto channels = inner_->channels.get();
  const auto channel = channels->find(lookup.channel);
  if (channel == channels->end()) {
    on_answer(base::failure(base::ErrorKind::not_found, base::Fault::client, "no channel has this id"));
    return {};
  }
  auto want = blocking_reload(lookup.query);
  if (!want) {
    on_answer(tl::unexpected(want.error()));
    return {};
  }
  if (inner_->draining) want->reset();
  const auto known = channel->second->playlists.get();
  auto found = known->find(playlist_key(lookup.path, origin_query(lookup.query)));
  if (found == known->end()) found = known->find(lookup.path);
  const auto key = found == known->end() ? playlist_key(lookup.path, origin_query(lookup.query)) : found->first;
  auto timeout = inner_->settings.first_answer;
  Source::Waiter waiter;
  if (found != known->end()) {
    if (auto answer = inner_->from_memory(channel->second, key, *found->second, *want)) {
      on_answer(std::move(*answer));
      return {};
    }
    const auto state = found->second->state.get();
    if (*want && state->facts.can_block_reload) {
      waiter.want = **want;
      timeout = std::clamp<std::chrono::milliseconds>(
          3 * state->facts.target_duration, std::chrono::milliseconds{1'000}, std::chrono::milliseconds{60'000});
    }
  }
  if (inner_->waiting >= inner_->settings.max_waiting) {
    on_answer(base::failure(base::ErrorKind::unavailable, base::Fault::tribune, "too many viewers are waiting", true));
    return {};
  }
  waiter.deadline = inner_->services.clock.steady_now() + timeout;
  const auto pending = std::make_shared<PendingLookup::Inner>(PendingLookup::Inner{std::move(on_answer)});
  inner_->wait(worker, channel->second, key, std::move(waiter), pending);
  return PendingLookup(pending);
}

PendingLookup Sources::look_up_document(runtime::Worker& worker, const DocumentLookup& lookup, OnDocument on_document) {
  const auto pending = std::make_shared<PendingLookup::Inner>(PendingLookup::Inner{{}, std::move(on_document)});
  const auto deliver = [self = inner_, &loop = worker.loop, pending](base::Result<DocumentPtr> document) {
    --self->waiting;
    loop.post([pending, document = std::move(document)]() mutable {
      const auto deliver_to = std::exchange(pending->on_document, nullptr);
      if (deliver_to) deliver_to(std::move(document));
    });
  };
  const auto channels = inner_->channels.get();
  const auto channel = channels->find(lookup.channel);
  if (++inner_->waiting > inner_->settings.max_waiting)
    deliver(base::failure(base::ErrorKind::unavailable, base::Fault::tribune, "too many viewers are waiting", true));
  else if (channel == channels->end())
    deliver(base::failure(base::ErrorKind::not_found, base::Fault::client, "no channel has this id"));
  else
    inner_->post(channel->second, [deliver, name = lookup.name, query = lookup.query](SourceChannel* owner) {
      if (owner) return owner->documents().request(name, query, deliver);
      deliver(base::failure(base::ErrorKind::not_found, base::Fault::client, "the channel was removed"));
    });
  return PendingLookup(pending);
}

std::shared_ptr<const contracts::ListedLinks> Sources::listed_links() const {
  constexpr std::chrono::milliseconds kFreshEnough{500};
  const auto now = inner_->services.clock.steady_now();
  const auto wall = inner_->services.clock.wall_now();
  if (!inner_->configured) return nullptr;
  const std::lock_guard lock(inner_->listed_mutex);
  if (inner_->listed && now - inner_->listed_at < kFreshEnough) return inner_->listed;
  auto listed = std::make_shared<contracts::ListedLinks>();
  const auto channels = inner_->channels.get();  // the loop reads it, so it must outlive the loop
  for (const auto& [id, channel] : *channels) {
    if (!channel->is_loaded) return nullptr;
    if (const auto from = channel->listed_from(now, wall)) listed->emplace(id, *from);
  }
  inner_->listed = std::move(listed);
  inner_->listed_at = now;
  return inner_->listed;
}

contracts::DistrustedBackups Sources::distrusted_backups() const {
  contracts::DistrustedBackups distrusted;
  const auto channels = inner_->channels.get();
  for (const auto& [id, channel] : *channels) {
    const auto origins = channel->origins.get();
    for (const auto& status : *origins)
      if (!status.is_trusted) distrusted[id].push_back(status.origin);
  }
  return distrusted;
}

bool Sources::believe_end(std::string_view channel, base::WallTime until,
                          std::function<void(base::Status)> on_durable) {
  const auto table = inner_->channels.get();
  const auto found = table->find(channel);
  if (found == table->end()) return false;
  inner_->store.keep(kTimelinesTable, fmt::format("{}\n{}", channel, kEndMark),
                     std::to_string(base::unix_seconds(until)), std::move(on_durable));
  inner_->post(found->second, [until](SourceChannel* owner) {
    if (owner) owner->believe_end(until);
  });
  return true;
}

void Sources::drain() {
  inner_->draining = true;
  for (std::size_t worker = 0; worker < inner_->owned.size(); ++worker)
    inner_->services.workers[worker]->loop.post([inner = inner_, worker] {
      for (auto& [id, channel] : inner->owned[worker]) channel->drain();
    });
}

void Sources::Inner::set_ages() {
  const auto now = services.clock.steady_now();
  const auto table = channels.get();
  std::map<std::string, std::chrono::duration<double>> ages;
  for (const auto& [id, channel] : *table) {
    auto& age = ages[channel->label];
    const auto playlists = channel->playlists.get();
    for (const auto& [path, slot] : *playlists) {
      const auto state = slot->state.get();
      const bool is_watched =
          now - slot->last_requested() < 10 * std::max(state->facts.target_duration, std::chrono::milliseconds{1'000});
      if (state->snapshot && !state->facts.is_multivariant && !state->facts.ended && is_watched)
        age = std::max<std::chrono::duration<double>>(age, now - state->confirmed);
    }
  }
  for (const auto& [label, age] : ages)
    services.metrics
        .gauge("tribune_balancer_source_age_seconds",
               "Time since the origin last confirmed the oldest watched media playlist, in seconds.",
               {{"channel", label}})
        .set(age.count());
}

void Sources::describe(base::json::Writer& w) const {
  const auto now = inner_->services.clock.steady_now();
  const auto channels = inner_->channels.get();
  w.key("sources").begin_array();
  for (const auto& [id, channel] : *channels) {
    const auto playlists = channel->playlists.get();
    for (const auto& [path, slot] : *playlists) {
      const auto state = slot->state.get();
      if (!state->snapshot && state->failures == 0) continue;
      w.begin_object().member("channel", id).member("path", path).member("failures", state->failures);
      if (state->snapshot) {
        w.member("age_ms", std::int64_t{std::chrono::floor<std::chrono::milliseconds>(now - state->confirmed).count()});
        if (!state->facts.is_multivariant) {
          w.member("first_msn", state->snapshot->first_msn()).member("next_msn", state->snapshot->next_msn());
          w.member("ended", state->facts.ended).member("epoch", state->facts.epoch);
        }
      }
      if (state->error) w.member("error", state->error->text);
      w.end_object();
    }
  }
  w.end_array();
  describe_origins(w);
}

void Sources::describe_origins(base::json::Writer& w) const {
  w.key("origins").begin_array();
  const auto channels = inner_->channels.get();
  for (const auto& [id, channel] : *channels) {
    bool is_source = true;
    const auto origins = channel->origins.get();
    for (const auto& status : *origins) {
      w.begin_object().member("channel", id).member("origin", status.origin);
      w.member("kind", is_source ? "source" : "backup");
      w.member("in_use", status.is_in_use).member("healthy", status.is_healthy);
      if (!is_source) w.member("files", !status.is_trusted ? "other" : status.is_compared ? "same" : "not_compared");
      if (!status.difference.empty()) w.member("difference", status.difference);
      w.end_object();
      is_source = false;
    }
  }
  w.end_array();
}

}  // namespace tribune::balancer
