#include "api/idempotency_key.h"

#include <algorithm>

#include "api/localized.h"
#include "shop/shop_service.h"

namespace tribune::api {

std::optional<std::string> idempotency_key_of(const http::Request& request) {
  const auto field = request.headers.first("Idempotency-Key");
  if (!field || field->empty() || field->size() > shop::kMaxIdempotencyKeyBytes) return std::nullopt;
  const bool is_visible = std::all_of(field->begin(), field->end(), [](char c) { return c > ' ' && c < '\x7f'; });
  return is_visible ? std::optional(std::string(*field)) : std::nullopt;
}

http::Response idempotency_key_missing(const http::Request& request) {
  return problem(request, http::problems::idempotency_key_required,
                 {"send an Idempotency-Key of 1 to 64 visible ASCII characters, new for each purchase or voucher",
                  "нужен Idempotency-Key: от 1 до 64 видимых знаков ASCII, новый для каждой покупки или ваучера"});
}

}  // namespace tribune::api
