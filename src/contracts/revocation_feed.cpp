#include "contracts/revocation_feed.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/json.h"
#include "contracts/canonical.h"

namespace tribune::contracts {
namespace {

namespace json = base::json;

constexpr std::string_view kDocumentKind = "revocations";
constexpr std::int64_t kMaxUnixMs = (std::int64_t{1} << 32) * 1'000;  // in 2106, as the times of account tokens

/// The rest of `text` after the prefix; nullopt when it has another one.
std::optional<std::string_view> rest_after(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return text.substr(prefix.size());
}

std::string signed_text_of_page(std::string_view nonce, std::string_view json) {
  return std::string(nonce).append(1, '\n').append(json);
}

tl::unexpected<base::Error> malformed_page(const char* text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, text);
}

std::optional<RevokedDevice> revoked_device(const json::Value& value) {
  if (!value.is(json::Kind::array) || value.array.size() != 2) return std::nullopt;
  const auto& id = value.array[0];
  const auto& at = value.array[1];
  if (!id.is(json::Kind::string) || !at.is(json::Kind::integer)) return std::nullopt;
  const auto device = base::from_hex64(id.string);
  if (!device || *device == 0 || at.integer < 0 || at.integer > kMaxUnixMs) return std::nullopt;
  return RevokedDevice{*device, at.integer};
}

}  // namespace

std::string target_of(const RevocationPoll& poll) {
  return fmt::format("{}?run={}&after={}&nonce={}", kRevocationFeedPath, poll.run, poll.after, poll.nonce);
}

base::Result<RevocationPoll> revocation_poll_from_query(std::string_view query) {
  const auto wrong = base::failure(base::ErrorKind::invalid_input, base::Fault::client,
                                   "the query must be run={run}&after={number}&nonce={16 hex digits}");
  const auto parts = split_exactly<3>(query, '&');
  if (!parts) return wrong;
  const auto run = rest_after((*parts)[0], "run="), after = rest_after((*parts)[1], "after="),
             nonce = rest_after((*parts)[2], "nonce=");
  if (!run || !after || !nonce || !(run->empty() || base::from_hex64(*run)) || !base::from_hex64(*nonce)) return wrong;
  const auto number = read_decimal(*after);
  if (!number) return wrong;
  return RevocationPoll{std::string(*run), static_cast<std::uint64_t>(*number), std::string(*nonce)};
}

std::string to_json(const RevocationPage& page) {
  json::Writer w;
  w.begin_object().member("run", page.run).member("number", page.number).member("is_last", page.is_last);
  w.key("devices").begin_array();
  for (const auto& [device, at] : page.devices) w.begin_array().value(base::to_hex64(device)).value(at).end_array();
  return w.end_array().end_object().take();
}

std::string sign_revocation_page(const AccountTokenSigner& signer, std::string_view nonce, std::string_view json) {
  return signer.sign_document(kDocumentKind, signed_text_of_page(nonce, json));
}

base::Result<RevocationPage> read_revocation_page(const AccountTokenKeys& keys, std::string_view nonce,
                                                  std::string_view text, std::string_view signature,
                                                  base::WallTime now) {
  if (text.size() > kMaxRevocationPageBytes) return malformed_page("the page is too long");
  if (!keys.verify_document(kDocumentKind, signed_text_of_page(nonce, text), signature, now))
    return base::failure(base::ErrorKind::forbidden, base::Fault::tribune,
                         "the page is not signed with a key of event.account_keys for this request");
  const auto value = json::parse(
      text, {.max_depth = 4, .max_bytes = kMaxRevocationPageBytes, .max_values = 3 * kMaxRevocationsPerPage + 8});
  if (!value || !value->is(json::Kind::object)) return malformed_page("the page is not a JSON object");
  const auto run = value->text("run");
  const auto number = value->whole("number");
  const auto is_last = value->flag("is_last");
  const auto* devices = value->find("devices");
  if (!run || !base::from_hex64(*run) || !number || *number < 0 || !is_last || !devices ||
      !devices->is(json::Kind::array) || devices->array.size() > kMaxRevocationsPerPage)
    return malformed_page("a member of the page is missing or wrong");
  RevocationPage page{std::string(*run), static_cast<std::uint64_t>(*number), *is_last, {}};
  for (const auto& one : devices->array) {
    const auto revoked = revoked_device(one);
    if (!revoked) return malformed_page("a device of the page is wrong");
    page.devices.push_back(*revoked);
  }
  return page;
}

}  // namespace tribune::contracts
