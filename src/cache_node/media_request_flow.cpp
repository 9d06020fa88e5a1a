// A request's steps, in the order they happen:
//   serve         the link: whose, for what, until when; who asks: a viewer or another node    → 403
//   look_up       the channel, then the one entry of the object's key           → 404, a remembered failure
//   serve_sliced  a file that is kept in slices: each of them is looked up in its turn (sliced_delivery.h)
//   find          too old to be used as it is (reuse.h): a fill is begun in its place
//   serve_held    how something complete answers: as a hit, asked about anew, or stale      → what may not stand in is
//   refused serve_object  choose status and part, send the file                         all inside the handler call
//   check_first   known from before a restart: the file is read once, off the loop, then look_up again
//   run_fill      miss: one runner asks the group, the tier above, the origin for everybody (filling/fill_candidates.h)
//   read_along    the viewer follows the fill (fill_delivery.h)
#include "cache_node/media_request_flow.h"

#include <algorithm>
#include <optional>

#include "base/memory.h"
#include "cache_node/delivery/object_response.h"
#include "cache_node/filling/fill_response.h"
#include "cache_node/objects/object_key.h"
#include "contracts/peer_mark.h"
#include "http/cmsd.h"
#include "http/problem.h"

namespace tribune::cache_node {

namespace {
constexpr int kMaxAttempts = 3;  // an object that goes while it is looked at is looked up again

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
  return MediaTarget{path.substr(0, channel), path.substr(channel + 1, epoch - channel - 1), path.substr(epoch + 1),
                     target.substr(mark + 1)};
}
}  // namespace

MediaRequestFlow::MediaRequestFlow(const MediaFlowParts& parts,
                                   const std::vector<std::unique_ptr<runtime::Worker>>& workers)
    : parts_(parts) {
  for (const auto& worker : workers) under_way_.push_back(std::make_unique<UnderWay>(worker->loop));
}

