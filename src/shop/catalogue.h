#pragma once
// What is on sale, and what apps tell about the channels. Values, and the rules for them as pure functions.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "shop/money.h"

namespace tribune::shop {

/// A text for viewers. `ru` may be empty: then `en` is shown.
struct ViewerText {
  std::string en;
  std::string ru;
  bool operator==(const ViewerText&) const = default;
};

enum class ProductKind {
  channel,  // one channel
  bundle,   // several channels
  pass,     // one or more channels, or all, for a time
  goods,    // value-added services: food, scarves, parking
};

std::string_view to_string(ProductKind);
std::optional<ProductKind> parse_product_kind(std::string_view text);

/// The channels that a product opens, and the time for which it does.
struct Grant {
  bool all_channels = false;
  std::vector<std::string> channels;              // empty when all_channels is set
  std::optional<std::chrono::seconds> valid_for;  // from the payment, or from the end of what is owned
  std::optional<base::WallTime> valid_from;       // fixed dates
  std::optional<base::WallTime> valid_until;
  bool operator==(const Grant&) const = default;
};

/// One form in which goods are sold, such as a size.
struct ProductOption {
  std::string id;
  ViewerText title;
  std::optional<std::int64_t> stock;  // pieces that are on sale in total, sold ones included; nullopt: unlimited
  bool operator==(const ProductOption&) const = default;
};

struct Product {
  std::string id;
  ProductKind kind = ProductKind::goods;
  ViewerText title;
  ViewerText description;
  std::string picture;  // URL, or a path at the address of the API; may be empty
  Money price;          // of one piece
  Grant grant;          // empty for goods
  /// For goods: a purchase names one of them. Empty: the goods have one form.
  std::vector<ProductOption> options;
  std::optional<std::int64_t> stock;  // as ProductOption::stock; for goods without options
  bool is_on_sale = true;             // otherwise it is not listed and cannot be bought
  bool operator==(const Product&) const = default;
};

/// What apps tell about a channel of the event.
struct ChannelNote {
  std::string channel;
  ViewerText title;    // empty: the title of the event's configuration
  std::string poster;  // URL or path of a picture; may be empty
  ViewerText now;      // what is on
  std::optional<base::WallTime> opens_at;
  bool operator==(const ChannelNote&) const = default;
};

struct Catalogue {
  std::vector<ChannelNote> channels;  // in the order of their ids, as products are
  std::vector<Product> products;
  bool operator==(const Catalogue&) const = default;
};

inline constexpr std::size_t kMaxProducts = 10'000, kMaxChannelNotes = 1'000;
inline constexpr std::size_t kMaxIdBytes = 64;
inline constexpr std::size_t kMaxOptions = 50;          // of a product
inline constexpr std::size_t kMaxGrantedChannels = 64;  // of a product that does not grant all
inline constexpr std::size_t kMaxTitleBytes = 256, kMaxDescriptionBytes = 4'096, kMaxPictureBytes = 1'024;
inline constexpr std::chrono::seconds kMaxValidity{10LL * 366 * 24 * 3'600};

/// What is wrong with a product by itself: an id that is not 1 to 64 of a-z 0-9 . _ - beginning with a letter or digit,
/// a title that is empty, too long or has control characters, a price outside 0 to kMaxAmount, a grant that does not
/// fit the kind (channel: exactly one; bundle: two or more; pass: at least one or all, and a validity; goods: none),
/// both valid_for and fixed dates, an end before the begin, options of other kinds than goods, two options of one id, a
/// negative stock. Empty when nothing is; the text names the member.
std::string wrong_product(const Product&);
/// As wrong_product().
std::string wrong_channel_note(const ChannelNote&);

}  // namespace tribune::shop
