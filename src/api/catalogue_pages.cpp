#include "api/catalogue_pages.h"

#include <algorithm>
#include <utility>

#include "api/documents.h"
#include "api/page_query.h"
#include "api/shop_documents.h"
#include "base/json.h"
#include "base/rfc3339.h"

namespace tribune::api {
namespace {

bool opens(const shop::Product& product, const std::string& channel) {
  const auto& channels = product.grant.channels;
  return product.grant.all_channels || std::find(channels.begin(), channels.end(), channel) != channels.end();
}

void add_products(ListedChannel& channel, const shop::CatalogueView& catalogue, base::WallTime now) {
  bool is_price_of_channel = false;
  for (const auto& [product, taken] : catalogue.products) {
    if (!is_listed(product, now) || !opens(product, channel.id)) continue;
    channel.products.push_back(product.id);
    const bool is_channel = product.kind == shop::ProductKind::channel;
    if (channel.price && is_price_of_channel && !is_channel) continue;
    const bool is_first = !channel.price || (is_channel && !is_price_of_channel);
    const bool is_cheaper =
        !is_first && product.price.currency == channel.price->currency && product.price.amount < channel.price->amount;
    if (is_first || is_cheaper) channel.price = product.price;
    is_price_of_channel = is_price_of_channel || is_channel;
  }
}

const shop::ChannelNote* note_about(const shop::CatalogueView& catalogue, const std::string& channel) {
  const auto found = std::find_if(catalogue.channels.begin(), catalogue.channels.end(),
                                  [&](const auto& note) { return note.channel == channel; });
  return found == catalogue.channels.end() ? nullptr : &*found;
}

/// Whether a list that was rendered at `before` looks different at `now`.
bool has_changed_between(const shop::CatalogueView& catalogue, base::WallTime before, base::WallTime now) {
  const auto is_between = [&](const std::optional<base::WallTime>& time) {
    return time && before < *time && *time <= now;
  };
  return std::any_of(catalogue.channels.begin(), catalogue.channels.end(),
                     [&](const auto& note) { return is_between(note.opens_at); }) ||
         std::any_of(catalogue.products.begin(), catalogue.products.end(),
                     [&](const auto& listed) { return is_between(listed.product.grant.valid_until); });
}

void write_channel(base::json::Writer& w, const ListedChannel& channel, Language language, bool is_owned,
                   base::WallTime now) {
  const auto* state = !channel.is_paid ? "free" : is_owned ? "owned" : "locked";
  const bool is_open = !channel.opens_at || *channel.opens_at <= now;
  w.begin_object().member("id", channel.id).member("title", in_language(channel.title, language));
  w.member("playback_url", channel.playback_url).member("state", state);
  w.member("is_playable", is_open && (!channel.is_paid || is_owned));
  if (!channel.poster.empty()) w.member("poster", channel.poster);
  if (!channel.now.en.empty()) w.member("now", in_language(channel.now, language));
  if (channel.is_paid && channel.price) write_money(w.key("price"), *channel.price);
  if (channel.is_paid && !channel.products.empty()) {
    w.key("products").begin_array();
    for (const auto& product : channel.products) w.value(product);
    w.end_array();
  }
  if (channel.opens_at) w.member("opens_at", base::rfc3339(*channel.opens_at));
  w.end_object();
}

}  // namespace

std::vector<ListedChannel> listed_channels(const contracts::Event& event, const ApiSettings& settings,
                                           const shop::CatalogueView& catalogue, base::WallTime now) {
  std::vector<ListedChannel> channels;
  for (const auto& channel : event.channels) {
    ListedChannel listed;
    listed.id = channel.id;
    listed.title.en = channel.title.empty() ? channel.id : channel.title;
    listed.playback_url = playback_url(settings, channel.id);
    listed.is_paid = channel.access == contracts::ChannelAccess::paid;
    if (const auto* note = note_about(catalogue, channel.id)) {
      if (!note->title.en.empty()) listed.title = note->title;
      listed.poster = note->poster;
      listed.now = note->now;
      listed.opens_at = note->opens_at;
    }
    add_products(listed, catalogue, now);
    channels.push_back(std::move(listed));
  }
  return channels;
}

std::string channels_document(const std::vector<ListedChannel>& channels, Language language,
                              const contracts::AccountClaims* claims, base::WallTime now) {
  base::json::Writer w;
  w.begin_object().key("channels").begin_array();
  for (const auto& channel : channels)
    write_channel(w, channel, language, claims != nullptr && claims->may_watch(channel.id, now), now);
  return w.end_array().end_object().take();
}

void CataloguePages::set_event(const contracts::Event& event, const ApiSettings& settings) {
  const std::lock_guard lock(mutex_);
  event_ = event;
  settings_ = settings;
  render(clock_.wall_now());
}

void CataloguePages::set_catalogue(std::shared_ptr<const shop::CatalogueView> catalogue) {
  const std::lock_guard lock(mutex_);
  catalogue_ = std::move(catalogue);
  render(clock_.wall_now());
}

void CataloguePages::tick() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.wall_now();
  if (has_changed_between(*catalogue_, rendered_at_, now)) render(now);
}

void CataloguePages::render(base::WallTime now) {
  auto pages = std::make_shared<CataloguePageSet>();
  pages->catalogue = catalogue_;
  pages->channels = listed_channels(event_, settings_, *catalogue_, now);
  for (const auto language : {Language::en, Language::ru}) {
    const auto at = static_cast<std::size_t>(language);
    pages->channel_pages[at] = cached_document(channels_document(pages->channels, language, nullptr, now));
    pages->product_pages[at] = cached_document(products_document(*catalogue_, {kMaxProductsOfPage, ""}, language, now));
  }
  rendered_at_ = now;
  pages_.publish(std::move(pages));
}

}  // namespace tribune::api
