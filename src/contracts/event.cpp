#include "contracts/event.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/rfc3339.h"
#include "base/text_file.h"

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

std::string check_key(const KeySettings& key) {
  if (key.secret.empty() == key.secret_file.empty()) return "needs either secret or secret_file";
  if (!key.secret.empty() && key.secret.size() < kMinSecretBytes) return "secret must have at least 16 bytes";
  if (key.secret.size() > kMaxSecretBytes) return "secret must have at most 4096 bytes";
  return "";
}

const config::Section<hls::Limits>& limits_section() {
  static const auto section =
      config::Section<hls::Limits>(
          "playlist_limits",
          "Bounds on one playlist of the source. Beyond them it is refused and the last good one stays.")
          .bytes("max_bytes", &hls::Limits::max_bytes, {1024, 64ull << 20}, "The size of a playlist after decoding.")
          .bytes("max_line_bytes", &hls::Limits::max_line_bytes, {256, 4ull << 20}, "The length of one line.")
          .whole("max_lines", &hls::Limits::max_lines, {10, 10'000'000}, "Lines in a playlist.")
          .whole("max_variables", &hls::Limits::max_variables, {0, 100'000},
                 "EXT-X-DEFINE tags in a playlist (RFC 8216bis section 4.4.2.3).")
          .bytes("max_variable_bytes", &hls::Limits::max_variable_bytes, {64, 1ull << 20},
                 "The length of one variable's value, and of one line once its variables are substituted.")
          .bytes("max_uri_bytes", &hls::Limits::max_uri_bytes, {256, 64 * 1024},
                 "The length of one URI once it is absolute. max_target_bytes of the listeners that viewers ask must "
                 "have room for it and 500 bytes more; "
                 "a URI with bytes that some clients would rewrite takes a third more.")
          .bytes("max_rewritten_bytes", &hls::Limits::max_rewritten_bytes, {64 * 1024, 1ull << 30},
                 "The size of the playlist that viewers get, with signed links, and with keys and variables written "
                 "out where the source restarted.");
  return section;
}

const config::Section<KeySettings>& key_section() {
  static const auto section =
      config::Section<KeySettings>("keys", "A signing key (HMAC-SHA256).")
          .text("id", &KeySettings::id, "Names the key in links and tokens.", check_key_id,
                "1 to 16 characters of a-z and 0-9")
          .required()
          .sample("\"k1\"")
          .text("secret", &KeySettings::secret,
                "At least 16 bytes of text that nobody can guess, used as it stands. Either this or secret_file.", {},
                "16 to 4096 bytes")
          .sample("\"change-me-to-32-random-characters\"")
          .text("secret_file", &KeySettings::secret_file,
                "A file with the secret instead, read at the start and at each reload; one line end at its end is not "
                "part of the secret. A relative "
                "path is looked up in the directory that $CREDENTIALS_DIRECTORY names (systemd's LoadCredential), or "
                "else in the working directory.")
          .text("not_after", &KeySettings::not_after,
                "From this time on the key neither signs nor verifies. Empty: it does not end. A time as in RFC 3339.",
                check_time, "a time as in RFC 3339, or empty")
          .check(check_key);
  return section;
}

/// The rate and the validity of a channel's segments.
void add_delivery_fields(config::Section<Channel>& section) {
  section
      .whole("bandwidth_bps", &Channel::bandwidth_bps, {1'000, 10'000'000'000},
             "Bits per second that are announced for a source without variants (EXT-X-STREAM-INF BANDWIDTH). At the "
             "default its media is measured: a "
             "segment's rate and a quarter more. See balancer.origin.media_look.")
      .real("pace_factor", &Channel::pace_factor, {0, 1'000},
            "How many times its variant's BANDWIDTH a segment is sent at, at most, on each viewer's connection, so "
            "that a fast client cannot take a "
            "whole radio cell; 3 to 8 lets players fill their buffers. 0: as fast as the client takes it. Renditions "
            "without a BANDWIDTH have that of "
            "the best variant. Segment links carry the rate in kilobits a second, so every node keeps it; "
            "limits.max_send_rate_bps of the node's "
            "listener holds as well, and the smaller one counts. Never less than twice min_send_rate_bps. It holds for "
            "segments that are listed after the setting.")
      .check([](const Channel& channel) -> std::string {
        return channel.pace_factor == 0 || channel.pace_factor >= 1
                   ? ""
                   : "pace_factor must be 0 or at least 1, or nobody could watch without a break";
      })
      .duration("link_lifetime", &Channel::link_lifetime, {1min, 168h},
                "For how long, at least, a segment link is valid once it was listed, and again once its segment left "
                "the playlist; at most twice as long, and "
                "for as long as it stays listed. Links of a playlist that has ended are valid for its length more.")
      .duration("stale_time", &Channel::stale_time, {0ms, 24h},
                "How long a live media playlist that the origin fails to renew is served on; at least 1.5 target "
                "durations. See docs/routing.md.");
}

/// The content of playlists and the responses to players.
void add_playlist_fields(config::Section<Channel>& s) {
  s.choice("origin_documents", &Channel::origin_documents,
           config::Words<OriginDocuments>{{"serve", OriginDocuments::serve}, {"leave", OriginDocuments::leave}},
           "What becomes of lists of interstitials' assets (X-ASSET-LIST), session data (EXT-X-SESSION-DATA with "
           "a URI) and the steering manifest of a "
           "source with EXT-X-CONTENT-STEERING of its own, where they lie at the channel's origins: serve fetches "
           "each once for all viewers, so that the "
           "origin may be private; leave writes their absolute URIs, for origins that answer each viewer "
           "differently. See docs/playlists.md.")
      .flag("steering", &Channel::steering,
            "Whether multivariant playlists offer HLS Content Steering: a pathway for each group of cache nodes, and "
            "one for the origin where fallback "
            "is origin. Players that know it ask GET /steering/{channel} which one to take. See balancer.steering.")
      .flag("blocking_reload", &Channel::blocking_reload,
            "Whether live playlists offer CAN-BLOCK-RELOAD where the source does not say whether it can: a player "
            "that knows it names the segment "
            "that it wants next (_HLS_msn), and is answered when that is listed, so that it never loads a playlist "
            "in vain. Shaka Player needs it to "
            "play a live channel without a gap (see docs/routing.md). Each such viewer waits nearly always, which "
            "balancer.origin.max_waiting bounds.")
      .flag("strict", &Channel::strict,
            "Whether a playlist of the source with a flaw that players bear is refused, so that the last good one "
            "stays, instead of repaired. "
            "docs/playlists.md lists the flaws and what becomes of each.")
      .choice("waiting_room", &Channel::waiting_room,
              config::Words<WaitingRoom>{{"slate", WaitingRoom::slate}, {"reject", WaitingRoom::reject}},
              "What a player that opens the channel without an app gets while it must wait: slate plays a prepared "
              "loop that turns into the "
              "programme (scripts/make-slate; without one it is as reject); reject answers 403.");
}

const config::Section<Channel>& channel_section() {
  static const auto section = [] {
    auto s = config::Section<Channel>("channels", "A channel: one live programme.");
    s.text("id", &Channel::id, "Names the channel in URLs, logs and metrics.", config::check_id,
           "1 to 64 of a-z 0-9 . _ -")
        .required()
        .sample("\"demo\"")
        .text("title", &Channel::title, "What people call it. Empty: the id.")
        .text("source", &Channel::source, "The URL of the source playlist at the origin, multivariant or media.",
              config::check_http_url, "an http or https URL")
        .required()
        .sample("\"http://127.0.0.1:8088/demo/index.m3u8\"")
        .texts("extra_origins", &Channel::extra_origins,
               "Further origins that the URIs of the source may name. Any other origin is refused, here and at the "
               "cache nodes.",
               config::check_http_origin, "http(s)://host[:port]")
        .texts("backup_origins", &Channel::backup_origins,
               "Origins that hold the same files under the same paths as the source's own. Cache nodes ask them in "
               "this order when it fails.",
               config::check_http_origin, "http(s)://host[:port]")
        .choice("links", &Channel::links,
                config::Words<LinksMode>{
                    {"direct", LinksMode::direct}, {"redirect", LinksMode::redirect}, {"auto", LinksMode::automatic}},
                "How playlists name segments: direct writes the cache node's URL; redirect writes a URL of the "
                "balancer, which answers with a "
                "307 to the node of that moment; auto chooses by the player.")
        .choice("fallback", &Channel::fallback,
                config::Words<Fallback>{{"none", Fallback::none}, {"origin", Fallback::origin}},
                "Where viewers go while no cache node may take them: origin sends them to the source itself, none to "
                "the node that looks least bad.");
    add_playlist_fields(s);
    add_delivery_fields(s);
    s.section("playlist_limits", &Channel::playlist_limits, limits_section(), "Bounds on one playlist of the source.");
    return s;
  }();
  return section;
}

template <class T>
std::string twice_named(const std::vector<T>& entries, std::string_view what) {
  std::set<std::string_view> seen;
  for (const auto& entry : entries)
    if (!seen.insert(entry.id).second) return std::string(what) + " id \"" + entry.id + "\" occurs twice";
  return "";
}

std::string check_event(const Event& event) {
  if (event.keys.empty()) return "keys must have at least one key";
  if (auto wrong = twice_named(event.keys, "key"); !wrong.empty()) return wrong;
  return twice_named(event.channels, "channel");
}

std::string path_of_secret(const std::string& file) {
  const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");
  return file.starts_with('/') || !credentials ? file : std::string(credentials) + "/" + file;
}

base::Result<std::string> secret_of(const KeySettings& key) {
  if (key.secret_file.empty()) return key.secret;
  const auto path = path_of_secret(key.secret_file);
  auto read = base::read_text_file(path, kMaxSecretBytes + 2);  // the line end is not part of it
  if (!read)
    return base::failure(base::ErrorKind::io, base::Fault::tribune,
                         "key " + key.id + ": cannot read " + path + ": " + read.error().text);
  auto secret = std::move(*read);
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.ends_with('\r')) secret.pop_back();
  return secret;
}

}  // namespace

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
      config::Section<Event>("event", "What all roles and machines of one event agree on.")
          .sections("keys", &Event::keys, key_section(),
                    "Signing keys in order of preference: the first that has not ended signs, all that have not ended "
                    "verify. To rotate, put the "
                    "new key second everywhere, then first, then give the old one a not_after.")
          .required()
          .sections("channels", &Event::channels, channel_section(), "The channels of the event.")
          .duration("clock_skew", &Event::clock_skew, {1s, 1h},
                    "By how much the clocks of the event's machines may differ, with the time that a message is on its "
                    "way: links, tokens and heartbeats accept it.")
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

}  // namespace tribune::contracts
