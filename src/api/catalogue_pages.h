#pragma once
// The lists of channels and of products, rendered when the catalogue, the settings or the time change them.

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/api_settings.h"
#include "api/cached_document.h"
#include "api/localized.h"
#include "base/clock.h"
#include "base/published.h"
#include "contracts/account_token.h"
#include "contracts/event.h"
#include "shop/shop_store.h"

namespace tribune::api {

/// A channel of the event with what the catalogue says about it.
struct ListedChannel {
  std::string id;
  shop::ViewerText title;
  std::string playback_url;
  std::string poster;
  shop::ViewerText now;
  bool is_paid = false;
  /// The lowest of the products that open it, of those of kind channel if there are any; in the currency of the first.
  std::optional<shop::Money> price;
  std::vector<std::string> products;  // that open it and are on sale
  std::optional<base::WallTime> opens_at;
};

std::vector<ListedChannel> listed_channels(const contracts::Event&, const ApiSettings&, const shop::CatalogueView&,
                                           base::WallTime now);

/// {channels: [{id, title, playback_url, state, is_playable, poster?, now?, price?, products?, opens_at?}]}
/// state: free, owned, or locked for an account without the channel and for a request without an account.
std::string channels_document(const std::vector<ListedChannel>&, Language, const contracts::AccountClaims*,
                              base::WallTime now);

/// Immutable.
struct CataloguePageSet {
  std::shared_ptr<const shop::CatalogueView> catalogue = std::make_shared<const shop::CatalogueView>();
  std::vector<ListedChannel> channels;
  std::array<CachedDocument, 2> channel_pages, product_pages;  // by Language: for everybody, and the first page
};

/// Any thread; locks inside.
class CataloguePages {
 public:
  explicit CataloguePages(const base::Clock& clock) : clock_(clock) {}

  void set_event(const contracts::Event&, const ApiSettings&);
  void set_catalogue(std::shared_ptr<const shop::CatalogueView>);
  /// Renders again when a channel has opened, or a product's time has ended. To be called every second.
  void tick();

  std::shared_ptr<const CataloguePageSet> get() const { return pages_.get(); }

 private:
  void render(base::WallTime now);

  const base::Clock& clock_;
  base::Published<CataloguePageSet> pages_{std::make_shared<const CataloguePageSet>()};
  std::mutex mutex_;  // guards what follows
  contracts::Event event_;
  ApiSettings settings_;
  std::shared_ptr<const shop::CatalogueView> catalogue_ = std::make_shared<const shop::CatalogueView>();
  base::WallTime rendered_at_{};
};

}  // namespace tribune::api
