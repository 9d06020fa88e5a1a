#include "cache_node/request/object_responder.h"

#include "cache_node/delivery/object_response.h"
#include "http/problem.h"

namespace tribune::cache_node {

ObjectResponder::ObjectResponder(const MediaFlowParts& parts, FillStarter& fills,
                                 const std::vector<std::unique_ptr<runtime::Worker>>& workers, RetryLookup retry_lookup)
    : parts_(parts), fills_(fills), retry_lookup_(std::move(retry_lookup)) {
  for (const auto& worker : workers) running_.push_back(std::make_unique<Running>(worker->loop));
}

HeldObject ObjectResponder::held_object(const MediaRequest& media, const ObjectHead& head, std::int64_t stored) const {
  return {media.retention, head, parts_.age(stored), media.listed_for};
}

// --- A complete object: hit or stale ---

void ObjectResponder::serve_stored(runtime::Worker& worker, MediaExchange exchange, MediaRequest media,
                                   const ObjectIndex::Found& found) {
  const auto& object = std::get<ObjectPtr>(found);
  if (!object->verified) return verify_file(worker, std::move(exchange), std::move(media), object);
  // WHY: for most hits the head, which costs a copy of its texts, decides nothing.
  const auto by = media.retention.by;
  const bool never_changes = by == Retention::By::life || (by == Retention::By::listed && !object->has_terms());
  if (!media.revalidation && !object->stale && never_changes)
    return send_file(worker, std::move(exchange), std::move(media), object, ServedFromStore{{.hit = true}});
  if (const auto how = decide(*exchange, media, {object->head(), object->stored, object->stale}, found))
    send_file(worker, std::move(exchange), std::move(media), object, *how);
}

/// How the complete object answers; nullopt when it must not be served, and the request was refused.
std::optional<ServedFromStore> ObjectResponder::decide(net::Exchange& exchange, const MediaRequest& media,
                                                       const Complete& complete, const ObjectIndex::Found& found) {
  const auto held = held_object(media, complete.head, complete.stored);
  const bool is_gone = media.revalidation && media.revalidation->is_gone();
  if (!complete.is_stale || may_stand_in(held, is_gone)) return served_as(media, held, complete.is_stale);
  if (is_gone) drop(found);
  static const FillFailure remembered{
      &http::problems::origin_timeout,
      "the last request to the origin failed, and the object must not be served stale without revalidation",
      "must_revalidate"};
  reply_with_failure(exchange, parts_.metrics_of(media), media.revalidation ? *media.revalidation : remembered,
                     media.is_from_node());
  return std::nullopt;
}

void ObjectResponder::drop(const ObjectIndex::Found& found) {
  if (const auto* object = std::get_if<ObjectPtr>(&found); object && parts_.index.drop(*object))
    parts_.disk_maintenance.purged({*object});
  if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found)) parts_.index.drop(joined->fill);
}

ServedFromStore ObjectResponder::served_as(const MediaRequest& media, const HeldObject& held, bool is_stale) const {
  ServedFromStore served;
  const bool is_revalidated = media.revalidation && media.revalidation->status == 304;
  if (media.revalidation) {
    served.cache.forward = http::Forward::stale;
    if (media.revalidation->status != 0) served.cache.forward_status = media.revalidation->status;
    served.cache.collapsed = !media.began_revalidation;
    if (!is_revalidated) served.cache.detail = media.revalidation->reason;
  } else {
    served.cache.hit = true;
    if (is_stale) served.cache.detail = "origin-failed";
  }
  served.cache.ttl_seconds = fresh_for(held);
  if (is_revalidated) served.log_value = "revalidated";
  if (is_stale) served.log_value = "stale";
  return served;
}

void ObjectResponder::send_file(runtime::Worker& worker, MediaExchange exchange, MediaRequest media,
                                const ObjectPtr& object, const ServedFromStore& how) {
  auto& metrics = parts_.metrics_of(media);
  auto file = parts_.open_files.open(object);
  if (!file && file.error().kind == base::ErrorKind::unavailable)
    return refuse_overloaded(*exchange, metrics, "this node has no free file descriptors for another file",
                             "descriptors_spent");
  if (!file) {
    parts_.disk_maintenance.damaged(object, file.error().text);
    return retry_lookup_(worker, std::move(exchange), std::move(media));
  }
  AnswerFacts facts;
  facts.node = exchange->note.node;
  facts.cache = how.cache;
  facts.age = parts_.age(object->stored);
  facts.link_life = media.link.expires - base::unix_seconds(parts_.clock.wall_now());
  facts.retention = media.retention;
  facts.for_node = media.is_from_node();
  facts.vary = field_list(media.variant);
  const auto head = object->head();
  const auto choice = choose(exchange->request(), head, object->size);
  auto response = answer(choice, head, object->size, facts);
  if (choice.length > 0) response.body = base::FileSlice{std::move(*file), choice.part.first, choice.length};
  exchange->note.cache = how.log_value;
  metrics.hits.add();
  if (exchange->request().method != http::Method::head) {
    metrics.sent_bytes.add(static_cast<double>(choice.length));
    parts_.traffic.of(media.link.channel).fetch_add(choice.length, std::memory_order_relaxed);
  }
  exchange->reply(std::move(response));
}

/// Verifies an object of a run before the restart: its file is read once, off the loop, and compared with its checksum.
void ObjectResponder::verify_file(runtime::Worker& worker, MediaExchange exchange, MediaRequest media,
                                  const ObjectPtr& object) {
  // std::function requires a copyable capture.
  auto held = std::make_shared<MediaExchange>(std::move(exchange));
  parts_.disk_maintenance.check(object, worker.loop, [this, &worker, held, media = std::move(media)] {
    retry_lookup_(worker, std::move(*held), media);
  });
}

