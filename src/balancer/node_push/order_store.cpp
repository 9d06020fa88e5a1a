#include "balancer/node_push/order_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "base/ids.h"
#include "base/json.h"
#include "contracts/order.h"

namespace tribune::balancer {
namespace {

namespace json = base::json;

constexpr std::string_view kIssuer = "issuer", kNext = "next", kMark = "mark", kNode = "node/";
constexpr std::int64_t kReserved = std::int64_t{1} << 40;  // numbers of one run

std::string key_of(const std::string& node, std::int64_t number) {
  return fmt::format("{}{}/{:016x}", kNode, node, number);
}

std::optional<std::int64_t> number_of(std::string_view text, int base) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size() && number > 0 ? std::optional(number) : std::nullopt;
}

std::optional<OrderStore::Record> record_of(std::string_view key, std::string_view value) {
  key.remove_prefix(kNode.size());
  const auto slash = key.rfind('/');
  const auto number = slash == std::string_view::npos ? std::nullopt : number_of(key.substr(slash + 1), 16);
  const auto read = json::parse(value, {.max_bytes = contracts::kMaxOrderBytes});
  if (!number || !read || !read->is(json::Kind::object)) return std::nullopt;
  const auto* inner = read->find("order");
  auto order = inner ? contracts::order_from_value(*inner)
                     : base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, "not an order");
  const auto id = read->text("id").value_or("");
  if (!order || id.empty()) return std::nullopt;
  return OrderStore::Record{std::string(key.substr(0, slash)), *number, {std::string(id), std::move(*order)}};
}

}  // namespace

OrderStore::OrderStore(store::Store& store, base::Log& log) : store_(store), log_(log) {}

base::Result<std::vector<OrderStore::Record>> OrderStore::load(base::WallTime now) {
  std::vector<Record> records;
  std::int64_t next = 0;
  const auto scanned = store_.scan(kOrdersTable, [&](std::string_view key, std::string_view value) {
    if (key == kIssuer) issuer_ = value;
    if (key == kNext) next = number_of(value, 10).value_or(0);
    if (!key.starts_with(kNode)) return true;
    if (auto record = record_of(key, value))
      records.push_back(std::move(*record));
    else
      log_.warning("balancer", "kept_order_damaged", {{"key", key}});
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  if (issuer_.empty()) {
    issuer_ = base::random_id(12);
    store_.keep(kOrdersTable, std::string(kIssuer), issuer_);
  }
  // The very first number is the time, because nodes may remember numbers of a version that began with the time.
  first_ = next > 0 ? next : std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  for (const auto& record : records) first_ = std::max(first_, record.number + 1);
  store_.keep(kOrdersTable, std::string(kNext), std::to_string(first_ + kReserved));
  return records;
}

void OrderStore::save(const std::string& node, std::int64_t number, const contracts::NodeOrder& order) {
  json::Writer w;
  w.begin_object().member("id", order.id).key("order").begin_object();
  contracts::write_members(w, order.order);
  w.end_object().end_object();
  store_.keep(kOrdersTable, key_of(node, number), w.take());
}

void OrderStore::erase(const std::string& node, std::int64_t number) {
  store_.keep(kOrdersTable, key_of(node, number), std::nullopt);
}

void OrderStore::when_durable(std::function<void()> call) {
  store_.keep(kOrdersTable, std::string(kMark), "1", [call = std::move(call)](base::Status) { call(); });
}

}  // namespace tribune::balancer
