// Reading; catalogue_json_write.cpp writes.
#include "shop/catalogue_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "base/json.h"

namespace tribune::shop {
namespace {

using base::json::Kind;
using base::json::Value;

/// The product or channel that is read, and the list of what is wrong with it.
struct JsonSubject {
  std::string prefix;  // of its errors
  ImportErrorList& errors;
};

/// The members of one object, taken one by one. What is wrong with a member is added to the errors of the subject, and
/// the member then has its default.
class JsonMembers {
 public:
  /// `path` is that of the object, with a dot at its end; empty for the subject itself.
  JsonMembers(const Value& object, std::string path, const JsonSubject& subject)
      : object_(object), path_(std::move(path)), subject_(subject) {}

  /// Null when it is absent.
  const Value* optional(std::string_view name) {
    known_.push_back(name);
    return object_.find(name);
  }
  /// Null and an error when it is absent.
  const Value* required(std::string_view name) {
    const auto* found = optional(name);
    if (!found) fail(object_.offset, name, "is missing");
    return found;
  }
  void fail(std::size_t offset, std::string_view name, std::string_view what) const {
    subject_.errors.add(offset, fmt::format("{}{}{} {}", subject_.prefix, path_, name, what));
  }
  /// Whether the value is there and of the kind. `what` follows "must be".
  bool is(const Value* value, Kind kind, std::string_view name, std::string_view what) const {
    if (value && !value->is(kind)) fail(value->offset, name, fmt::format("must be {}", what));
    return value && value->is(kind);
  }

  std::string string(const Value* value, std::string_view name) const {
    return is(value, Kind::string, name, "a text") ? value->string : std::string();
  }
  std::optional<std::int64_t> whole(const Value* value, std::string_view name) const {
    constexpr double kLimit = 9'223'372'036'854'775'808.0;  // 2^63
    if (value && value->is(Kind::number) && (value->number >= kLimit || value->number <= -kLimit)) {
      fail(value->offset, name, "must be a whole number of 64 bits");
      return std::nullopt;
    }
    if (!is(value, Kind::integer, name, "a whole number without fraction and exponent")) return std::nullopt;
    return value->integer;
  }
  bool flag(const Value* value, std::string_view name, bool otherwise) const {
    return is(value, Kind::boolean, name, "true or false") ? value->boolean : otherwise;
  }
  template <class Parse>
  auto parsed(const Value* value, std::string_view name, std::string_view what, Parse parse) const
      -> decltype(parse(std::string_view())) {
    if (!is(value, Kind::string, name, what)) return std::nullopt;
    auto found = parse(value->string);
    if (!found) fail(value->offset, name, fmt::format("must be {}", what));
    return found;
  }
  std::optional<base::WallTime> time(std::string_view name) {
    return parsed(optional(name), name, "a time such as 2026-06-01T20:00:00Z", parse_catalogue_time);
  }
  ViewerText viewer_text(const Value* value, std::string_view name) const {
    if (value && value->is(Kind::string)) return {value->string, ""};
    if (!is(value, Kind::object, name, "a text or an object with en and ru")) return {};
    JsonMembers members(*value, fmt::format("{}{}.", path_, name), subject_);
    ViewerText text;
    text.en = members.string(members.required("en"), "en");
    text.ru = members.string(members.optional("ru"), "ru");
    members.finish();
    return text;
  }

  /// After all members were taken: any other one is an error.
  void finish() const {
    for (const auto& member : object_.object) {
      if (std::ranges::find(known_, member.name) != known_.end()) continue;
      subject_.errors.add(member.name_offset,
                          fmt::format("{}{} is unknown: the members are {}", subject_.prefix,
                                      quoted_extract(path_ + member.name), fmt::join(known_, ", ")));
    }
  }