void MediaRequestFlow::serve(runtime::Worker& worker, Exchange exchange, const http::PathParameters& parameters) {
  const auto view = parts_.view.get();
  const auto& request = exchange->request();
  exchange->note.node = view->settings.id;
  auto link = verify(*view, parameters["channel"], parameters["epoch"], parameters["path"], request.query);
  if (link) {
    MediaRequest media{std::move(*link), {}};
    media.keep = keep_of(view->keep, media.link.channel, media.link.path);
    media.variant = variant_of(view->vary, media.link, request.headers);
    media.listed_for = std::chrono::duration_cast<std::chrono::seconds>(view->settings.min_age);
    if (!read_asker(*exchange, media)) return;
    if (media.asker.kind == Asker::Kind::viewer) {
      note_viewer(request);
      if (view->settings.cmsd) exchange->also = server_data(*view, media.link.path);
      if (media.link.pace_kbps > 0) exchange->pace(static_cast<std::uint64_t>(media.link.pace_kbps) * 1'000);
    }
    return look_up(worker, std::move(exchange), std::move(media));
  }
  if (link.error().kind == base::ErrorKind::timeout)
    return refuse(*exchange, parts_.metrics.refused, http::problems::link_expired, link.error().text, "link_expired");
  refuse(*exchange, parts_.metrics.refused, http::problems::link_invalid, link.error().text, "link_invalid");
}

/// Only of a link whose time is over is it asked whether playlists still list it.
base::Result<contracts::Link> MediaRequestFlow::verify(const NodeView& view, std::string_view channel,
                                                       std::string_view epoch, std::string_view path,
                                                       std::string_view query) const {
  const auto now = parts_.clock.wall_now();
  auto link = contracts::verify_media_link(*view.keys, channel, epoch, path, query, now, view.clock_skew);
  if (link || link.error().kind != base::ErrorKind::timeout) return link;
  const auto listed_from = parts_.channels.listed_from(channel);
  return listed_from
             ? contracts::verify_media_link(*view.keys, channel, epoch, path, query, now, view.clock_skew, listed_from)
             : link;
}

void MediaRequestFlow::note_viewer(const http::Request& request) {
  parts_.viewers.seen(request.client, request.client_port);
  if (const auto said = http::read_cmcd(request.headers, request.query)) parts_.metrics.players.take(*said);
}

/// CTA-5006, for the players that heed it. Each answer has both fields: Shaka Player holds on to an `mb` until a
/// CMSD-Dynamic without one comes.
http::Headers MediaRequestFlow::server_data(const NodeView& view, std::string_view path) const {
  const auto& id = view.settings.id;
  const auto fair = parts_.duress.fair_kbps();
  return {{"CMSD-Static", http::cmsd_static(id, http::cmsd_object_type(path))},
          {"CMSD-Dynamic", http::cmsd_dynamic(id, {fair.has_value(), fair})}};
}

/// False when the request was refused: it says that it is another node's, and is not.
bool MediaRequestFlow::read_asker(net::Exchange& exchange, MediaRequest& media) {
  const auto& headers = exchange.request().headers;
  if (!headers.first(contracts::kPeerHeader)) return true;
  const auto view = parts_.view.get();
  const auto mark =
      contracts::read_mark(*view->keys, headers, object_text(media.link), parts_.clock.wall_now(), view->clock_skew);
  if (!mark) {
    refuse(exchange, parts_.node_metrics.refused, http::problems::forbidden, mark.error().text, "peer_mark_invalid");
    return false;
  }
  if (!mark->purges.empty() && !parts_.keeps_up(mark->purges)) {
    // Without the origin's status: who asks goes on to the next one, and to the origin.
    refuse(exchange, parts_.node_metrics.refused, http::problems::node_unavailable,
           "a purge that covers the object is not carried out here yet", "purge_pending");
    return false;
  }
  switch (mark->kind) {
    case contracts::PeerMark::Kind::peer: media.asker.kind = Asker::Kind::peer; break;
    case contracts::PeerMark::Kind::child: media.asker.kind = Asker::Kind::child; break;
    case contracts::PeerMark::Kind::stranded: media.asker.kind = Asker::Kind::stranded; break;
  }
  media.asker.tiers = mark->tiers;
  return true;
}

std::optional<contracts::Link> MediaRequestFlow::link_of(std::string_view target) const {
  const auto view = parts_.view.get();
  const auto parsed = parse_media_target(target);
  if (!parsed) return std::nullopt;
  auto link = verify(*view, parsed->channel, parsed->epoch, parsed->path, parsed->query);
  if (!link) return std::nullopt;
  return std::move(*link);
}

/// Of nobody in particular: of its variants the one for requests without fields.
MediaRequestFlow::MediaRequest MediaRequestFlow::plain(contracts::Link link) const {
  MediaRequest media{std::move(link), {}};
  media.variant = variant_of(parts_.view.get()->vary, media.link, {});
  return media;
}

std::optional<ObjectKey> MediaRequestFlow::warm_slice(runtime::Worker& worker, std::string_view target,
                                                      std::uint64_t number) {
  auto link = link_of(target);
  const auto file = link ? parts_.index.sliced().find(object_key(parts_.view.get()->query, *link).id) : nullptr;
  if (!file) return std::nullopt;
  const auto found = find_slice(worker, plain(std::move(*link)), file, number);
  if (std::holds_alternative<FillFailure>(found)) return std::nullopt;
  return file->slice_key(number);
}

MediaRequestFlow::Warmed MediaRequestFlow::warm(runtime::Worker& worker, std::string_view target) {
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

void MediaRequestFlow::look_up(runtime::Worker& worker, Exchange exchange, MediaRequest media) {
  const auto map = parts_.channels.map();
  const auto* channel = map ? map->find(media.link.channel) : nullptr;
  auto& metrics = metrics_for(media);
  if (!channel)
    return refuse(*exchange, metrics.refused, http::problems::channel_unknown, "this node knows no such channel",
                  "channel_unknown");
  if (media.attempt > kMaxAttempts)
    return refuse_overloaded(*exchange, media, "the object went while it was looked up", "overloaded");

  const auto key = key_of(media);
  const auto file = parts_.index.sliced().find(key.id);
  if (file && serve_sliced(worker, exchange, media, file, media.asked.has_value())) return;
  if (is_too_much(key)) {
    parts_.fills.metrics.refused_for_memory.add();
    return refuse_overloaded(*exchange, media, "this node has no memory for a further object", "memory_scarce");
  }
  const auto found = find(key, media);
  if (const auto* failure = std::get_if<FillFailure>(&found)) {
    if (!file || !serve_sliced(worker, exchange, media, file, true)) refuse_filled(*exchange, media, *failure);
    return;
  }
  if (const auto* object = std::get_if<ObjectPtr>(&found)) {
    if (!(*object)->verified) return check_first(worker, std::move(exchange), std::move(media), *object);
    const bool is_plain =
        !media.asked && !(*object)->stale &&
        (media.keep.by == Retention::By::life || (media.keep.by == Retention::By::listed && !(*object)->has_terms()));
    if (is_plain)
      return serve_object(worker, std::move(exchange), std::move(media), *object, ServedFromStore{{.hit = true}});
    if (const auto how = serve_held(*exchange, media, (*object)->head(), (*object)->stored, (*object)->stale, found))
      serve_object(worker, std::move(exchange), std::move(media), *object, *how);
    return;
  }
  const auto& joined = std::get<ObjectIndex::Joined>(found);
  if (joined.began) {
    media.began = true;
    run_fill(worker, *channel, media, joined.fill);
  }
  if (serve_meanwhile(worker, exchange, media, joined)) return;
  ServedFromStore how;
  if (const auto view = joined.fill->view(); !joined.began && view.phase == Fill::Phase::complete) {
    const auto held = serve_held(*exchange, media, view.head, view.stored, joined.is_stale, found);
    if (!held) return;
    how = *held;
  }
  read_along(worker, std::move(exchange), std::move(media), joined, how);
}

ObjectKey MediaRequestFlow::key_of(const MediaRequest& media) const {
  return object_key(object_key(parts_.view.get()->query, media.link), media.variant);
}

/// Whether a fill would have to begin for the object while memory is scarce. What is here is served on.
bool MediaRequestFlow::is_too_much(const ObjectKey& key) const {
  if (base::Memory::of_process().level() == base::MemoryLevel::plenty) return false;
  const auto standing = parts_.index.standing(key.id);
  return standing == ObjectIndex::Standing::nothing || standing == ObjectIndex::Standing::failed;
}

void MediaRequestFlow::retry_lookup(runtime::Worker& worker, Exchange exchange, MediaRequest media) {
  ++media.attempt;
  look_up(worker, std::move(exchange), std::move(media));
}

std::int64_t MediaRequestFlow::age(std::int64_t stored) const {
  return std::max<std::int64_t>(base::unix_seconds(parts_.clock.wall_now()) - stored, 0);
}

/// The one entry of the key. What is too old to be used as it is becomes stale, and a fill is begun in its place; not
/// so what is used although it is stale, for the origin was asked about it a moment ago.
ObjectIndex::Found MediaRequestFlow::find(const ObjectKey& key, const MediaRequest& media) {
  const auto now = parts_.clock.steady_now();
  auto found = parts_.index.find_or_begin(key, now, media.asked.has_value());
  if (media.asked || media.keep.by == Retention::By::life) return found;
  const auto is_fresh = [&](const ObjectHead& head, std::int64_t stored) {
    return decide_reuse(HeldObject{media.keep, head, age(stored), media.listed_for}) == http::Reuse::fresh;
  };
  if (const auto* object = std::get_if<ObjectPtr>(&found)) {
    const bool is_nothing_said = media.keep.by == Retention::By::listed && !(*object)->has_terms();
    if (is_nothing_said || (*object)->stale || is_fresh((*object)->head(), (*object)->stored)) return found;
  } else {
    const auto* joined = std::get_if<ObjectIndex::Joined>(&found);
    if (!joined || joined->began || joined->is_stale) return found;
    const auto view = joined->fill->view();
    if (view.phase != Fill::Phase::complete || is_fresh(view.head, view.stored)) return found;
  }
  found = parts_.index.find_or_renew(key, now, found);
  if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found); joined && joined->gone)
    parts_.disk_maintenance.purged({joined->gone});
  return found;
}

