#include "contracts/event.h"

#include <algorithm>
#include <set>

#include "base/encoding.h"
#include "base/rfc3339.h"
#include "contracts/secret_file.h"

namespace tribune::contracts {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMinSecretBytes = 16;
constexpr std::size_t kMaxSecretBytes = 4096;

std::string check_key_id(const std::string& id) {
  const bool fine = !id.empty() && id.size() <= 16 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
  return fine ? "" : "must be 1 to 16 characters of a-z and 0-9";
}

std::string check_time(const std::string& text) {
  if (text.empty() || base::parse_rfc3339(text)) return "";
  return "must be a time as in RFC 3339 between 1970 and 2261, for example 2026-06-01T20:00:00Z";
}

std::string check_public_key(const std::string& text) {
  const auto bytes = base::from_base64url(text);
  return bytes && base::is_public_key(*bytes) ? "" : "must be an Ed25519 public key: 43 characters of base64url";
}

std::string check_key(const KeySettings& key) {
  if (key.secret.empty() == key.secret_file.empty()) return "must have either secret or secret_file, not both";
  if (!key.secret.empty() && key.secret.size() < kMinSecretBytes) return "secret must have at least 16 bytes";
  if (key.secret.size() > kMaxSecretBytes) return "secret must have at most 4096 bytes";
  return "";
}

const config::Section<hls::Limits>& limits_section() {
  static const auto section =
      config::Section<hls::Limits>("playlist_limits",
                                   "Limits on one playlist of the source. A playlist that exceeds one is refused, and "
                                   "the last good one stays in use.")
          .bytes("max_bytes", &hls::Limits::max_bytes, {1024, 64ull << 20},
                 "Maximum size of a playlist after decoding.")
          .bytes("max_line_bytes", &hls::Limits::max_line_bytes, {256, 4ull << 20}, "Maximum length of one line.")
          .whole("max_lines", &hls::Limits::max_lines, {10, 10'000'000}, "Maximum number of lines in a playlist.")
          .whole("max_variables", &hls::Limits::max_variables, {0, 100'000},
                 "Maximum number of EXT-X-DEFINE tags in a playlist (RFC 8216bis section 4.4.2.3).")
          .bytes("max_variable_bytes", &hls::Limits::max_variable_bytes, {64, 1ull << 20},
                 "Maximum length of the value of one variable, and of one line once its variables are substituted.")
          .bytes("max_uri_bytes", &hls::Limits::max_uri_bytes, {256, 64 * 1024},
                 "Maximum length of one URI in its absolute form. max_target_bytes of the listeners that serve viewers "
                 "must allow for this length and 500 bytes more; a URI with bytes that some clients would rewrite "
                 "takes a third more.")
          .bytes("max_rewritten_bytes", &hls::Limits::max_rewritten_bytes, {64 * 1024, 1ull << 30},
                 "Maximum size of the playlist that viewers get, with signed links, and with keys and variables "
                 "written out where the source restarted.");
  return section;
}

const config::Section<KeySettings>& key_section() {
  static const auto section =
      config::Section<KeySettings>("keys", "A signing key (HMAC-SHA256).")
          .text("id", &KeySettings::id, "The id of the key, which links and tokens contain.", check_key_id,
                "1 to 16 characters of a-z and 0-9")
          .required()
          .sample("\"k1\"")
          .text("secret", &KeySettings::secret,
                "The secret: at least 16 bytes of unguessable text, used exactly as given. Set either this or "
                "secret_file.",
                {}, "16 to 4096 bytes")
          .sample("\"change-me-to-32-random-characters\"")
          .text("secret_file", &KeySettings::secret_file,
                "File with the secret, read at the start and at each reload; one line end at the end of the file is "
                "not part of the secret. A relative path is looked up in the directory that $CREDENTIALS_DIRECTORY "
                "names (systemd's LoadCredential), or else in the working directory.")
          .text("not_after", &KeySettings::not_after,
                "Time (RFC 3339) from which on the key neither signs nor verifies. Empty: the key does not expire.",
                check_time, "a time as in RFC 3339, or empty")
          .check(check_key);
  return section;
}

const config::Section<AccountKeySettings>& account_key_section() {
  static const auto section =
      config::Section<AccountKeySettings>("account_keys", "The public half of a key that signs account tokens.")
          .text("id", &AccountKeySettings::id, "The id of the key, which account tokens contain.", check_key_id,
                "1 to 16 characters of a-z and 0-9")
          .required()
          .text("public_key", &AccountKeySettings::public_key,
                "The public half of the key (Ed25519, RFC 8032), which is no secret.", check_public_key,
                "43 characters of base64url")
          .required()
          .text("not_after", &AccountKeySettings::not_after,
                "Time (RFC 3339) from which on the key no longer verifies. Empty: the key does not expire.", check_time,
                "a time as in RFC 3339, or empty");
  return section;
}

/// The rate and the validity of a channel's segments.
void add_delivery_fields(config::Section<Channel>& section) {
  section
      .whole("bandwidth_bps", &Channel::bandwidth_bps, {1'000, 10'000'000'000},
             "Bandwidth in bits per second that is announced for a source without variants (EXT-X-STREAM-INF "
             "BANDWIDTH). At the default value the media of the source is measured instead: the rate of a segment plus "
             "a quarter. See balancer.origin.media_look.")
      .real("pace_factor", &Channel::pace_factor, {0, 1'000},
            "Maximum rate at which a segment is sent on each viewer's connection, as a multiple of its variant's "
            "BANDWIDTH, so that a fast client cannot use the whole capacity of a radio cell; 3 to 8 lets players fill "
            "their buffers. 0: as fast as the client receives. Renditions without a BANDWIDTH use that of the best "
            "variant. Segment links carry the rate in kilobits per second, so every node applies it; "
            "limits.max_send_rate_bps of the node's listener applies as well, and the smaller one counts. The rate is "
            "never less than twice min_send_rate_bps. A change applies to segments that are listed after it.")
      .check([](const Channel& channel) -> std::string {
        return channel.pace_factor == 0 || channel.pace_factor >= 1
                   ? ""
                   : "pace_factor must be 0 or at least 1: below 1 a segment arrives more slowly than it plays, and "
                     "playback stalls";
      })
      .duration("link_lifetime", &Channel::link_lifetime, {1min, 168h},
                "Minimum time for which a segment link is valid after it was listed, and again after its segment left "
                "the playlist; the link is valid for at most twice this time, and for as long as it stays listed. "
                "Links of a playlist that has ended are valid for the length of the playlist in addition. Of a paid "
                "channel with direct links at most 5 minutes count.")
      .duration("stale_time", &Channel::stale_time, {0ms, 24h},
                "Time for which a live media playlist is still served after the origin fails to renew it; at least 1.5 "
                "target durations. See docs/routing.md.")
      .duration(
          "hold_end", &Channel::hold_end, {0ms, 1h},
          "Time for which the end of a live playlist (EXT-X-ENDLIST) is held back from viewers, because a packager "
          "that is stopped to be restarted writes it. With backup_origins it is held back in any case while "
          "another origin is healthy. `tribune ctl end CHANNEL` ends the channel at once. See docs/operations.md.");
}

/// The content of playlists and the responses to players.
void add_playlist_fields(config::Section<Channel>& s) {
  s.choice("origin_documents", &Channel::origin_documents,
           config::Words<OriginDocuments>{{"serve", OriginDocuments::serve}, {"leave", OriginDocuments::leave}},
           "Handling of documents at the channel's origins to which a playlist refers: lists of interstitial assets "
           "(X-ASSET-LIST), session data (EXT-X-SESSION-DATA with a URI), and the steering manifest of a source with "
           "its own EXT-X-CONTENT-STEERING. serve: each document is fetched once for all viewers, so that the origin "
           "may be private; leave: playlists contain the absolute URIs of the documents, for origins that answer each "
           "viewer differently. See docs/playlists.md.")
      .flag("steering", &Channel::steering,
            "Offer HLS Content Steering in multivariant playlists: one pathway for each group of cache nodes, and one "
            "for the origin where fallback is origin. Players that support it request GET /steering/{channel} to learn "
            "which pathway to use. See balancer.steering.")
      .flag("blocking_reload", &Channel::blocking_reload,
            "Offer CAN-BLOCK-RELOAD in live playlists where the source does not state whether it can block. A player "
            "that supports it names the next segment that it wants (_HLS_msn) and gets the response when that segment "
            "is listed, so that no playlist request returns an unchanged playlist. Shaka Player needs it to play a "
            "live channel without a gap (see docs/routing.md). Each such viewer has a waiting request nearly all the "
            "time; balancer.origin.max_waiting limits their number.")
      .flag("strict", &Channel::strict,
            "Refuse a playlist of the source that has a flaw which players tolerate, so that the last good one stays "
            "in use, instead of repairing it. docs/playlists.md lists the flaws and how each is handled.")
      .choice("waiting_room", &Channel::waiting_room,
              config::Words<WaitingRoom>{{"slate", WaitingRoom::slate}, {"reject", WaitingRoom::reject}},
              "Response to a player that opens the channel without an app and has to wait. slate: a prepared loop that "
              "changes to the programme when the viewer is admitted (scripts/make-slate creates it; without one, slate "
              "acts as reject); reject: 403.");
}

const config::Section<Channel>& channel_section() {
  static const auto section = [] {
    auto s = config::Section<Channel>("channels", "A channel: one live programme.");
    s.text("id", &Channel::id, "The id of the channel in URLs, logs and metrics.", config::check_id,
           "1 to 64 of a-z 0-9 . _ -")
        .required()
        .sample("\"demo\"")
        .text("title", &Channel::title, "The title that viewers see. Empty: the id.")
        .text("source", &Channel::source, "URL of the source playlist at the origin, multivariant or media.",
              config::check_http_url, "an http or https URL")
        .required()
        .sample("\"http://127.0.0.1:8088/demo/index.m3u8\"")
        .texts("extra_origins", &Channel::extra_origins,
               "Further origins to which the URIs of the source may point, for example a server of keys. A playlist "
               "with a segment, init section, key or playlist at any other origin is refused, and nodes fetch nothing "
               "from there. Ads, dates, session data and steering manifests may be elsewhere. Keys of DRM systems may "
               "have data:, skd: and urn: URIs; no other scheme is allowed.",
               config::check_http_origin, "http(s)://host[:port]")
        .texts("backup_origins", &Channel::backup_origins,
               "Origins that hold the same files under the same paths as the origin of the source. Playlists and "
               "segments are requested from them in this order when the origin of the source fails. A backup whose "
               "playlist shows other files is asked for no segment of the source. See docs/operations.md.",
               config::check_http_origin, "http(s)://host[:port]")
        .choice("access", &Channel::access,
                config::Words<ChannelAccess>{{"free", ChannelAccess::free}, {"paid", ChannelAccess::paid}},
                "Who may watch the channel. free: everybody; paid: accounts that have bought it. See "
                "docs/paid_channels.md.")
        .choice("links", &Channel::links,
                config::Words<LinksMode>{
                    {"direct", LinksMode::direct}, {"redirect", LinksMode::redirect}, {"auto", LinksMode::automatic}},
                "How playlists refer to segments. direct: URLs of the cache node; redirect: URLs of the balancer, "
                "which answers each request with a 307 to the node that is selected at that time; auto: the balancer "
                "chooses by the player, and for a paid channel always redirect, so that it checks the session at each "
                "segment. With direct, a link of a paid channel opens its segment to whoever has it.")
        .choice("fallback", &Channel::fallback,
                config::Words<Fallback>{{"none", Fallback::none}, {"origin", Fallback::origin}},
                "Where viewers are sent while no cache node is usable. origin: to the source itself, also for a client "
                "that "
                "reports that it reaches no cache; none: to the node in the best condition.");
    add_playlist_fields(s);
    add_delivery_fields(s);
    s.section("playlist_limits", &Channel::playlist_limits, limits_section(), "Limits on one playlist of the source.");
    return s;
  }();
  return section;
}

template <class T>
std::string twice_named(const std::vector<T>& entries, std::string_view what) {
  std::set<std::string_view> seen;
  for (const auto& entry : entries)
    if (!seen.insert(entry.id).second) return std::string(what) + " id \"" + entry.id + "\" is used twice";
  return "";
}

std::string check_event(const Event& event) {
  if (event.keys.empty()) return "keys must have at least one key";
  if (auto wrong = twice_named(event.keys, "key"); !wrong.empty()) return wrong;
  if (auto wrong = twice_named(event.account_keys, "account key"); !wrong.empty()) return wrong;
  if (!event.accounts_url.empty() && event.account_keys.empty())
    return "accounts_url needs account_keys, which verify the answers from there";
  return twice_named(event.channels, "channel");
}

base::Result<std::string> secret_of(const KeySettings& key) {
  if (key.secret_file.empty()) return key.secret;
  auto secret = read_secret_file(key.secret_file, kMaxSecretBytes);
  if (secret) return secret;
  return base::failure(secret.error().kind, secret.error().fault, "key " + key.id + ": " + secret.error().text);
}

}  // namespace

bool has_paid_channels(const Event& event) {
  return std::any_of(event.channels.begin(), event.channels.end(),
                     [](const Channel& channel) { return channel.access == ChannelAccess::paid; });
}

std::chrono::milliseconds Channel::lifetime_of_links() const {
  const bool is_unchecked = access == ChannelAccess::paid && !checks_segments();
  return is_unchecked ? std::min<std::chrono::milliseconds>(link_lifetime, kMaxUncheckedLinkLifetime) : link_lifetime;
}

std::string_view to_string(LinksMode mode) {
  switch (mode) {
    case LinksMode::direct: return "direct";
    case LinksMode::redirect: return "redirect";
    case LinksMode::automatic: return "auto";
  }
  return "unknown";
}

const Channel* Event::find(std::string_view id) const {
  const auto found = std::find_if(channels.begin(), channels.end(), [&](const Channel& c) { return c.id == id; });
  return found == channels.end() ? nullptr : &*found;
}

const config::Section<Event>& event_section() {
  static const auto section =
      config::Section<Event>("event", "Settings that all roles and machines of one event must share.")
          .sections("keys", &Event::keys, key_section(),
                    "Signing keys in order of preference: the first key that has not expired signs, and all keys that "
                    "have not expired verify. To rotate, add the new key in second position on all machines, then move "
                    "it to the first position, then set not_after on the old key.")
          .required()
          .sections("account_keys", &Event::account_keys, account_key_section(),
                    "Public keys that verify the account tokens which the api role signs. To rotate, add the public "
                    "half of the new key on all machines before the api signs with it, and set not_after on the old "
                    "key or remove it once the tokens that it signed have expired.")
          .text(
              "accounts_url", &Event::accounts_url,
              "URL of the api process that has the accounts. The balancer learns there within seconds which devices "
              "were "
              "logged out. Empty: it does not learn it, and takes their access tokens as valid until they expire.",
              [](const std::string& url) { return url.empty() ? "" : config::check_http_origin(url); },
              "http(s)://host[:port], or empty")
          .sections("channels", &Event::channels, channel_section(), "The channels of the event.")
          .duration("clock_skew", &Event::clock_skew, {1s, 1h},
                    "Maximum difference between the clocks of the event's machines, including the transit time of a "
                    "message, that links, tokens and heartbeats tolerate.")
          .check(check_event);
  return section;
}

base::Result<base::KeyRing> key_ring(const Event& event) {
  std::vector<base::SigningKey> keys;
  for (const auto& settings : event.keys) {
    auto secret = secret_of(settings);
    if (!secret) return tl::unexpected(secret.error());
    if (secret->size() < kMinSecretBytes || secret->size() > kMaxSecretBytes) {
      return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune,
                           "key " + settings.id + ": the secret must have 16 to 4096 bytes");
    }
    base::SigningKey key{settings.id, std::move(*secret), std::nullopt};
    if (!settings.not_after.empty()) {
      key.not_after = base::parse_rfc3339(settings.not_after);
      if (!key.not_after)
        return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune,
                             "key " + settings.id + ": " + check_time(settings.not_after));
    }
    keys.push_back(std::move(key));
  }
  return base::KeyRing(std::move(keys));
}

base::Result<AccountTokenKeys> account_token_keys(const Event& event) {
  std::vector<AccountKey> keys;
  for (const auto& [id, public_key, not_after] : event.account_keys) {
    auto wrong = check_public_key(public_key);
    if (wrong.empty()) wrong = check_time(not_after);
    if (!wrong.empty())
      return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, "account key " + id + ": " + wrong);
    // An empty time is no time, and the key has no end.
    keys.push_back({id, *base::from_base64url(public_key), base::parse_rfc3339(not_after)});
  }
  return AccountTokenKeys(std::move(keys));
}

}  // namespace tribune::contracts
