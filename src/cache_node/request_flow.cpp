// A request's steps, in the order they happen:
//   serve         the link: whose, for what, until when; who asks: a viewer or another node    → 403
//   look_up       the channel, then the one entry of the object's key           → 404, a remembered failure
//   serve_sliced  a file that is kept in slices: each of them is looked up in its turn (sliced_delivery.h)
//   find          too old to be used as it is (reuse.h): a fill is begun in its place
//   serve_held    how something complete answers: as a hit, asked about anew, or stale      → what may not stand in is refused
//   serve_object  choose status and part, send the file                         all inside the handler call
//   check_first   known from before a restart: the file is read once, off the loop, then look_up again
//   run_fill      miss: one runner asks the group, the tier above, the origin for everybody (group/fill_line.h)
//   read_along    the viewer follows the fill (delivery.h)
#include "cache_node/request_flow.h"

#include <algorithm>
#include <optional>

#include "base/memory.h"
#include "cache_node/answer.h"
#include "cache_node/fill_answer.h"
#include "cache_node/object_key.h"
#include "contracts/peer_mark.h"
#include "http/cmsd.h"
#include "http/problem.h"

namespace tribune::cache_node {

namespace {
constexpr int kMaxAttempts = 3;   // an object that goes while it is looked at is looked up again

struct MediaTarget {
  std::string_view channel, epoch, path, query;
};

/// "/media/{channel}/{epoch}/{path}?{query}"
std::optional<MediaTarget> parse_media_target(std::string_view target) {
  constexpr std::string_view kPrefix = "/media/";
  const auto mark = target.find('?');
  if (!target.starts_with(kPrefix) || mark == std::string_view::npos) return std::nullopt;
  const auto path = target.substr(kPrefix.size(), mark - kPrefix.size());
  const auto channel = path.find('/');
  const auto epoch = channel == std::string_view::npos ? channel : path.find('/', channel + 1);
  if (epoch == std::string_view::npos) return std::nullopt;
  return MediaTarget{path.substr(0, channel), path.substr(channel + 1, epoch - channel - 1), path.substr(epoch + 1), target.substr(mark + 1)};
}
}

RequestFlow::RequestFlow(const FlowParts& parts, const std::vector<std::unique_ptr<runtime::Worker>>& workers) : parts_(parts) {
  for (const auto& worker : workers) under_way_.push_back(std::make_unique<UnderWay>(worker->loop));
}

void RequestFlow::serve(runtime::Worker& worker, Exchange exchange, const http::PathParameters& parameters) {
  const auto view = parts_.view.get();
  const auto& request = exchange->request();
  exchange->note.node = view->settings.id;
  auto link = verify(*view, parameters["channel"], parameters["epoch"], parameters["path"], request.query);
  if (link) {
    Wish wish{std::move(*link), {}};
    wish.keep = keep_of(view->keep, wish.link.channel, wish.link.path);
    wish.variant = variant_of(view->vary, wish.link, request.headers);
    wish.listed_for = std::chrono::duration_cast<std::chrono::seconds>(view->settings.min_age);
    if (!read_asker(*exchange, wish)) return;
    if (wish.asker.kind == Asker::Kind::viewer) {
      note_viewer(request);
      if (view->settings.cmsd) exchange->also = server_data(*view, wish.link.path);
      if (wish.link.pace_kbps > 0) exchange->pace(static_cast<std::uint64_t>(wish.link.pace_kbps) * 1'000);
    }
    return look_up(worker, std::move(exchange), std::move(wish));
  }
  if (link.error().kind == base::ErrorKind::timeout)
    return refuse(*exchange, parts_.metrics.refused, http::problems::link_expired, link.error().text, "link_expired");
  refuse(*exchange, parts_.metrics.refused, http::problems::link_invalid, link.error().text, "link_invalid");
}

/// Only of a link whose time is over is it asked whether playlists still list it.
base::Result<contracts::Link> RequestFlow::verify(const NodeView& view, std::string_view channel, std::string_view epoch, std::string_view path,
                                                  std::string_view query) const {
  const auto now = parts_.clock.wall_now();
  auto link = contracts::verify_media_link(*view.keys, channel, epoch, path, query, now, view.clock_skew);
  if (link || link.error().kind != base::ErrorKind::timeout) return link;
  const auto listed_from = parts_.channels.listed_from(channel);
  return listed_from ? contracts::verify_media_link(*view.keys, channel, epoch, path, query, now, view.clock_skew, listed_from) : link;
}

void RequestFlow::note_viewer(const http::Request& request) {
  parts_.viewers.seen(request.client, request.client_port);
  if (const auto said = http::read_cmcd(request.headers, request.query)) parts_.metrics.players.take(*said);
}

/// CTA-5006, for the players that heed it. Each answer has both fields: Shaka Player holds on to an `mb` until a CMSD-Dynamic without one comes.
http::Headers RequestFlow::server_data(const NodeView& view, std::string_view path) const {
  const auto& id = view.settings.id;
  const auto fair = parts_.duress.fair_kbps();
  return {{"CMSD-Static", http::cmsd_static(id, http::cmsd_object_type(path))}, {"CMSD-Dynamic", http::cmsd_dynamic(id, {fair.has_value(), fair})}};
}

/// False when the request was refused: it says that it is another node's, and is not.
bool RequestFlow::read_asker(net::Exchange& exchange, Wish& wish) {
  const auto& headers = exchange.request().headers;
  if (!headers.first(contracts::kPeerHeader)) return true;
  const auto view = parts_.view.get();
  const auto mark = contracts::read_mark(*view->keys, headers, object_text(wish.link), parts_.clock.wall_now(), view->clock_skew);
  if (!mark) {
    refuse(exchange, parts_.node_metrics.refused, http::problems::forbidden, mark.error().text, "peer_mark_invalid");
    return false;
  }
  if (!mark->purges.empty() && !parts_.keeps_up(mark->purges)) {
    // Without the origin's status: who asks goes on to the next one, and to the origin.
    refuse(exchange, parts_.node_metrics.refused, http::problems::node_unavailable, "a purge that covers the object is not carried out here yet", "purge_pending");
    return false;
  }
  switch (mark->kind) {
    case contracts::PeerMark::Kind::peer: wish.asker.kind = Asker::Kind::peer; break;
    case contracts::PeerMark::Kind::child: wish.asker.kind = Asker::Kind::child; break;
    case contracts::PeerMark::Kind::stranded: wish.asker.kind = Asker::Kind::stranded; break;
  }
  wish.asker.tiers = mark->tiers;
  return true;
}

std::optional<contracts::Link> RequestFlow::link_of(std::string_view target) const {
  const auto view = parts_.view.get();
  const auto parsed = parse_media_target(target);
  if (!parsed) return std::nullopt;
  auto link = verify(*view, parsed->channel, parsed->epoch, parsed->path, parsed->query);
  if (!link) return std::nullopt;
  return std::move(*link);
}

/// Of nobody in particular: of its variants the one for requests without fields.
RequestFlow::Wish RequestFlow::plain(contracts::Link link) const {
  Wish wish{std::move(link), {}};
  wish.variant = variant_of(parts_.view.get()->vary, wish.link, {});
  return wish;
}

std::optional<ObjectKey> RequestFlow::warm_slice(runtime::Worker& worker, std::string_view target, std::uint64_t number) {
  auto link = link_of(target);
  const auto file = link ? parts_.index.sliced().find(object_key(parts_.view.get()->query, *link).id) : nullptr;
  if (!file) return std::nullopt;
  const auto found = find_slice(worker, plain(std::move(*link)), file, number);
  if (std::holds_alternative<FillFailure>(found)) return std::nullopt;
  return file->slice_key(number);
}

RequestFlow::Warmed RequestFlow::warm(runtime::Worker& worker, std::string_view target) {
  auto link = link_of(target);
  const auto map = parts_.channels.map();
  const auto* channel = link && map ? map->find(link->channel) : nullptr;
  if (!channel) return Warmed::refused;
  const auto key = object_key(parts_.view.get()->query, *link);
  if (parts_.index.sliced().find(key.id)) return Warmed::known;
  if (is_too_much(key)) return Warmed::refused;
  const auto found = parts_.index.find_or_begin(key, parts_.clock.steady_now());
  const auto* joined = std::get_if<ObjectIndex::Joined>(&found);
  if (!joined || !joined->began) return Warmed::known;
  run_fill(worker, *channel, plain(std::move(*link)), joined->fill);
  return Warmed::began;
}

void RequestFlow::look_up(runtime::Worker& worker, Exchange exchange, Wish wish) {
  const auto map = parts_.channels.map();
  const auto* channel = map ? map->find(wish.link.channel) : nullptr;
  auto& metrics = metrics_for(wish);
  if (!channel)
    return refuse(*exchange, metrics.refused, http::problems::channel_unknown, "this node knows no such channel", "channel_unknown");
  if (wish.attempt > kMaxAttempts)
    return refuse_overloaded(*exchange, wish, "the object went while it was looked up", "overloaded");

  const auto key = key_of(wish);
  const auto file = parts_.index.sliced().find(key.id);
  if (file && serve_sliced(worker, exchange, wish, file, wish.asked.has_value())) return;
  if (is_too_much(key)) {
    parts_.fills.metrics.refused_for_memory.add();
    return refuse_overloaded(*exchange, wish, "this node has no memory for a further object", "memory_scarce");
  }
  const auto found = find(key, wish);
  if (const auto* failure = std::get_if<FillFailure>(&found)) {
    if (!file || !serve_sliced(worker, exchange, wish, file, true)) refuse_filled(*exchange, wish, *failure);
    return;
  }
  if (const auto* object = std::get_if<ObjectPtr>(&found)) {
    if (!(*object)->verified) return check_first(worker, std::move(exchange), std::move(wish), *object);
    const bool is_plain = !wish.asked && !(*object)->stale && (wish.keep.by == Keep::By::life || (wish.keep.by == Keep::By::listed && !(*object)->has_terms()));
    if (is_plain) return serve_object(worker, std::move(exchange), std::move(wish), *object, Served{{.hit = true}});
    if (const auto how = serve_held(*exchange, wish, (*object)->head(), (*object)->stored, (*object)->stale, found))
      serve_object(worker, std::move(exchange), std::move(wish), *object, *how);
    return;
  }
  const auto& joined = std::get<ObjectIndex::Joined>(found);
  if (joined.began) {
    wish.began = true;
    run_fill(worker, *channel, wish, joined.fill);
  }
  if (serve_meanwhile(worker, exchange, wish, joined)) return;
  Served how;
  if (const auto view = joined.fill->view(); !joined.began && view.phase == Fill::Phase::complete) {
    const auto held = serve_held(*exchange, wish, view.head, view.stored, joined.is_stale, found);
    if (!held) return;
    how = *held;
  }
  read_along(worker, std::move(exchange), std::move(wish), joined, how);
}

ObjectKey RequestFlow::key_of(const Wish& wish) const { return object_key(object_key(parts_.view.get()->query, wish.link), wish.variant); }

/// Whether a fill would have to begin for the object while memory is scarce. What is here is served on.
bool RequestFlow::is_too_much(const ObjectKey& key) const {
  if (base::Memory::of_process().level() == base::MemoryLevel::plenty) return false;
  const auto standing = parts_.index.standing(key.id);
  return standing == ObjectIndex::Standing::nothing || standing == ObjectIndex::Standing::failed;
}

void RequestFlow::look_up_again(runtime::Worker& worker, Exchange exchange, Wish wish) {
  ++wish.attempt;
  look_up(worker, std::move(exchange), std::move(wish));
}

std::int64_t RequestFlow::age(std::int64_t stored) const {
  return std::max<std::int64_t>(base::unix_seconds(parts_.clock.wall_now()) - stored, 0);
}

/// The one entry of the key. What is too old to be used as it is becomes stale, and a fill is begun in its place; not so what
/// is used although it is stale, for the origin was asked about it a moment ago.
ObjectIndex::Found RequestFlow::find(const ObjectKey& key, const Wish& wish) {
  const auto now = parts_.clock.steady_now();
  auto found = parts_.index.find_or_begin(key, now, wish.asked.has_value());
  if (wish.asked || wish.keep.by == Keep::By::life) return found;
  const auto is_fresh = [&](const ObjectHead& head, std::int64_t stored) {
    return decide_reuse(Holding{wish.keep, head, age(stored), wish.listed_for}) == http::Reuse::fresh;
  };
  if (const auto* object = std::get_if<ObjectPtr>(&found)) {
    const bool is_nothing_said = wish.keep.by == Keep::By::listed && !(*object)->has_terms();
    if (is_nothing_said || (*object)->stale || is_fresh((*object)->head(), (*object)->stored)) return found;
  } else {
    const auto* joined = std::get_if<ObjectIndex::Joined>(&found);
    if (!joined || joined->began || joined->is_stale) return found;
    const auto view = joined->fill->view();
    if (view.phase != Fill::Phase::complete || is_fresh(view.head, view.stored)) return found;
  }
  found = parts_.index.find_or_renew(key, now, found);
  if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found); joined && joined->gone) parts_.housekeeper.purged({joined->gone});
  return found;
}