// --- A fill: while it runs, complete in RAM, or as the revalidation of a stale object ---

void ObjectResponder::serve_fill(runtime::Worker& worker, MediaExchange exchange, MediaRequest media,
                                 const ObjectIndex::Found& found) {
  const auto& joined = std::get<ObjectIndex::Joined>(found);
  if (joined.began) media.began_revalidation = true;
  if (serve_while_revalidating(worker, exchange, media, joined)) return;
  ServedFromStore how;
  if (const auto view = joined.fill->view(); !joined.began && view.phase == Fill::Phase::complete) {
    const auto held = decide(*exchange, media, {view.head, view.stored, joined.is_stale}, found);
    if (!held) return;
    how = *held;
  }
  follow_fill(worker, std::move(exchange), std::move(media), joined, how);
}

/// Serves the object that the fill will replace, when the origin allows this during revalidation (RFC 5861 section 3).
bool ObjectResponder::serve_while_revalidating(runtime::Worker& worker, MediaExchange& exchange,
                                               const MediaRequest& media, const ObjectIndex::Joined& joined) {
  if (media.revalidation || (!joined.previous && !joined.previous_in_memory)) return false;
  const auto& object = joined.previous;
  if (object && (!object->verified || !object->has_terms())) return false;
  const auto view = object ? Fill::View() : joined.previous_in_memory->view();
  const auto head = object ? object->head() : view.head;
  const auto held = held_object(media, head, object ? std::int64_t{object->stored} : view.stored);
  if (decide_reuse(held) != http::Reuse::stale_while_revalidate) return false;
  auto how = served_as(media, held, true);
  how.cache.detail = "stale-while-revalidate";
  if (object) {
    send_file(worker, std::move(exchange), media, object, how);
  } else {
    ObjectIndex::Joined previous;
    previous.fill = joined.previous_in_memory;
    follow_fill(worker, std::move(exchange), media, previous, how);
  }
  return true;
}

void ObjectResponder::follow_fill(runtime::Worker& worker, MediaExchange exchange, MediaRequest media,
                                  const ObjectIndex::Joined& joined, const ServedFromStore& how) {
  auto facts = delivery_facts(*exchange, media, joined.began ? CacheOutcome::began : CacheOutcome::waited, how);
  if (!joined.began && joined.fill->view().phase == Fill::Phase::complete) facts.outcome = CacheOutcome::held;
  std::function<void()> on_over;
  auto& delivery = running_[worker.index]->fills.add([&](std::function<void()> call) {
    on_over = call;
    return std::make_unique<FillDelivery>(worker.loop, parts_.clock, parts_.metrics_of(media), std::move(facts),
                                          joined.fill, std::move(exchange), std::move(call));
  });
  delivery.on_stale_usable([this, &worker, media](MediaExchange back, const FillFailure& failure) {
    auto again = media;
    again.revalidation = failure;
    retry_lookup_(worker, std::move(back), std::move(again));
  });
  if (delivery.start()) return;
  // The fill accepts no further readers and has left the index, which has another entry by now.
  exchange = delivery.take_exchange();
  on_over();
  retry_lookup_(worker, std::move(exchange), std::move(media));
}

// --- A file in slices ---

bool ObjectResponder::serve_sliced(runtime::Worker& worker, MediaExchange& exchange, const MediaRequest& media,
                                   const SlicedFilePtr& file, bool may_be_stale) {
  const auto held = held_object(media, file->head, file->seen);
  const bool was_just_seen = media.revalidation && media.revalidation->reason == "sliced";
  const bool is_stale = !was_just_seen && decide_reuse(held) != http::Reuse::fresh;
  if (is_stale && (!may_be_stale || !may_stand_in(held, media.revalidation && media.revalidation->is_gone()))) {
    if (!media.revalidation) return false;
    reply_with_failure(*exchange, parts_.metrics_of(media), *media.revalidation, media.is_from_node());
    return true;
  }
  auto facts = delivery_facts(*exchange, media, CacheOutcome::held,
                              is_stale ? served_as(media, held, true) : ServedFromStore{{.hit = true}});
  SlicedDeliveryContext context{worker.loop,
                                parts_.clock,
                                parts_.metrics_of(media),
                                parts_.disk_maintenance,
                                parts_.open_files,
                                [this, &worker, media, file](std::uint64_t number) {
                                  return fills_.find_or_fill_slice(worker, media, file, number);
                                },
                                [this, &worker, media](MediaExchange back) {
                                  auto again = media;
                                  again.revalidation.reset();
                                  retry_lookup_(worker, std::move(back), std::move(again));
                                }};
  running_[worker.index]
      ->sliced
      .add([&](std::function<void()> on_over) {
        return std::make_unique<SlicedDelivery>(std::move(context), std::move(facts), file, std::move(exchange),
                                                std::move(on_over));
      })
      .start();
  return true;
}

DeliveryFacts ObjectResponder::delivery_facts(const net::Exchange& exchange, const MediaRequest& media,
                                              CacheOutcome outcome, ServedFromStore how) const {
  return {exchange.note.node,   media.link.expires, outcome,        &parts_.traffic.of(media.link.channel),
          media.is_from_node(), media.retention,    std::move(how), field_list(media.variant)};
}

}  // namespace tribune::cache_node
