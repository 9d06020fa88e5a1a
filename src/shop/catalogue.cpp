#include "shop/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <unordered_set>

namespace tribune::shop {
namespace {

constexpr std::array<std::string_view, 4> kProductKinds{"channel", "bundle", "pass", "goods"};

/// WHY a bound: the pieces that are sold, reserved and ordered are added up.
constexpr std::int64_t kMaxStock = 1'000'000'000;

/// The first text that is not empty.
std::string first_wrong(std::initializer_list<std::string> texts) {
  const auto* found = std::find_if(texts.begin(), texts.end(), [](const auto& text) { return !text.empty(); });
  return found == texts.end() ? std::string() : *found;
}

/// Takes one character off a text in UTF-8; nullopt when the bytes at the front encode none (RFC 3629).
std::optional<char32_t> take_character(std::string_view& text) {
  constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};  // of each length; less is overlong
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xc2 ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
  if (length == 0 || text.size() < length) return std::nullopt;
  char32_t character = length == 1 ? lead : lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return std::nullopt;
    character = (character << 6) | (byte & 0x3fU);
  }
  const bool is_surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < kLeast[length] || character > 0x10ffff || is_surrogate) return std::nullopt;
  text.remove_prefix(length);
  return character;
}

bool is_shop_id(std::string_view text) {
  const auto is_alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 64 && is_alnum(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

std::string wrong_catalogue_id(std::string_view id, std::string_view member) {
  if (is_shop_id(id)) return {};
  return fmt::format("{} must be 1 to 64 characters of a-z 0-9 . _ - and begin with a letter or digit", member);
}

enum class TextLines { one, several };

std::string wrong_line(std::string_view text, const std::string& member, std::size_t max_bytes, TextLines lines) {
  if (text.size() > max_bytes) return fmt::format("{} must have at most {} bytes", member, max_bytes);
  while (!text.empty()) {
    const auto character = take_character(text);
    if (!character) return member + " must be UTF-8";
    if (*character == '\n' && lines == TextLines::several) continue;
    if (*character < 0x20 || (*character >= 0x7f && *character <= 0x9f))
      return member + " must not have control characters" +
             (lines == TextLines::several ? " other than line feeds" : "");
  }
  return {};
}

/// Of a text that may be empty.
std::string wrong_viewer_text(const ViewerText& text, const std::string& member, std::size_t max_bytes,
                              TextLines lines = TextLines::one) {
  if (text.en.empty() && !text.ru.empty()) return member + ".en must not be empty when " + member + ".ru is not";
  return first_wrong(
      {wrong_line(text.en, member + ".en", max_bytes, lines), wrong_line(text.ru, member + ".ru", max_bytes, lines)});
}

std::string wrong_title(const ViewerText& title, const std::string& member) {
  if (title.en.empty()) return member + ".en must not be empty";
  return wrong_viewer_text(title, member, kMaxTitleBytes);
}

/// WHY no "//" and no "\": a browser takes the name after either for another host.
std::string wrong_picture(std::string_view picture, std::string_view member) {
  if (picture.empty()) return {};
  if (picture.size() > kMaxPictureBytes) return fmt::format("{} must have at most {} bytes", member, kMaxPictureBytes);
  if (!std::ranges::all_of(picture, [](char c) { return c > 0x20 && c < 0x7f && c != '\\' && c != '"'; }))
    return fmt::format("{} must be visible ASCII without \\ and \": escape other characters as %XX", member);
  bool is_allowed = picture.starts_with('/') && !picture.starts_with("//");
  for (const std::string_view scheme : {"http://", "https://"})
    is_allowed = is_allowed || (picture.starts_with(scheme) && picture.size() > scheme.size() &&
                                std::string_view("/?#").find(picture[scheme.size()]) == std::string_view::npos);
  if (is_allowed) return {};
  return fmt::format("{} must be an http:// or https:// URL, or a path that begins with one \"/\"", member);
}

/// The years that base::parse_rfc3339() reads.
std::string wrong_date(const std::optional<base::WallTime>& date, std::string_view member) {
  if (!date) return {};
  const auto year = std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(*date)).year();
  if (year >= std::chrono::year(1970) && year <= std::chrono::year(2261)) return {};
  return fmt::format("{} must be in the years 1970 to 2261", member);
}

std::string wrong_price(const Money& price) {
  if (price.amount < 0 || price.amount > kMaxAmount)
    return fmt::format("price.amount must be 0 to {} minor units", kMaxAmount);
  if (!is_currency(price.currency)) return "price.currency must be three letters A-Z, such as EUR";
  return {};
}

std::string wrong_granted_channels(const std::vector<std::string>& channels) {
  if (channels.size() > kMaxGrantedChannels)
    return fmt::format("channels must name at most {} channels", kMaxGrantedChannels);
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const auto member = fmt::format("channels[{}]", i);
    if (auto wrong = wrong_catalogue_id(channels[i], member); !wrong.empty()) return wrong;
    // WHY: as the only channel of a product it could not be told from all channels in CSV.
    if (channels[i] == "all") return member + " must not be \"all\", which stands for all channels";
    if (!seen.insert(channels[i]).second) return member + " occurs twice in channels";
  }
  return {};
}