/// How a complete object answers; nothing when it must not, and the request is refused.
std::optional<Served> RequestFlow::serve_held(net::Exchange& exchange, const Wish& wish, const ObjectHead& head, std::int64_t stored, bool is_stale,
                                              const ObjectIndex::Found& found) {
  const Holding holding{wish.keep, head, age(stored), wish.listed_for};
  const bool is_gone = wish.asked && wish.asked->is_gone();
  if (!is_stale || may_stand_in(holding, is_gone)) return served(wish, holding, is_stale);
  if (is_gone) {
    if (const auto* object = std::get_if<ObjectPtr>(&found); object && parts_.index.drop(*object)) parts_.housekeeper.purged({*object});
    if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found)) parts_.index.drop(joined->fill);
  }
  static const FillFailure asked_lately{&http::problems::origin_timeout, "the origin failed a moment ago, and does not allow an answer without its word", "must_revalidate"};
  refuse_filled(exchange, wish, wish.asked ? *wish.asked : asked_lately);
  return std::nullopt;
}

Served RequestFlow::served(const Wish& wish, const Holding& holding, bool is_stale) const {
  Served served;
  const bool is_revalidated = wish.asked && wish.asked->status == 304;
  if (wish.asked) {
    served.cache.forward = http::Forward::stale;
    if (wish.asked->status != 0) served.cache.forward_status = wish.asked->status;
    served.cache.collapsed = !wish.began;
    if (!is_revalidated) served.cache.detail = wish.asked->reason;
  } else {
    served.cache.hit = true;
    if (is_stale) served.cache.detail = "origin-failed";
  }
  served.cache.ttl_seconds = fresh_for(holding);
  if (is_revalidated) served.word = "revalidated";
  if (is_stale) served.word = "stale";
  return served;
}

