#include "contracts/order.h"

#include <algorithm>
#include <array>

#include "contracts/canonical.h"
#include "contracts/link.h"

namespace tribune::contracts {
namespace {

namespace json = base::json;

constexpr std::array<std::string_view, 5> kByNames = {"url", "prefix", "channel", "tag", "all"};
constexpr std::size_t kLongestText = 8 * 1024;
constexpr std::size_t kLongestProblem = 400;
constexpr std::size_t kMostTagBytes = 4 * 1024;

tl::unexpected<base::Error> wrong(std::string text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client, std::move(text));
}

base::Result<json::Value> read_object(std::string_view text) {
  json::ParseLimits limits;
  limits.max_bytes = kMaxOrderBytes;
  limits.max_depth = 8;
  auto value = json::parse(text, limits);
  if (!value) return wrong("not JSON: " + value.error().text);
  if (!value->is(json::Kind::object)) return wrong("not an object");
  return std::move(*value);
}

bool is_text(const json::Value& value) {
  return value.is(json::Kind::string) && !value.string.empty() && value.string.size() <= kLongestText &&
         is_visible_ascii(value.string);
}

base::Result<PurgeOrder> read_purge(const json::Value& object) {
  PurgeOrder order;
  int named = 0;
  for (const auto& member : object.object) {
    const auto by = std::find(kByNames.begin(), kByNames.end(), member.name);
    if (by != kByNames.end()) {
      if (!is_text(member.value))
        return wrong("the member " + member.name + " is not a string of visible ASCII characters");
      order.by = static_cast<PurgeOrder::By>(by - kByNames.begin());
      order.value = order.by == PurgeOrder::By::url || order.by == PurgeOrder::By::prefix
                        ? object_of_url(member.value.string)
                        : member.value.string;
      ++named;
    } else if (member.name == "soft" && member.value.is(json::Kind::boolean)) {
      order.soft = member.value.boolean;
    } else {
      return wrong("the member " + member.name + " is unknown or of another type");
    }
  }
  if (named != 1 || order.value.empty())
    return wrong("exactly one of the members url, prefix, channel, tag and all is required");
  if (order.by == PurgeOrder::By::all && order.value != "*") return wrong("the member all is not \"*\"");
  if (order.by == PurgeOrder::By::channel && !is_id(order.value)) return wrong("the member channel is not an id");
  return order;
}

base::Result<WarmOrder> read_warm(const json::Value& object, std::string_view job) {
  WarmOrder order{std::string(job), {}};
  const auto* urls = object.find("urls");
  if (!urls || !urls->is(json::Kind::array) || urls->array.empty())
    return wrong("the member urls must be a non-empty list");
  if (urls->array.size() > kMaxWarmObjects)
    return wrong("the member urls has more than " + std::to_string(kMaxWarmObjects) + " entries");
  for (const auto& url : urls->array) {
    if (!is_text(url)) return wrong("the member urls has an entry that is not a string of visible ASCII characters");
    order.objects.push_back(object_of_url(url.string));
  }
  return order;
}

}  // namespace

std::string_view to_string(PurgeOrder::By by) { return kByNames[static_cast<std::size_t>(by)]; }

void write_members(json::Writer& w, const Order& order) {
  if (const auto* purge = std::get_if<PurgeOrder>(&order)) {
    w.key("purge").begin_object().member(to_string(purge->by), purge->value).member("soft", purge->soft).end_object();
  } else if (const auto* warm = std::get_if<WarmOrder>(&order)) {
    w.key("warm").begin_object().member("job", warm->job).key("urls").begin_array();
    for (const auto& object : warm->objects) w.value(object);
    w.end_array().end_object();
  } else {
    w.key("progress").begin_object().member("job", std::get<ProgressQuestion>(order).job).end_object();
  }
}

std::string to_json(const Order& order) {
  json::Writer w;
  w.begin_object();
  write_members(w, order);
  return w.end_object().take();
}

void write(json::Writer& w, const OrderResult& result) {
  const auto& p = result.progress;
  w.begin_object()
      .member("id", result.id)
      .member("problem", result.problem)
      .member("purged", result.purged)
      .member("total", p.total)
      .member("left", p.left);
  w.member("running", p.running).member("stored", p.stored).member("failed", p.failed).end_object();
}

base::Result<OrderResult> order_result(const json::Value& value) {
  OrderResult result;
  result.id = value.text("id").value_or("");
  if (!is_id(result.id)) return wrong("the member id of a result is required");
  result.problem = value.text("problem").value_or("").substr(0, kLongestProblem);
  const auto count = [&](const char* name) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(value.whole(name).value_or(0), 0));
  };
  result.purged = count("purged");
  result.progress = {count("total"), count("left"), count("running"), count("stored"), count("failed")};
  return result;
}

