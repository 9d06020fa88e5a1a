#pragma once
// The settings that all roles of one event share: channels, signing keys and public keys. The section "event" of a
// configuration. Values; immutable once read.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/signing.h"
#include "config/section.h"
#include "contracts/account_token.h"
#include "hls/limits.h"

namespace tribune::contracts {

/// The form of segment links for viewers; see docs/life_of_a_request.md.
enum class LinksMode { direct, redirect, automatic };

std::string_view to_string(LinksMode);

/// The response to a player without an app in the queue: a playlist of the waiting room, or a 403.
enum class WaitingRoom { slate, reject };

/// The server that serves viewers when no cache node is healthy.
enum class Fallback { none, origin };

/// The route of viewers to the documents that the source's playlists name beside media: through this balancer, or at
/// their own URLs.
enum class OriginDocuments { serve, leave };

/// Who may watch a channel.
enum class ChannelAccess {
  free,  // everybody
  paid,  // accounts that have bought it
};

struct Channel {
  std::string id;
  std::string title;
  std::string source;                       // the origin's playlist, multivariant or media
  std::vector<std::string> extra_origins;   // further origins ("https://host[:port]") that its URIs may name
  std::vector<std::string> backup_origins;  // used when the source's origin fails, with the same paths
  ChannelAccess access = ChannelAccess::free;
  LinksMode links = LinksMode::automatic;
  WaitingRoom waiting_room = WaitingRoom::slate;
  Fallback fallback = Fallback::none;
  OriginDocuments origin_documents = OriginDocuments::serve;
  bool steering = false;                   // HLS Content Steering: a pathway for each group of nodes
  bool strict = false;                     // playlists with defects are rejected
  bool blocking_reload = false;            // live playlists offer blocking reload (CAN-BLOCK-RELOAD)
  std::int64_t bandwidth_bps = 5'000'000;  // announced for a source without variants
  double pace_factor = 0;  // the maximum rate to a viewer, as a multiple of the variant's bandwidth; 0: no bound
  std::chrono::milliseconds link_lifetime{6 * 3'600'000};
  std::chrono::milliseconds stale_time{300'000};  // limit on serving a live playlist that the origin does not renew
  std::chrono::milliseconds hold_end{0};          // for which the end of a live playlist is held
  hls::Limits playlist_limits;

  /// Whether each request for a segment or a key goes to the balancer, which checks the session: its playlists list
  /// links with LinkUse::redirect.
  bool checks_segments() const { return access == ChannelAccess::paid && links != LinksMode::direct; }
  /// `link_lifetime`; of a paid channel with direct links, which nobody checks, at most kMaxUncheckedLinkLifetime.
  std::chrono::milliseconds lifetime_of_links() const;
};

inline constexpr std::chrono::minutes kMaxUncheckedLinkLifetime{5};

struct KeySettings {
  std::string id;
  std::string secret;       // text of at least 16 bytes, used unchanged
  std::string secret_file;  // instead of `secret`: read at start and reload
  std::string not_after;    // RFC 3339 time, or empty
};

/// The public half of a key with which the api signs account tokens. The private half is in the settings of the api.
struct AccountKeySettings {
  std::string id;
  std::string public_key;  // base64url of 32 bytes
  std::string not_after;   // RFC 3339 time, or empty
};

struct Event {
  std::vector<KeySettings> keys;
  std::vector<AccountKeySettings> account_keys;
  std::string accounts_url;  // of the api that has the accounts; empty: revocations are not followed
  std::vector<Channel> channels;
  std::chrono::milliseconds clock_skew{30'000};  // tolerated between the clocks of an event's machines

  const Channel* find(std::string_view id) const;
};

bool has_paid_channels(const Event&);

const config::Section<Event>& event_section();

/// The ring for the event's keys. Reads secret files and blocks: do not call it on an event loop. Errors: a secret file
/// that cannot be read, or a secret that is too short; the secret itself is never in the text.
base::Result<base::KeyRing> key_ring(const Event&);

/// The keys that verify account tokens; none when the event names none. Errors: invalid_input for a key or a time that
/// event_section() refuses.
base::Result<AccountTokenKeys> account_token_keys(const Event&);

}  // namespace tribune::contracts