/// Whether the origin allows what the fill will replace to answer while it is asked (RFC 5861 section 3).
bool RequestFlow::serve_meanwhile(runtime::Worker& worker, Exchange& exchange, const Wish& wish, const ObjectIndex::Joined& joined) {
  if (wish.asked || (!joined.previous && !joined.previous_in_memory)) return false;
  const auto& object = joined.previous;
  if (object && (!object->verified || !object->has_terms())) return false;
  const auto view = object ? Fill::View() : joined.previous_in_memory->view();
  const auto head = object ? object->head() : view.head;
  const Holding holding{wish.keep, head, age(object ? std::int64_t{object->stored} : view.stored), wish.listed_for};
  if (decide_reuse(holding) != http::Reuse::stale_while_revalidate) return false;
  auto how = served(wish, holding, true);
  how.cache.detail = "stale-while-revalidate";
  if (object) {
    serve_object(worker, std::move(exchange), wish, object, how);
  } else {
    ObjectIndex::Joined previous;
    previous.fill = joined.previous_in_memory;
    read_along(worker, std::move(exchange), wish, previous, how);
  }
  return true;
}

void RequestFlow::serve_object(runtime::Worker& worker, Exchange exchange, Wish wish, const ObjectPtr& object, const Served& how) {
  auto file = parts_.open_files.open(object);
  if (!file && file.error().kind == base::ErrorKind::unavailable)
    return refuse_overloaded(*exchange, wish, "this node has no descriptors for a further file", "descriptors_spent");
  if (!file) {
    parts_.housekeeper.damaged(object, file.error().text);
    return look_up_again(worker, std::move(exchange), std::move(wish));
  }
  AnswerFacts facts;
  facts.node = exchange->note.node;
  facts.cache = how.cache;
  facts.age = age(object->stored);
  facts.link_life = wish.link.expires - base::unix_seconds(parts_.clock.wall_now());
  facts.keep = wish.keep;
  facts.for_node = wish.asker.kind != Asker::Kind::viewer;
  facts.vary = field_list(wish.variant);
  const auto head = object->head();
  const auto choice = choose(exchange->request(), head, object->size);
  auto response = answer(choice, head, object->size, facts);
  if (choice.length > 0) response.body = base::FileSlice{std::move(*file), choice.part.first, choice.length};
  exchange->note.cache = how.word;
  auto& metrics = metrics_for(wish);
  metrics.hits.add();
  if (exchange->request().method != http::Method::head) {
    metrics.sent_bytes.add(static_cast<double>(choice.length));
    parts_.traffic.of(wish.link.channel).fetch_add(choice.length, std::memory_order_relaxed);
  }
  exchange->reply(std::move(response));
}

