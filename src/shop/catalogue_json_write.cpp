#include "base/json.h"
#include "shop/catalogue_json.h"

namespace tribune::shop {
namespace {

using base::json::Writer;

void write_catalogue_text(Writer& w, std::string_view name, const ViewerText& text) {
  if (text.en.empty() && text.ru.empty()) return;
  w.key(name).begin_object().member("en", text.en);
  if (!text.ru.empty()) w.member("ru", text.ru);
  w.end_object();
}

void write_catalogue_time(Writer& w, std::string_view name, const std::optional<base::WallTime>& time) {
  if (time) w.member(name, catalogue_time_text(*time));
}

void write_grant(Writer& w, const Grant& grant) {
  if (grant.all_channels) {
    w.member("channels", "all");
  } else if (!grant.channels.empty()) {
    w.key("channels").begin_array();
    for (const auto& channel : grant.channels) w.value(channel);
    w.end_array();
  }
  if (grant.valid_for) w.member("valid_for", validity_text(*grant.valid_for));
  write_catalogue_time(w, "valid_from", grant.valid_from);
  write_catalogue_time(w, "valid_until", grant.valid_until);
}

void write_options(Writer& w, const std::vector<ProductOption>& options) {
  if (options.empty()) return;
  w.key("options").begin_array();
  for (const auto& option : options) {
    w.begin_object().member("id", option.id);
    write_catalogue_text(w, "title", option.title);
    if (option.stock) w.member("stock", *option.stock);
    w.end_object();
  }
  w.end_array();
}

template <class Element>
std::string json_lines(const std::vector<Element>& elements) {
  std::string lines;
  for (const auto& element : elements) lines += (lines.empty() ? "\n" : ",\n") + to_json(element);
  return "[" + lines + "\n]";
}

}  // namespace

std::string to_json(const Product& product) {
  Writer w;
  w.begin_object().member("id", product.id).member("kind", to_string(product.kind));
  write_catalogue_text(w, "title", product.title);
  write_catalogue_text(w, "description", product.description);
  if (!product.picture.empty()) w.member("picture", product.picture);
  w.key("price").begin_object().member("amount", product.price.amount).member("currency", product.price.currency);
  w.end_object();
  write_grant(w, product.grant);
  write_options(w, product.options);
  if (product.stock) w.member("stock", *product.stock);
  return w.member("is_on_sale", product.is_on_sale).end_object().take();
}

std::string to_json(const ChannelNote& note) {
  Writer w;
  w.begin_object().member("channel", note.channel);
  write_catalogue_text(w, "title", note.title);
  if (!note.poster.empty()) w.member("poster", note.poster);
  write_catalogue_text(w, "now", note.now);
  write_catalogue_time(w, "opens_at", note.opens_at);
  return w.end_object().take();
}

std::string to_json(const Catalogue& catalogue) {
  return "{\"channels\":" + json_lines(catalogue.channels) + ",\n\"products\":" + json_lines(catalogue.products) +
         "}\n";
}

}  // namespace tribune::shop
