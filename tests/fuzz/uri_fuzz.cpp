// Any bytes as a URI, a reference and a request path: no crash, and accepted values survive a round trip.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "contracts/ticket.h"
#include "contracts/token.h"
#include "http/cmcd.h"
#include "http/uri.h"

using namespace tribune::http;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_round_trip(const Uri& uri) {
  const auto again = parse_uri(uri.text());
  require(again.has_value() && again->text() == uri.text() && again->host == uri.host && again->port == uri.port);
}

/// The bytes as the session in a path: as they are, and as a payload with a valid key id and any MAC.
void check_pass(std::string_view text) {
  using namespace tribune;
  static const base::KeyRing ring({{"k1", "a secret of 32 bytes for testing", std::nullopt}});
  const base::WallTime now{std::chrono::seconds{1'750'000'000}};
  for (const auto& pass : {std::string(text), "k1." + base::to_base64url(text)}) {
    require(!contracts::read_token(ring, "demo", pass, now, std::chrono::seconds{30}));
    require(!contracts::read_ticket(ring, "demo", pass, now, std::chrono::seconds{30}));
    contracts::looks_like_ticket(pass);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto uri = parse_uri(text)) check_round_trip(*uri);

  static const auto base = *parse_uri("http://origin.example:8088/live/a/index.m3u8?token=x");
  if (const auto uri = resolve(base, text)) check_round_trip(*uri);

  if (const auto path = canonical_path(text)) {
    require(canonical_path(*path) == *path);
    // A canonical path needs no further resolving.
    if (path->size() < 8000) require(parse_uri("http://h" + *path)->path == *path);
    require(resolve(base, relative_reference(base.path, *path)).value_or(base).path == *path || path->size() >= 8000);
  }

  require(percent_decode(percent_encode(text)) == text);
  query_decoded(text, "a");
  query_without(text, [](std::string_view key) { return key.starts_with("CMCD"); });
  scheme_of(text);
  check_pass(text);
  read_cmcd({{"CMCD-Status", std::string(text)}}, "");
  read_cmcd({}, text);
  return 0;
}