void RequestFlow::check_first(runtime::Worker& worker, Exchange exchange, Wish wish, const ObjectPtr& object) {
  // std::function wants what it holds to be copyable.
  auto held = std::make_shared<Exchange>(std::move(exchange));
  parts_.housekeeper.check(object, worker.loop, [this, &worker, held, wish = std::move(wish)] { look_up_again(worker, std::move(*held), wish); });
}

/// False when the origin must be asked about the file first. `stands_in`: it was asked, and the file may serve although it is stale.
bool RequestFlow::serve_sliced(runtime::Worker& worker, Exchange& exchange, const Wish& wish, const SlicedFilePtr& file, bool stands_in) {
  const Holding holding{wish.keep, file->head, age(file->seen), wish.listed_for};
  const bool was_seen_now = wish.asked && wish.asked->reason == "sliced";
  const bool is_stale = !was_seen_now && decide_reuse(holding) != http::Reuse::fresh;
  if (is_stale && (!stands_in || !may_stand_in(holding, wish.asked && wish.asked->is_gone()))) {
    if (!wish.asked) return false;
    refuse_filled(*exchange, wish, *wish.asked);
    return true;
  }
  auto how = is_stale ? served(wish, holding, true) : Served{{.hit = true}};
  DeliveryFacts facts{exchange->note.node, wish.link.expires, Met::held, &parts_.traffic.of(wish.link.channel),
                      wish.asker.kind != Asker::Kind::viewer, wish.keep, std::move(how), field_list(wish.variant)};
  SlicedTools tools{worker.loop, parts_.clock, metrics_for(wish), parts_.housekeeper, parts_.open_files,
                    [this, &worker, wish, file](std::uint64_t number) { return find_slice(worker, wish, file, number); },
                    [this, &worker, wish](Exchange back) {
                      auto again = wish;
                      again.asked.reset();
                      look_up_again(worker, std::move(back), std::move(again));
                    }};
  under_way_[worker.index]->sliced
      .add([&](std::function<void()> on_over) {
        return std::make_unique<SlicedDelivery>(std::move(tools), std::move(facts), file, std::move(exchange), std::move(on_over));
      })
      .start();
  return true;
}

