#include "cache_node/orders/orders_handler.h"

#include "base/ids.h"
#include "contracts/signed_body.h"
#include "http/problem.h"

namespace tribune::cache_node {

namespace {

namespace problems = http::problems;

http::Response document(std::string body) {
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = std::move(body);
  return response;
}

std::string body_of(std::string_view job, const WarmUp::Progress& progress) {
  base::json::Writer w;
  w.begin_object();
  write(w, job, progress);
  return w.end_object().take();
}

}  // namespace

OrdersHandler::OrdersHandler(const base::Clock& clock, const PublishedNodeView& view, Purge& purge, KnownPurges& known,
                             WarmUp& warm_up)
    : clock_(clock), view_(view), purge_(purge), known_(known), warm_up_(warm_up), issuer_(base::random_id(12)) {}

std::vector<runtime::Route> OrdersHandler::admin_routes() {
  using http::Method;
  return {
      {{Method::post},
       "/cache/purge",
       [this](auto& worker, auto exchange, const auto&) {
         const auto order = contracts::purge_order(exchange->request().body);
         if (!order) return exchange->reply(http::problem(problems::bad_request, order.error().text));
         execute(worker, std::move(exchange), *order, document);
       }},
      {{Method::post},
       "/cache/warm",
       [this](auto& worker, auto exchange, const auto&) {
         const auto order = contracts::warm_order(exchange->request().body, base::random_id(12));
         if (!order) return exchange->reply(http::problem(problems::bad_request, order.error().text));
         execute(worker, std::move(exchange), *order, document);
       }},
      {{Method::get},
       "/cache/warm/{job}",
       [this](auto& worker, auto exchange, const auto& parameters) {
         execute(worker, std::move(exchange), contracts::ProgressQuestion{std::string(parameters["job"])}, document);
       }},
  };
}

runtime::Route OrdersHandler::internal_route() {
  return {{http::Method::post},
          "/internal/v1/nodes/{id}/orders",
          [this](auto& worker, auto exchange, const auto& parameters) {
            internal(worker, std::move(exchange), parameters["id"]);
          }};
}

void OrdersHandler::internal(runtime::Worker& worker, Exchange exchange, std::string_view node) {
  const auto view = view_.get();
  const auto& request = exchange->request();
  if (node != view->settings.id)
    return exchange->reply(http::problem(problems::not_found, "the node id in the URL is not the id of this node"));
  if (request.body.size() > contracts::kMaxOrderBytes)
    return exchange->reply(http::problem(problems::body_too_large, "the body exceeds the maximum size of an order"));
  const auto path = contracts::orders_path(node);
  const auto signature = request.headers.first(contracts::kSignatureHeader).value_or("");
  const auto verified =
      contracts::verify_body(*view->keys, "POST " + path, request.body, signature, clock_.wall_now(), view->clock_skew);
  if (!verified) return exchange->reply(http::problem(problems::forbidden, verified.error().text));
  const auto order = contracts::order_from_json(request.body);
  if (!order) return exchange->reply(http::problem(problems::bad_request, order.error().text));
  execute(worker, std::move(exchange), *order, [this, view, path](std::string body) {
    const auto answer_signature = contracts::sign_body(*view->keys, "200 " + path, body, clock_.wall_now());
    auto response = document(std::move(body));
    response.headers.add(contracts::kSignatureHeader, answer_signature);
    return response;
  });
}

void OrdersHandler::execute(const contracts::NodeOrder& pending,
                            std::function<void(contracts::OrderResult)> on_result) {
  contracts::OrderResult result;
  result.id = pending.id;
  if (const auto* order = std::get_if<contracts::PurgeOrder>(&pending.order))
    return run_purge({pending.id, with_stored_key(*order)},
                     [result, on_result = std::move(on_result)](const base::Result<std::uint64_t>& purged) mutable {
                       if (purged)
                         result.purged = *purged;
                       else
                         result.problem = purged.error().text;
                       on_result(std::move(result));
                     });
  if (const auto* warm = std::get_if<contracts::WarmOrder>(&pending.order)) {
    const auto begun = warm_up_.begin(*warm);
    if (begun)
      result.progress = *begun;
    else
      result.problem = begun.error().text;
  } else {
    const auto progress = warm_up_.progress(std::get<contracts::ProgressQuestion>(pending.order).job);
    if (progress)
      result.progress = *progress;
    else
      result.problem = "no warm-up with this id is known";
  }
  on_result(std::move(result));
}

void OrdersHandler::execute(runtime::Worker& worker, Exchange exchange, const contracts::Order& order, Finish finish) {
  if (const auto* purge_order = std::get_if<contracts::PurgeOrder>(&order))
    return purge(worker, std::move(exchange), *purge_order, std::move(finish));
  if (const auto* warm = std::get_if<contracts::WarmOrder>(&order)) {
    const auto begun = warm_up_.begin(*warm);
    if (!begun) return exchange->reply(http::problem(problems::too_many_requests, begun.error().text));
    return exchange->reply(finish(body_of(warm->job, *begun)));
  }
  const auto& job = std::get<contracts::ProgressQuestion>(order).job;
  const auto progress = warm_up_.progress(job);
  if (!progress) return exchange->reply(http::problem(problems::not_found, "no warm-up with this id is known"));
  exchange->reply(finish(body_of(job, *progress)));
}

/// For a purge by URL: the URL in the form of the object's key.
contracts::PurgeOrder OrdersHandler::with_stored_key(contracts::PurgeOrder order) const {
  if (order.by == contracts::PurgeOrder::By::url) order.value = object_of(view_.get()->query_rules, order.value);
  return order;
}

bool OrdersHandler::may_vary(const contracts::PurgeOrder& order) const {
  return order.by == contracts::PurgeOrder::By::url && has_variants(view_.get()->vary_rules, order.value);
}

void OrdersHandler::purge(runtime::Worker& worker, Exchange exchange, const contracts::PurgeOrder& order,
                          Finish finish) {
  // std::function requires a copyable capture.
  auto held = std::make_shared<Exchange>(std::move(exchange));
  run_purge({contracts::order_id(issuer_, ++number_), with_stored_key(order)},
            [&loop = worker.loop, held, finish = std::move(finish)](const base::Result<std::uint64_t>& purged) mutable {
              loop.post([held = std::move(held), finish = std::move(finish), purged] {
                if (!purged) return (*held)->reply(http::problem(problems::internal, purged.error().text));
                base::json::Writer w;
                w.begin_object().member("purged", *purged).end_object();
                (*held)->reply(finish(w.take()));
              });
            });
}

/// Records the purge before it runs, so that fills that begin from then on list it, and saves it to disk before it is
/// reported as done.
void OrdersHandler::run_purge(const contracts::NamedPurge& purge,
                              std::function<void(base::Result<std::uint64_t>)> on_done) {
  // A purge of all applies to this node alone, so other nodes need not list it.
  if (purge.order.by == contracts::PurgeOrder::By::all) return purge_.run(purge.order, std::move(on_done));
  if (known_.status(purge) == KnownPurges::Status::done)
    return on_done(known_.taken(purge));  // received twice, or from another node before
  known_.begin(purge);
  purge_.run(
      purge.order,
      [&known = known_, purge, on_done = std::move(on_done)](const base::Result<std::uint64_t>& purged) {
        purged ? known.end(purge, *purged) : known.fail(purge);
        known.save();
        on_done(purged);
      },
      may_vary(purge.order));
}

bool OrdersHandler::ensure_executed(std::string_view purge_marks) {
  const auto purges = contracts::read_purge_marks(purge_marks);
  if (!purges) return false;
  bool all = true;
  for (const auto& purge : *purges) {
    if (KnownPurges::expires_soon(purge)) continue;
    const auto status = known_.status(purge);
    all &= status == KnownPurges::Status::done;
    if (status == KnownPurges::Status::unknown || status == KnownPurges::Status::pending)
      run_purge(purge, [](const base::Result<std::uint64_t>&) {});
  }
  return all;
}

}  // namespace tribune::cache_node
