#include "contracts/entitlement_check.h"

#include "base/encoding.h"
#include "base/json.h"
#include "contracts/canonical.h"

namespace tribune::contracts {
namespace {

namespace json = base::json;

constexpr std::string_view kEntitlementsKind = "entitlements";
constexpr std::string_view kNotEntitled = "not_entitled", kLoggedOut = "logged_out";
constexpr std::int64_t kLatestUntil = (std::int64_t{1} << 32) - 1;
constexpr std::size_t kMaxOfferedChannels = 10'000;

tl::unexpected<base::Error> malformed_check(const char* text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client, text);
}

tl::unexpected<base::Error> malformed_answer(const char* text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, text);
}

std::string signed_text_of_answer(std::string_view nonce, std::string_view json) {
  return std::string(nonce).append(1, '\n').append(json);
}

std::optional<CheckedViewer> checked_viewer(const json::Value& value) {
  if (!value.is(json::Kind::array) || value.array.size() != 3) return std::nullopt;
  for (const auto& member : value.array)
    if (!member.is(json::Kind::string)) return std::nullopt;
  const auto account = base::from_hex64(value.array[0].string), device = base::from_hex64(value.array[1].string);
  if (!account || *account == 0 || !device || *device == 0 || !is_id(value.array[2].string)) return std::nullopt;
  return CheckedViewer{*account, *device, value.array[2].string};
}

std::optional<ViewerVerdict> viewer_verdict(const json::Value& value) {
  using Kind = ViewerVerdict::Kind;
  if (value.is(json::Kind::integer) && value.integer >= 0 && value.integer <= kLatestUntil)
    return ViewerVerdict{Kind::entitled, value.integer};
  if (!value.is(json::Kind::string)) return std::nullopt;
  if (value.string == kNotEntitled) return ViewerVerdict{Kind::not_entitled};
  if (value.string == kLoggedOut) return ViewerVerdict{Kind::logged_out};
  return std::nullopt;
}

void write_verdict(json::Writer& w, const ViewerVerdict& verdict) {
  switch (verdict.kind) {
    case ViewerVerdict::Kind::entitled: w.value(verdict.until); break;
    case ViewerVerdict::Kind::not_entitled: w.value(kNotEntitled); break;
    case ViewerVerdict::Kind::logged_out: w.value(kLoggedOut); break;
  }
}

std::optional<ChannelOffers> channel_offers(const json::Value& value) {
  if (!value.is(json::Kind::array) || value.array.size() > kMaxOfferedChannels) return std::nullopt;
  ChannelOffers offers;
  for (const auto& entry : value.array) {
    if (!entry.is(json::Kind::array) || entry.array.size() != 2 || !entry.array[0].is(json::Kind::string) ||
        !entry.array[1].is(json::Kind::array) || entry.array[1].array.size() > kMaxOffersOfChannel)
      return std::nullopt;
    auto& products = offers.emplace_back(entry.array[0].string, std::vector<std::string>()).second;
    for (const auto& product : entry.array[1].array) {
      if (!product.is(json::Kind::string)) return std::nullopt;
      products.push_back(product.string);
    }
  }
  return offers;
}

}  // namespace

std::string to_json(const EntitlementCheck& check) {
  json::Writer w;
  w.begin_object().member("nonce", check.nonce).member("wants_offers", check.wants_offers);
  w.key("viewers").begin_array();
  for (const auto& [account, device, channel] : check.viewers)
    w.begin_array().value(base::to_hex64(account)).value(base::to_hex64(device)).value(channel).end_array();
  return w.end_array().end_object().take();
}

base::Result<EntitlementCheck> entitlement_check_from_json(std::string_view text) {
  if (text.size() > kMaxEntitlementCheckBytes) return malformed_check("the check is too long");
  const auto value = json::parse(
      text, {.max_depth = 4, .max_bytes = kMaxEntitlementCheckBytes, .max_values = 4 * kMaxCheckedViewers + 8});
  if (!value || !value->is(json::Kind::object)) return malformed_check("the check is not a JSON object");
  const auto nonce = value->text("nonce");
  const auto wants_offers = value->flag("wants_offers");
  const auto* viewers = value->find("viewers");
  if (!nonce || !base::from_hex64(*nonce) || !wants_offers || !viewers || !viewers->is(json::Kind::array) ||
      viewers->array.size() > kMaxCheckedViewers)
    return malformed_check("a member of the check is missing or wrong");
  EntitlementCheck check{std::string(*nonce), *wants_offers, {}};
  for (const auto& one : viewers->array) {
    auto viewer = checked_viewer(one);
    if (!viewer) return malformed_check("a viewer of the check is wrong");
    check.viewers.push_back(std::move(*viewer));
  }
  return check;
}

std::string to_json(const EntitlementAnswer& answer) {
  json::Writer w;
  w.begin_object().key("viewers").begin_array();
  for (const auto& verdict : answer.viewers) write_verdict(w, verdict);
  w.end_array();
  if (answer.offers) {
    w.key("offers").begin_array();
    for (const auto& [channel, products] : *answer.offers) {
      w.begin_array().value(channel).begin_array();
      for (const auto& product : products) w.value(product);
      w.end_array().end_array();
    }
    w.end_array();
  }
  return w.end_object().take();
}

std::string sign_entitlement_answer(const AccountTokenSigner& signer, std::string_view nonce, std::string_view json) {
  return signer.sign_document(kEntitlementsKind, signed_text_of_answer(nonce, json));
}

base::Status verify_entitlement_answer(const AccountTokenKeys& keys, std::string_view nonce, std::string_view text,
                                       std::string_view signature, base::WallTime now) {
  if (keys.verify_document(kEntitlementsKind, signed_text_of_answer(nonce, text), signature, now)) return {};
  return base::failure(base::ErrorKind::forbidden, base::Fault::tribune,
                       "the answer is not signed with a key of event.account_keys for this check");
}

std::string answer_context(std::string_view nonce) {
  return std::string("answer of ").append(kEntitlementCheckPath).append(" to ").append(nonce);
}

base::Result<EntitlementAnswer> entitlement_answer_from_json(const EntitlementCheck& check, std::string_view text) {
  if (text.size() > kMaxEntitlementAnswerBytes) return malformed_answer("the answer is too long");
  const auto value = json::parse(text, {.max_depth = 5,
                                        .max_bytes = kMaxEntitlementAnswerBytes,
                                        .max_values = kMaxCheckedViewers + kMaxOfferedChannels * 12});
  const auto* viewers = value ? value->find("viewers") : nullptr;
  if (!viewers || !viewers->is(json::Kind::array) || viewers->array.size() != check.viewers.size())
    return malformed_answer("the answer has another number of viewers than the check");
  EntitlementAnswer answer;
  for (const auto& one : viewers->array) {
    const auto verdict = viewer_verdict(one);
    if (!verdict) return malformed_answer("a verdict of the answer is wrong");
    answer.viewers.push_back(*verdict);
  }
  if (const auto* offers = value->find("offers")) {
    answer.offers = channel_offers(*offers);
    if (!answer.offers) return malformed_answer("the offers of the answer are wrong");
  }
  return answer;
}

}  // namespace tribune::contracts