ObjectIndex::Found RequestFlow::find_slice(runtime::Worker& worker, const Wish& wish, const SlicedFilePtr& file, std::uint64_t number) {
  const auto map = parts_.channels.map();
  const auto* channel = map ? map->find(wish.link.channel) : nullptr;
  if (!channel) return FillFailure{&http::problems::channel_unknown, "this node knows no such channel", "channel_unknown"};
  const auto key = file->slice_key(number);
  if (is_too_much(key)) {
    parts_.fills.metrics.refused_for_memory.add();
    return FillFailure{&http::problems::overloaded, "this node has no memory for a further object", "memory_scarce"};
  }
  auto found = parts_.index.find_or_begin(key, parts_.clock.steady_now());
  if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found); joined && joined->began) run_fill(worker, *channel, wish, joined->fill, file, number);
  return found;
}

void RequestFlow::run_fill(runtime::Worker& worker, const contracts::ChannelEntry& channel, const Wish& wish, const std::shared_ptr<Fill>& fill,
                           const SlicedFilePtr& file, std::uint64_t slice) {
  const auto view = parts_.view.get();
  auto source = fill_line(*view, *parts_.peers.peers(), channel, wish.link, fill->key(), wish.asker, parts_.clock.wall_now(),
                          parts_.purges.covering(fill->key().text));
  if (!source) {
    const FillFailure failure{.problem = &http::problems::not_found, .detail = "the channel has no such origin", .reason = "no_such_origin", .cause = source.error().text};
    parts_.index.abandon(*fill, failure, parts_.clock.steady_now() + std::chrono::seconds(1));
    return fill->fail(failure);
  }
  source->variant = wish.variant;
  if (file) {
    source->file = file;
    source->slice = file->slice(slice);
  }
  auto& runner = under_way_[worker.index]->fills.add([&](std::function<void()> on_over) {
    return std::make_unique<FillRunner>(parts_.fills, worker, view->fill, std::move(*source), fill, std::move(on_over));
  });
  runner.start();
}