 private:
  const Value& object_;
  std::string path_;
  const JsonSubject& subject_;
  std::vector<std::string_view> known_;
};

/// Where the member begins that a text of wrong_product() names at its front, such as "options[2].title.en must …": the
/// last part of its path that the object has.
std::size_t offset_of_named(const Value& object, std::string_view text) {
  const auto* found = &object;
  auto path = text.substr(0, text.find(' '));
  while (!path.empty()) {
    const auto end = path.find_first_of(".[]");
    const auto part = path.substr(0, end);
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    if (part.empty()) continue;
    std::size_t index = found->array.size();
    std::from_chars(part.data(), part.data() + part.size(), index);
    const auto* next = index < found->array.size() ? &found->array[index] : found->find(part);
    if (!next) break;
    found = next;
  }
  return found->offset;
}

Money price_of_json(JsonMembers& product, const JsonSubject& subject) {
  const auto* value = product.required("price");
  if (!product.is(value, Kind::object, "price", "an object with amount and currency")) return {};
  JsonMembers members(*value, "price.", subject);
  Money price;
  price.amount = members.whole(members.required("amount"), "amount").value_or(0);
  price.currency = members.string(members.required("currency"), "currency");
  members.finish();
  return price;
}

void read_granted_channels(const JsonMembers& product, const Value* value, Grant& grant) {
  constexpr std::string_view kAllowed = "\"all\" or a list of ids";
  if (!value) return;
  if (value->is(Kind::string) && value->string == "all") {
    grant.all_channels = true;
    return;
  }
  if (!product.is(value, Kind::array, "channels", kAllowed)) return;
  if (value->array.size() > kMaxGrantedChannels)
    return product.fail(value->offset, "channels", fmt::format("must name at most {} channels", kMaxGrantedChannels));
  for (std::size_t i = 0; i < value->array.size(); ++i)
    grant.channels.push_back(product.string(&value->array[i], fmt::format("channels[{}]", i)));
}

std::vector<ProductOption> options_of_json(JsonMembers& product, const JsonSubject& subject) {
  std::vector<ProductOption> options;
  const auto* value = product.optional("options");
  if (!product.is(value, Kind::array, "options", "a list")) return options;
  if (value->array.size() > kMaxOptions) {
    product.fail(value->offset, "options", fmt::format("must have at most {} elements", kMaxOptions));
    return options;
  }
  for (std::size_t i = 0; i < value->array.size(); ++i) {
    const auto& element = value->array[i];
    const auto name = fmt::format("options[{}]", i);
    if (!product.is(&element, Kind::object, name, "an object with id, title and stock")) continue;
    JsonMembers members(element, name + ".", subject);
    ProductOption option;
    option.id = members.string(members.required("id"), "id");
    option.title = members.viewer_text(members.required("title"), "title");
    option.stock = members.whole(members.optional("stock"), "stock");
    members.finish();
    options.push_back(std::move(option));
  }
  return options;
}

Product product_of_value(const Value& value, const JsonSubject& subject) {
  const auto errors_before = subject.errors.count();
  JsonMembers members(value, "", subject);
  Product product;
  product.id = members.string(members.required("id"), "id");
  product.kind = members.parsed(members.required("kind"), "kind", "channel, bundle, pass or goods", parse_product_kind)
                     .value_or(ProductKind::goods);
  product.title = members.viewer_text(members.required("title"), "title");
  product.description = members.viewer_text(members.optional("description"), "description");
  product.picture = members.string(members.optional("picture"), "picture");
  product.price = price_of_json(members, subject);
  read_granted_channels(members, members.optional("channels"), product.grant);
  product.grant.valid_for = members.parsed(members.optional("valid_for"), "valid_for",
                                           "a duration such as 30d, 12h, 90min or 45s", parse_validity);
  product.grant.valid_from = members.time("valid_from");
  product.grant.valid_until = members.time("valid_until");
  product.options = options_of_json(members, subject);
  product.stock = members.whole(members.optional("stock"), "stock");
  product.is_on_sale = members.flag(members.optional("is_on_sale"), "is_on_sale", true);
  members.finish();
  // WHY not after an error: the member that is wrong or missing would be reported again.
  if (subject.errors.count() != errors_before) return product;
  if (const auto wrong = wrong_product(product); !wrong.empty())
    subject.errors.add(offset_of_named(value, wrong), subject.prefix + wrong);
  return product;
}

ChannelNote channel_note_of_value(const Value& value, const JsonSubject& subject) {
  const auto errors_before = subject.errors.count();
  JsonMembers members(value, "", subject);
  ChannelNote note;
  note.channel = members.string(members.required("channel"), "channel");
  note.title = members.viewer_text(members.optional("title"), "title");
  note.poster = members.string(members.optional("poster"), "poster");
  note.now = members.viewer_text(members.optional("now"), "now");
  note.opens_at = members.time("opens_at");
  members.finish();
  if (subject.errors.count() != errors_before) return note;
  if (const auto wrong = wrong_channel_note(note); !wrong.empty())
    subject.errors.add(offset_of_named(value, wrong), subject.prefix + wrong);
  return note;
}

/// How the list of one type of elements is read.
template <class Element>
struct JsonList {
  std::string_view name;     // of the list
  std::string_view element;  // for errors
  std::string_view id_name;
  std::string Element::*id;
  std::size_t most;
  Element (*read)(const Value&, const JsonSubject&);
};

constexpr JsonList<Product> kProductList{"products", "product", "id", &Product::id, kMaxProducts, product_of_value};
constexpr JsonList<ChannelNote> kChannelList{
    "channels", "channel", "channel", &ChannelNote::channel, kMaxChannelNotes, channel_note_of_value};

template <class Element>
std::vector<Element> elements_of_json(const Value* value, const JsonList<Element>& list, const JsonMembers& catalogue,
                                      ImportErrorList& errors) {
  std::vector<Element> elements;
  if (!catalogue.is(value, Kind::array, list.name, "a list")) return elements;
  if (value->array.size() > list.most) {
    catalogue.fail(value->offset, list.name, fmt::format("must have at most {} elements", list.most));
    return elements;
  }
  std::unordered_set<std::string_view> ids;
  for (std::size_t i = 0; i < value->array.size(); ++i) {
    const auto& element = value->array[i];
    const auto index = fmt::format("{}[{}]", list.name, i);
    if (!catalogue.is(&element, Kind::object, index, "an object")) continue;
    const auto id = element.text(list.id_name).value_or("");
    const JsonSubject subject{id.empty() ? index + ": " : fmt::format("{} {}: ", list.element, quoted_extract(id)),
                              errors};
    elements.push_back(list.read(element, subject));
    if (!id.empty() && !ids.insert(id).second)
      errors.add(element.find(list.id_name)->offset, fmt::format("{}{} occurs twice", subject.prefix, list.id_name));
  }
  std::ranges::sort(elements, {}, list.id);
  return elements;
}

/// One product or note as a text of its own.
template <class Element>
base::Result<Element> element_of_json(std::string_view text, const JsonList<Element>& list) {
  constexpr base::json::ParseLimits kLimits{.max_depth = 4, .max_bytes = 256 * 1024, .max_values = 1'000};
  if (text.size() > kLimits.max_bytes)
    return base::failure(base::ErrorKind::too_large, base::Fault::client,
                         fmt::format("a {} must have at most {} bytes", list.element, kLimits.max_bytes));
  const auto value = base::json::parse(text, kLimits);
  if (!value) return base::failure(base::ErrorKind::invalid_input, base::Fault::client, value.error().text);
  if (!value->is(Kind::object))
    return base::failure(base::ErrorKind::invalid_input, base::Fault::client,
                         fmt::format("a {} must be an object", list.element));
  ImportErrorList errors;
  auto element = list.read(*value, JsonSubject{"", errors});
  if (errors.count() == 0) return element;
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client,
                       std::move(errors).with_lines(text).front().text);
}

}  // namespace

base::Result<Product> product_of_json(std::string_view text) { return element_of_json(text, kProductList); }

base::Result<ChannelNote> channel_note_of_json(std::string_view text) { return element_of_json(text, kChannelList); }

CatalogueRead read_catalogue_json(std::string_view text) {
  text = without_byte_order_mark(text);
  constexpr base::json::ParseLimits kLimits{.max_depth = 6, .max_bytes = kMaxImportBytes, .max_values = 500'000};
  ImportErrorList errors;
  Catalogue catalogue;
  const auto value = base::json::parse(text, kLimits);
  if (!value) {
    errors.add(value.error().offset, value.error().text);
  } else if (!value->is(Kind::object)) {
    errors.add(value->offset, "the catalogue must be an object with channels and products");
  } else {
    const JsonSubject whole{"", errors};
    JsonMembers members(*value, "", whole);
    catalogue.channels = elements_of_json(members.optional("channels"), kChannelList, members, errors);
    catalogue.products = elements_of_json(members.required("products"), kProductList, members, errors);
    members.finish();
  }
  if (errors.count() > 0) return tl::unexpected(std::move(errors).with_lines(text));
  return catalogue;
}

}  // namespace tribune::shop