base::Result<Order> order_from_json(std::string_view text) { return read_object(text).and_then(order_from_value); }

base::Result<Order> order_from_value(const json::Value& value) {
  if (!value.is(json::Kind::object) || value.object.size() != 1 || !value.object.front().value.is(json::Kind::object))
    return wrong("exactly one member is required, and it must be an object");
  const auto& [name, offset, inner] = value.object.front();
  const auto as_order = [](auto order) { return Order(std::move(order)); };
  if (name == "purge") return read_purge(inner).map(as_order);
  const auto job = inner.text("job").value_or("");
  if (!is_id(job)) return wrong("the member job is not an id");
  if (name == "warm") return read_warm(inner, job).map(as_order);
  if (name == "progress") return Order(ProgressQuestion{std::string(job)});
  return wrong("the order " + name + " is unknown");
}

base::Result<PurgeOrder> purge_order(std::string_view text) { return read_object(text).and_then(read_purge); }

base::Result<WarmOrder> warm_order(std::string_view text, std::string_view job) {
  return read_object(text).and_then([&](const json::Value& object) { return read_warm(object, job); });
}

std::string object_of_url(std::string_view url) {
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos && scheme < url.find('/')) {
    const auto path = url.find('/', scheme + 3);
    url = path == std::string_view::npos ? std::string_view() : url.substr(path);
  }
  if (url.starts_with("/media/")) url.remove_prefix(7);
  while (url.starts_with('/')) url.remove_prefix(1);
  const auto mark = url.find('?');
  if (mark == std::string_view::npos) return std::string(url);
  // The signature and the text after it are not part of the key.
  auto query = url.substr(mark + 1);
  for (std::size_t begin = 0; begin < query.size();) {
    const auto end = std::min(query.find('&', begin), query.size());
    if (query.substr(begin, end - begin).starts_with(std::string(kLinkKey) + "=")) {
      query = query.substr(0, begin == 0 ? 0 : begin - 1);
      break;
    }
    begin = end + 1;
  }
  std::string object(url.substr(0, mark));
  return query.empty() ? object : object.append("?").append(query);
}

bool covers(const PurgeOrder& newer, const PurgeOrder& older) {
  using By = PurgeOrder::By;
  if (newer.soft && !older.soft) return false;
  if (newer.by == By::all || (newer.by == older.by && newer.value == older.value)) return true;
  if (newer.by == By::url || newer.by == By::tag || older.by == By::tag || older.by == By::all) return false;
  const auto beginning = newer.by == By::channel ? newer.value + "/" : newer.value;
  return (older.by == By::channel ? older.value + "/" : older.value).starts_with(beginning);
}

std::string log_text(const PurgeOrder& order) {
  const auto end = order.value.find('?');
  return order.value.substr(0, end) + (end == std::string::npos ? "" : "?...");
}

bool is_meant(const PurgeOrder& order, std::string_view key, std::string_view tags) {
  switch (order.by) {
    case PurgeOrder::By::url: return key == order.value;
    case PurgeOrder::By::prefix: return key.starts_with(order.value);
    case PurgeOrder::By::channel:
      return key.size() > order.value.size() && key.starts_with(order.value) && key[order.value.size()] == '/';
    case PurgeOrder::By::all: return true;
    case PurgeOrder::By::tag: break;
  }
  for (auto at = tags.find(order.value); at != std::string_view::npos; at = tags.find(order.value, at + 1)) {
    const auto end = at + order.value.size();
    if (at > 0 && tags[at - 1] == ' ' && (end == tags.size() || tags[end] == ' ')) return true;
  }
  return false;
}

std::string tags_of(std::string_view surrogate_key, std::string_view cache_tag) {
  std::string tags;
  const auto add = [&tags](std::string_view text, std::string_view separators) {
    while (!text.empty()) {
      const auto end = std::min(text.find_first_of(separators), text.size());
      const auto tag = text.substr(0, end);
      if (!tag.empty() && is_visible_ascii(tag) && tags.size() + tag.size() < kMostTagBytes)
        tags.append(" ").append(tag);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  };
  add(surrogate_key, " \t");
  add(cache_tag, ", \t");
  return tags;
}

std::string orders_path(std::string_view node) { return "/internal/v1/nodes/" + std::string(node) + "/orders"; }

}  // namespace tribune::contracts