void RequestFlow::read_along(runtime::Worker& worker, Exchange exchange, Wish wish, const ObjectIndex::Joined& joined, const Served& how) {
  DeliveryFacts facts{exchange->note.node, wish.link.expires, joined.began ? Met::began : Met::waited,
                      &parts_.traffic.of(wish.link.channel), wish.asker.kind != Asker::Kind::viewer, wish.keep, how, field_list(wish.variant)};
  if (!joined.began && joined.fill->view().phase == Fill::Phase::complete) facts.met = Met::held;
  std::function<void()> is_over;
  auto& delivery = under_way_[worker.index]->deliveries.add([&](std::function<void()> on_over) {
    is_over = on_over;
    return std::make_unique<Delivery>(worker.loop, parts_.clock, metrics_for(wish), std::move(facts), joined.fill, std::move(exchange), std::move(on_over));
  });
  delivery.when_stale_serves([this, &worker, wish](Exchange back, const FillFailure& failure) {
    auto again = wish;
    again.asked = failure;
    look_up_again(worker, std::move(back), std::move(again));
  });
  if (delivery.start()) return;
  // The fill takes no newcomers and has left the index: there is another entry by now.
  exchange = delivery.take_exchange();
  is_over();
  look_up_again(worker, std::move(exchange), std::move(wish));
}

void RequestFlow::refuse_filled(net::Exchange& exchange, const Wish& wish, const FillFailure& failure) {
  metrics_for(wish).failed.add();
  metrics_for(wish).refused_with(*failure.problem, failure.status);
  exchange.note.reason = failure.reason;
  auto response = http::problem(*failure.problem, failure.detail);
  if (wish.asker.kind != Asker::Kind::viewer) add_verdict(response.headers, failure);
  exchange.reply(std::move(response));
}

/// This node's own fault: another node that asks hears no verdict, and asks elsewhere.
void RequestFlow::refuse_overloaded(net::Exchange& exchange, const Wish& wish, std::string_view detail, std::string_view reason) {
  auto& metrics = metrics_for(wish);
  metrics.refused_with(http::problems::overloaded);
  refuse(exchange, metrics.failed, http::problems::overloaded, detail, reason);
}

void RequestFlow::refuse(net::Exchange& exchange, base::Counter& counter, const http::ProblemType& type, std::string_view detail,
                         std::string_view reason) {
  counter.add();
  exchange.note.reason = reason;
  exchange.reply(http::problem(type, detail));
}

}  // namespace tribune::cache_node