/// How a complete object answers; nothing when it must not, and the request is refused.
std::optional<ServedFromStore> MediaRequestFlow::serve_held(net::Exchange& exchange, const MediaRequest& media,
                                                            const ObjectHead& head, std::int64_t stored, bool is_stale,
                                                            const ObjectIndex::Found& found) {
  const HeldObject holding{media.keep, head, age(stored), media.listed_for};
  const bool is_gone = media.asked && media.asked->is_gone();
  if (!is_stale || may_stand_in(holding, is_gone)) return served(media, holding, is_stale);
  if (is_gone) {
    if (const auto* object = std::get_if<ObjectPtr>(&found); object && parts_.index.drop(*object))
      parts_.disk_maintenance.purged({*object});
    if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found)) parts_.index.drop(joined->fill);
  }
  static const FillFailure asked_lately{&http::problems::origin_timeout,
                                        "the origin failed a moment ago, and does not allow an answer without its word",
                                        "must_revalidate"};
  refuse_filled(exchange, media, media.asked ? *media.asked : asked_lately);
  return std::nullopt;
}

ServedFromStore MediaRequestFlow::served(const MediaRequest& media, const HeldObject& holding, bool is_stale) const {
  ServedFromStore served;
  const bool is_revalidated = media.asked && media.asked->status == 304;
  if (media.asked) {
    served.cache.forward = http::Forward::stale;
    if (media.asked->status != 0) served.cache.forward_status = media.asked->status;
    served.cache.collapsed = !media.began;
    if (!is_revalidated) served.cache.detail = media.asked->reason;
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
bool MediaRequestFlow::serve_meanwhile(runtime::Worker& worker, Exchange& exchange, const MediaRequest& media,
                                       const ObjectIndex::Joined& joined) {
  if (media.asked || (!joined.previous && !joined.previous_in_memory)) return false;
  const auto& object = joined.previous;
  if (object && (!object->verified || !object->has_terms())) return false;
  const auto view = object ? Fill::View() : joined.previous_in_memory->view();
  const auto head = object ? object->head() : view.head;
  const HeldObject holding{media.keep, head, age(object ? std::int64_t{object->stored} : view.stored),
                           media.listed_for};
  if (decide_reuse(holding) != http::Reuse::stale_while_revalidate) return false;
  auto how = served(media, holding, true);
  how.cache.detail = "stale-while-revalidate";
  if (object) {
    serve_object(worker, std::move(exchange), media, object, how);
  } else {
    ObjectIndex::Joined previous;
    previous.fill = joined.previous_in_memory;
    read_along(worker, std::move(exchange), media, previous, how);
  }
  return true;
}

void MediaRequestFlow::serve_object(runtime::Worker& worker, Exchange exchange, MediaRequest media,
                                    const ObjectPtr& object, const ServedFromStore& how) {
  auto file = parts_.open_files.open(object);
  if (!file && file.error().kind == base::ErrorKind::unavailable)
    return refuse_overloaded(*exchange, media, "this node has no descriptors for a further file", "descriptors_spent");
  if (!file) {
    parts_.disk_maintenance.damaged(object, file.error().text);
    return retry_lookup(worker, std::move(exchange), std::move(media));
  }
  AnswerFacts facts;
  facts.node = exchange->note.node;
  facts.cache = how.cache;
  facts.age = age(object->stored);
  facts.link_life = media.link.expires - base::unix_seconds(parts_.clock.wall_now());
  facts.keep = media.keep;
  facts.for_node = media.asker.kind != Asker::Kind::viewer;
  facts.vary = field_list(media.variant);
  const auto head = object->head();
  const auto choice = choose(exchange->request(), head, object->size);
  auto response = answer(choice, head, object->size, facts);
  if (choice.length > 0) response.body = base::FileSlice{std::move(*file), choice.part.first, choice.length};
  exchange->note.cache = how.word;
  auto& metrics = metrics_for(media);
  metrics.hits.add();
  if (exchange->request().method != http::Method::head) {
    metrics.sent_bytes.add(static_cast<double>(choice.length));
    parts_.traffic.of(media.link.channel).fetch_add(choice.length, std::memory_order_relaxed);
  }
  exchange->reply(std::move(response));
}

void MediaRequestFlow::check_first(runtime::Worker& worker, Exchange exchange, MediaRequest media,
                                   const ObjectPtr& object) {
  // std::function wants what it holds to be copyable.
  auto held = std::make_shared<Exchange>(std::move(exchange));
  parts_.disk_maintenance.check(object, worker.loop, [this, &worker, held, media = std::move(media)] {
    retry_lookup(worker, std::move(*held), media);
  });
}

/// False when the origin must be asked about the file first. `stands_in`: it was asked, and the file may serve although
/// it is stale.
bool MediaRequestFlow::serve_sliced(runtime::Worker& worker, Exchange& exchange, const MediaRequest& media,
                                    const SlicedFilePtr& file, bool stands_in) {
  const HeldObject holding{media.keep, file->head, age(file->seen), media.listed_for};
  const bool was_seen_now = media.asked && media.asked->reason == "sliced";
  const bool is_stale = !was_seen_now && decide_reuse(holding) != http::Reuse::fresh;
  if (is_stale && (!stands_in || !may_stand_in(holding, media.asked && media.asked->is_gone()))) {
    if (!media.asked) return false;
    refuse_filled(*exchange, media, *media.asked);
    return true;
  }
  auto how = is_stale ? served(media, holding, true) : ServedFromStore{{.hit = true}};
  DeliveryFacts facts{exchange->note.node,
                      media.link.expires,
                      CacheOutcome::held,
                      &parts_.traffic.of(media.link.channel),
                      media.asker.kind != Asker::Kind::viewer,
                      media.keep,
                      std::move(how),
                      field_list(media.variant)};
  SlicedDeliveryContext tools{
      worker.loop,
      parts_.clock,
      metrics_for(media),
      parts_.disk_maintenance,
      parts_.open_files,
      [this, &worker, media, file](std::uint64_t number) { return find_slice(worker, media, file, number); },
      [this, &worker, media](Exchange back) {
        auto again = media;
        again.asked.reset();
        retry_lookup(worker, std::move(back), std::move(again));
      }};
  under_way_[worker.index]
      ->sliced
      .add([&](std::function<void()> on_over) {
        return std::make_unique<SlicedDelivery>(std::move(tools), std::move(facts), file, std::move(exchange),
                                                std::move(on_over));
      })
      .start();
  return true;
}

ObjectIndex::Found MediaRequestFlow::find_slice(runtime::Worker& worker, const MediaRequest& media,
                                                const SlicedFilePtr& file, std::uint64_t number) {
  const auto map = parts_.channels.map();
  const auto* channel = map ? map->find(media.link.channel) : nullptr;
  if (!channel)
    return FillFailure{&http::problems::channel_unknown, "this node knows no such channel", "channel_unknown"};
  const auto key = file->slice_key(number);
  if (is_too_much(key)) {
    parts_.fills.metrics.refused_for_memory.add();
    return FillFailure{&http::problems::overloaded, "this node has no memory for a further object", "memory_scarce"};
  }
  auto found = parts_.index.find_or_begin(key, parts_.clock.steady_now());
  if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found); joined && joined->began)
    run_fill(worker, *channel, media, joined->fill, file, number);
  return found;
}

