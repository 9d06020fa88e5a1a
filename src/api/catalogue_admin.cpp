#include "api/catalogue_admin.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "api/deferred_reply.h"
#include "api/responses.h"
#include "api/shop_problems.h"
#include "base/json.h"
#include "http/problem.h"
#include "shop/catalogue_json.h"

namespace tribune::api {
namespace {

using http::Method;

shop::Catalogue catalogue_of(const shop::CatalogueView& view) {
  shop::Catalogue catalogue;
  catalogue.channels = view.channels;
  for (const auto& listed : view.products) catalogue.products.push_back(listed.product);
  return catalogue;
}

std::string etag_of(std::uint64_t version) { return "\"" + std::to_string(version) + "\""; }

/// The version that If-Match names; nullopt without one. Another text is version 0, which no change has.
std::optional<std::uint64_t> version_in(const http::Request& request) {
  const auto field = request.headers.first("If-Match");
  if (!field || *field == "*") return std::nullopt;
  std::uint64_t version = 0;
  if (field->size() > 2) std::from_chars(field->data() + 1, field->data() + field->size() - 1, version);
  return version;
}

/// 400 with the member "errors": [{line, text}].
http::Response import_problem(const std::vector<shop::ImportError>& errors) {
  const auto first =
      errors.empty() ? std::string() : "line " + std::to_string(errors.front().line) + ": " + errors.front().text;
  return http::problem(http::problems::bad_request, "nothing was changed; " + first, [&](base::json::Writer& w) {
    w.key("errors").begin_array();
    for (const auto& [line, text] : errors)
      w.begin_object().member("line", std::uint64_t{line}).member("text", text).end_object();
    w.end_array();
  });
}

bool has_product(const shop::CatalogueView& view, std::string_view id) {
  return std::any_of(view.products.begin(), view.products.end(),
                     [&](const auto& listed) { return listed.product.id == id; });
}

bool has_note(const shop::CatalogueView& view, std::string_view channel) {
  return std::any_of(view.channels.begin(), view.channels.end(),
                     [&](const auto& note) { return note.channel == channel; });
}

http::Response wrong_document(const std::string& why) { return http::problem(http::problems::bad_request, why); }

}  // namespace

std::vector<runtime::Route> CatalogueAdmin::routes() {
  const auto erase = [this](auto list, auto is_known) {
    return [this, list, is_known](auto& worker, auto exchange, const auto& parameters) {
      if (!is_known(*pages_.get()->catalogue, parameters["id"]))
        return exchange->reply(shop_problem(exchange->request(), {shop::ShopFailure::not_found}));
      shop::CatalogueChange order;
      (order.*list).emplace_back(parameters["id"]);
      change(worker, std::move(exchange), std::move(order));
    };
  };
  return {{{Method::get}, "/catalogue", [this](auto&, auto exchange, const auto&) { show(std::move(exchange)); }},
          {{Method::put},
           "/catalogue",
           [this](auto& worker, auto exchange, const auto&) { import(worker, std::move(exchange), false); }},
          {{Method::put},
           "/catalogue/products",
           [this](auto& worker, auto exchange, const auto&) { import(worker, std::move(exchange), true); }},
          {{Method::put},
           "/catalogue/products/{id}",
           [this](auto& worker, auto exchange, const auto& parameters) {
             put_product(worker, std::move(exchange), std::string(parameters["id"]));
           }},
          {{Method::put},
           "/catalogue/channels/{id}",
           [this](auto& worker, auto exchange, const auto& parameters) {
             put_channel(worker, std::move(exchange), std::string(parameters["id"]));
           }},
          {{Method::del}, "/catalogue/products/{id}", erase(&shop::CatalogueChange::erased_products, has_product)},
          {{Method::del}, "/catalogue/channels/{id}", erase(&shop::CatalogueChange::erased_channels, has_note)}};
}

void CatalogueAdmin::show(Exchange exchange) {
  const auto catalogue = pages_.get()->catalogue;
  auto response = json_response(200, to_json(catalogue_of(*catalogue)));
  response.headers.add("ETag", etag_of(catalogue->version));
  exchange->reply(std::move(response));
}

void CatalogueAdmin::import(runtime::Worker& worker, Exchange exchange, bool keeps_channels) {
  auto read = shop::read_catalogue_json(exchange->request().body);
  if (!read) return exchange->reply(import_problem(read.error()));
  shop::CatalogueChange order;
  order.replaces_all = true;
  order.keeps_channels = keeps_channels;
  order.products = std::move(read->products);
  order.channels = std::move(read->channels);
  change(worker, std::move(exchange), std::move(order));
}

void CatalogueAdmin::put_product(runtime::Worker& worker, Exchange exchange, const std::string& id) {
  auto product = shop::product_of_json(exchange->request().body);
  if (!product) return exchange->reply(wrong_document(product.error().text));
  if (product->id != id) return exchange->reply(wrong_document("the id of the product is not that of the path"));
  shop::CatalogueChange order;
  order.products.push_back(std::move(*product));
  change(worker, std::move(exchange), std::move(order));
}

void CatalogueAdmin::put_channel(runtime::Worker& worker, Exchange exchange, const std::string& id) {
  auto note = shop::channel_note_of_json(exchange->request().body);
  if (!note) return exchange->reply(wrong_document(note.error().text));
  if (note->channel != id) return exchange->reply(wrong_document("the channel is not that of the path"));
  shop::CatalogueChange order;
  order.channels.push_back(std::move(*note));
  change(worker, std::move(exchange), std::move(order));
}

void CatalogueAdmin::change(runtime::Worker& worker, Exchange exchange, shop::CatalogueChange order) {
  order.if_version = version_in(exchange->request());
  const DeferredReply reply(worker.loop, std::move(exchange));
  shop_.change_catalogue(std::move(order), [reply](shop::ShopAnswer<std::uint64_t> version) {
    reply.reply([version = std::move(version)](const http::Request& request) {
      if (!version) return shop_problem(request, version.error());
      base::json::Writer w;
      auto response = json_response(200, w.begin_object().member("version", *version).end_object().take());
      response.headers.add("ETag", etag_of(*version));
      return response;
    });
  });
}

}  // namespace tribune::api