std::string wrong_validity(const Grant& grant) {
  if (grant.valid_for && (*grant.valid_for <= std::chrono::seconds(0) || *grant.valid_for > kMaxValidity))
    return fmt::format("valid_for must be 1s to {}d", kMaxValidity / std::chrono::hours(24));
  if (grant.valid_for && (grant.valid_from || grant.valid_until))
    return "valid_for must not be given together with valid_from or valid_until";
  if (grant.valid_from && grant.valid_until && *grant.valid_until <= *grant.valid_from)
    return "valid_until must be after valid_from";
  return first_wrong({wrong_date(grant.valid_from, "valid_from"), wrong_date(grant.valid_until, "valid_until")});
}

/// Whether the grant is what a product of this kind gives.
std::string wrong_for_kind(const Grant& grant, ProductKind kind) {
  const auto count = grant.channels.size();
  if (kind == ProductKind::goods) {
    if (grant.all_channels || count > 0) return "channels must be absent, because the kind is goods";
    if (grant.valid_for) return "valid_for must be absent, because the kind is goods";
    if (grant.valid_from) return "valid_from must be absent, because the kind is goods";
    return grant.valid_until ? "valid_until must be absent, because the kind is goods" : "";
  }
  if (grant.all_channels && count > 0) return "channels must be either all or a list";
  if (kind == ProductKind::channel && (grant.all_channels || count != 1))
    return "channels must name exactly one channel, because the kind is channel";
  if (kind == ProductKind::bundle && (grant.all_channels || count < 2))
    return "channels must name two or more channels, because the kind is bundle";
  if (kind != ProductKind::pass) return {};
  if (!grant.all_channels && count == 0)
    return "channels must be \"all\" or name at least one channel, because the kind is pass";
  if (!grant.valid_for && !grant.valid_until) return "valid_for or valid_until must be given, because the kind is pass";
  return {};
}

std::string wrong_stock(const std::optional<std::int64_t>& stock, std::string_view member) {
  if (!stock || (*stock >= 0 && *stock <= kMaxStock)) return {};
  return fmt::format("{} must be 0 to {}", member, kMaxStock);
}

std::string wrong_options(const Product& product) {
  const auto& options = product.options;
  if (options.empty()) return {};
  if (product.kind != ProductKind::goods) return "options must be absent, because the kind is not goods";
  if (options.size() > kMaxOptions) return fmt::format("options must have at most {} elements", kMaxOptions);
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const auto member = fmt::format("options[{}]", i);
    auto wrong = first_wrong({wrong_catalogue_id(options[i].id, member + ".id"),
                              wrong_title(options[i].title, member + ".title"),
                              wrong_stock(options[i].stock, member + ".stock")});
    if (!wrong.empty()) return wrong;
    if (!seen.insert(options[i].id).second) return member + ".id occurs twice in options";
  }
  return {};
}

std::string wrong_product_stock(const Product& product) {
  if (product.stock && product.kind != ProductKind::goods) return "stock must be absent, because the kind is not goods";
  if (product.stock && !product.options.empty()) return "stock must be absent, because each of the options has its own";
  return wrong_stock(product.stock, "stock");
}

}  // namespace

std::string_view to_string(ProductKind kind) { return kProductKinds[static_cast<std::size_t>(kind)]; }

std::optional<ProductKind> parse_product_kind(std::string_view text) {
  const auto* found = std::find(kProductKinds.begin(), kProductKinds.end(), text);
  if (found == kProductKinds.end()) return std::nullopt;
  return static_cast<ProductKind>(found - kProductKinds.begin());
}

std::string wrong_product(const Product& product) {
  return first_wrong({wrong_catalogue_id(product.id, "id"), wrong_title(product.title, "title"),
                      wrong_viewer_text(product.description, "description", kMaxDescriptionBytes, TextLines::several),
                      wrong_picture(product.picture, "picture"), wrong_price(product.price),
                      wrong_for_kind(product.grant, product.kind), wrong_granted_channels(product.grant.channels),
                      wrong_validity(product.grant), wrong_options(product), wrong_product_stock(product)});
}

std::string wrong_channel_note(const ChannelNote& note) {
  return first_wrong({wrong_catalogue_id(note.channel, "channel"),
                      wrong_viewer_text(note.title, "title", kMaxTitleBytes), wrong_picture(note.poster, "poster"),
                      wrong_viewer_text(note.now, "now", kMaxTitleBytes), wrong_date(note.opens_at, "opens_at")});
}

}  // namespace tribune::shop