void MediaRequestFlow::run_fill(runtime::Worker& worker, const contracts::ChannelEntry& channel,
                                const MediaRequest& media, const std::shared_ptr<Fill>& fill, const SlicedFilePtr& file,
                                std::uint64_t slice) {
  const auto view = parts_.view.get();
  auto source = fill_candidates(*view, *parts_.peers.peers(), channel, media.link, fill->key(), media.asker,
                                parts_.clock.wall_now(), parts_.purges.covering(fill->key().text));
  if (!source) {
    const FillFailure failure{.problem = &http::problems::not_found,
                              .detail = "the channel has no such origin",
                              .reason = "no_such_origin",
                              .cause = source.error().text};
    parts_.index.abandon(*fill, failure, parts_.clock.steady_now() + std::chrono::seconds(1));
    return fill->fail(failure);
  }
  source->variant = media.variant;
  if (file) {
    source->file = file;
    source->slice = file->slice(slice);
  }
  auto& runner = under_way_[worker.index]->fills.add([&](std::function<void()> on_over) {
    return std::make_unique<FillRunner>(parts_.fills, worker, view->fill, std::move(*source), fill, std::move(on_over));
  });
  runner.start();
}

void MediaRequestFlow::read_along(runtime::Worker& worker, Exchange exchange, MediaRequest media,
                                  const ObjectIndex::Joined& joined, const ServedFromStore& how) {
  DeliveryFacts facts{exchange->note.node,
                      media.link.expires,
                      joined.began ? CacheOutcome::began : CacheOutcome::waited,
                      &parts_.traffic.of(media.link.channel),
                      media.asker.kind != Asker::Kind::viewer,
                      media.keep,
                      how,
                      field_list(media.variant)};
  if (!joined.began && joined.fill->view().phase == Fill::Phase::complete) facts.met = CacheOutcome::held;
  std::function<void()> is_over;
  auto& delivery = under_way_[worker.index]->deliveries.add([&](std::function<void()> on_over) {
    is_over = on_over;
    return std::make_unique<FillDelivery>(worker.loop, parts_.clock, metrics_for(media), std::move(facts), joined.fill,
                                          std::move(exchange), std::move(on_over));
  });
  delivery.when_stale_serves([this, &worker, media](Exchange back, const FillFailure& failure) {
    auto again = media;
    again.asked = failure;
    retry_lookup(worker, std::move(back), std::move(again));
  });
  if (delivery.start()) return;
  // The fill takes no newcomers and has left the index: there is another entry by now.
  exchange = delivery.take_exchange();
  is_over();
  retry_lookup(worker, std::move(exchange), std::move(media));
}

void MediaRequestFlow::refuse_filled(net::Exchange& exchange, const MediaRequest& media, const FillFailure& failure) {
  metrics_for(media).failed.add();
  metrics_for(media).refused_with(*failure.problem, failure.status);
  exchange.note.reason = failure.reason;
  auto response = http::problem(*failure.problem, failure.detail);
  if (media.asker.kind != Asker::Kind::viewer) add_verdict(response.headers, failure);
  exchange.reply(std::move(response));
}

/// This node's own fault: another node that asks hears no verdict, and asks elsewhere.
void MediaRequestFlow::refuse_overloaded(net::Exchange& exchange, const MediaRequest& media, std::string_view detail,
                                         std::string_view reason) {
  auto& metrics = metrics_for(media);
  metrics.refused_with(http::problems::overloaded);
  refuse(exchange, metrics.failed, http::problems::overloaded, detail, reason);
}

void MediaRequestFlow::refuse(net::Exchange& exchange, base::Counter& counter, const http::ProblemType& type,
                              std::string_view detail, std::string_view reason) {
  counter.add();
  exchange.note.reason = reason;
  exchange.reply(http::problem(type, detail));
}

}  // namespace tribune::cache_node
