#include "api/request_body.h"

#include <fmt/format.h>

#include <algorithm>

namespace tribune::api {
namespace {

constexpr base::json::ParseLimits kBodyLimits{false, 4, RequestBody::kMaxBodyBytes, 64};

Localized wrong_length(std::string_view name, std::size_t least, std::size_t most) {
  return {fmt::format("\"{}\" must be a text of {} to {} bytes", name, least, most),
          fmt::format("\"{}\" — текст длиной от {} до {} байт", name, least, most)};
}

}  // namespace

RequestBody::RequestBody(const http::Request& request) {
  if (request.body.size() > kMaxBodyBytes) {
    is_too_large_ = true;
    fail({fmt::format("the body has more than {} bytes", kMaxBodyBytes),
          fmt::format("тело запроса длиннее {} байт", kMaxBodyBytes)});
    return;
  }
  auto parsed = base::json::parse(request.body, kBodyLimits);
  if (!parsed) {
    fail({fmt::format("the body is not valid JSON at byte {}: {}", parsed.error().offset, parsed.error().text),
          fmt::format("тело запроса — не JSON, ошибка у байта {}", parsed.error().offset)});
    return;
  }
  if (!parsed->is(base::json::Kind::object)) {
    fail({"the body must be a JSON object", "тело запроса должно быть объектом JSON"});
    return;
  }
  value_ = std::move(*parsed);
}

void RequestBody::fail(Localized error) {
  if (!error_) error_ = std::move(error);
}

const base::json::Value* RequestBody::member(std::string_view name) {
  known_.push_back(name);
  const auto* found = value_.find(name);
  return found && !found->is(base::json::Kind::null) ? found : nullptr;
}

std::string RequestBody::text(std::string_view name, std::size_t least, std::size_t most) {
  const auto* found = member(name);
  if (found) return checked_text(*found, name, least, most);
  fail({fmt::format("the member \"{}\" is missing", name), fmt::format("нет поля \"{}\"", name)});
  return "";
}

std::string RequestBody::optional_text(std::string_view name, std::size_t most) {
  const auto* found = member(name);
  return found ? checked_text(*found, name, 0, most) : "";
}

std::string RequestBody::checked_text(const base::json::Value& value, std::string_view name, std::size_t least,
                                      std::size_t most) {
  const auto& text = value.string;
  if (value.is(base::json::Kind::string) && text.size() >= least && text.size() <= most) return text;
  fail(wrong_length(name, least, most));
  return "";
}

bool RequestBody::flag(std::string_view name) {
  if (member(name) == nullptr)
    fail({fmt::format("the member \"{}\" is missing", name), fmt::format("нет поля \"{}\"", name)});
  return optional_flag(name);
}

bool RequestBody::optional_flag(std::string_view name) {
  const auto* found = member(name);
  if (!found) return false;
  if (!found->is(base::json::Kind::boolean))
    fail({fmt::format("\"{}\" must be true or false", name), fmt::format("\"{}\" — true или false", name)});
  return found->boolean;
}

std::optional<std::int64_t> RequestBody::optional_whole(std::string_view name, std::int64_t least, std::int64_t most) {
  const auto* found = member(name);
  if (!found) return std::nullopt;
  if (found->is(base::json::Kind::integer) && found->integer >= least && found->integer <= most) return found->integer;
  fail({fmt::format("\"{}\" must be a whole number from {} to {}", name, least, most),
        fmt::format("\"{}\" — целое число от {} до {}", name, least, most)});
  return std::nullopt;
}

shop::Money RequestBody::money(std::string_view name, std::int64_t least) {
  const auto* found = member(name);
  const auto amount = found ? found->whole("amount") : std::nullopt;
  const auto currency = found ? found->text("currency") : std::nullopt;
  if (amount && *amount >= least && *amount <= shop::kMaxAmount && currency && shop::is_currency(*currency) &&
      found->object.size() == 2)
    return {*amount, std::string(*currency)};
  fail(
      {fmt::format("\"{}\" must have \"amount\", a whole number of minor units from {} to {}, and \"currency\", an ISO "
                   "4217 code",
                   name, least, shop::kMaxAmount),
       fmt::format("\"{}\" — это «amount», целое число минимальных единиц от {} до {}, и «currency», код ISO 4217",
                   name, least, shop::kMaxAmount)});
  return {};
}

const http::ProblemType& RequestBody::problem_type() const {
  return is_too_large_ ? http::problems::body_too_large : http::problems::bad_request;
}

std::optional<Localized> RequestBody::finish() {
  for (const auto& member : value_.object)
    if (std::find(known_.begin(), known_.end(), member.name) == known_.end())
      fail({fmt::format("unknown member \"{}\"", base::json::escape(member.name)),
            fmt::format("неизвестное поле \"{}\"", base::json::escape(member.name))});
  return error_;
}

}  // namespace tribune::api
