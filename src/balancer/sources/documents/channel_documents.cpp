#include "balancer/sources/documents/channel_documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "balancer/sources/source_channel.h"
#include "http/cache_control.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

constexpr int kMaxDocumentHops = 5;
constexpr std::chrono::seconds kDocumentRetryAfter{1};
constexpr std::chrono::seconds kDefaultFreshness{2};  // where the origin states nothing
constexpr std::chrono::seconds kMaxFreshness{60};
constexpr std::chrono::seconds kMaxSteeringFreshness{5};  // short, because the manifest moves viewers
constexpr std::chrono::seconds kLogPeriod{10};
constexpr std::chrono::seconds kRegisterPeriod{10};

/// How long a response is fresh. 0: it answers only the requests that wait for it.
std::chrono::seconds fresh_for(DocumentKind kind, const http::Headers& headers,
                               std::optional<std::chrono::seconds> ttl) {
  const auto control = http::cache_control_of(headers);
  if (control.no_store || control.is_private || control.no_cache) return 0s;
  auto longest = kind == DocumentKind::steering ? kMaxSteeringFreshness : kMaxFreshness;
  if (ttl) longest = std::min(longest, *ttl);
  return std::min(control.s_maxage.value_or(control.max_age.value_or(kDefaultFreshness)), longest);
}

std::string_view type_of(DocumentKind kind) {
  switch (kind) {
    case DocumentKind::steering: return "application/vnd.apple.steering-list";
    case DocumentKind::raw: return "application/octet-stream";
    default: return "application/json";
  }
}

base::Error error_of(int status) {
  if (status == 404 || status == 410)
    return {base::ErrorKind::not_found, base::Fault::client, false, "the channel's source does not have the document"};
  const bool is_broken = status < 400;
  return {is_broken ? base::ErrorKind::protocol : base::ErrorKind::unavailable, base::Fault::origin, true,
          fmt::format("the origin responds with status {}", status)};
}

}  // namespace

base::SteadyTime ChannelDocuments::now() const { return channel_.services().clock.steady_now(); }

void ChannelDocuments::request(const DocumentName& name, const std::string& query, OnDocument on_document) {
  const auto key = document_path(name) + "\n" + query;
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (!evict())
      return on_document(base::failure(base::ErrorKind::unavailable, base::Fault::tribune,
                                       "too many documents are being fetched", true));
    found = entries_.try_emplace(key).first;
    found->second.name = name;
    found->second.query = query;
  }
  auto& entry = found->second;
  const auto at = now();
  entry.last_requested = at;
  entry.waiting.push_back(std::move(on_document));
  if (entry.fetch) return;
  const bool is_fresh = entry.document && !entry.error && at < entry.fresh_until;
  const bool is_backing_off = entry.error && at < entry.retry_at;
  if (is_fresh || is_backing_off) return answer(entry);
  const auto running =
      std::count_if(entries_.begin(), entries_.end(), [](const auto& other) { return other.second.fetch != nullptr; });
  const auto most = entry.query.empty() ? kMaxDocumentFetches : kMaxDocumentFetches - kFetchesForAll;
  if (running >= static_cast<std::ptrdiff_t>(most))
    return fail(entry,
                {base::ErrorKind::unavailable, base::Fault::tribune, true, "too many documents are being fetched"});
  start(key, entry);
}

/// Removes documents until one more fits. Returns false when all that are left are being fetched.
bool ChannelDocuments::evict() {
  const auto at = now();
  std::size_t bytes = 0;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const bool is_old = !entry->second.fetch && at - entry->second.last_requested > kForgetDocumentAfter;
    if (!is_old && entry->second.document) bytes += entry->second.document->bytes();
    entry = is_old ? entries_.erase(entry) : std::next(entry);
  }
  while (entries_.size() >= kMaxDocuments || bytes > kMaxDocumentsBytes) {
    auto oldest = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry)
      if (!entry->second.fetch &&
          (oldest == entries_.end() || entry->second.last_requested < oldest->second.last_requested))
        oldest = entry;
    if (oldest == entries_.end()) return false;
    if (oldest->second.document) bytes -= oldest->second.document->bytes();
    entries_.erase(oldest);
  }
  return true;
}

/// The URL consists of the channel's origins and the name that a playlist gave. Of the player's query only
/// query_for_origin() is added.
base::Result<std::string> ChannelDocuments::url_of(const Entry& entry) const {
  const auto& origins = channel_.making().origins;
  auto uri = entry.reload ? http::parse_as_written(*entry.reload)
                          : contracts::to_uri(origins, entry.name.origin.path, entry.name.origin.query);
  if (!uri) return base::failure(base::ErrorKind::not_found, base::Fault::client, "the channel has no such document");
  if (const auto origin = channel_.origins().choice(); origin > 0) {
    const auto at_backups = contracts::backup_uris(origins, *uri);
    if (origin <= at_backups.size()) *uri = at_backups[origin - 1];
  }
  if (!entry.query.empty()) uri->query.append(uri->query.empty() ? "" : "&").append(entry.query);
  return uri->text();
}

void ChannelDocuments::start(const std::string& key, Entry& entry) {
  auto url = url_of(entry);
  if (!url) return fail(entry, url.error());
  net::FetchRequest request;
  request.url = std::move(*url);
  request.destinations.allowed_origins = contracts::allowed_origins(channel_.making().origins);
  request.destinations.allow_special_addresses = channel_.settings().allow_special_addresses;
  request.deadlines = channel_.settings().deadlines;
  request.max_redirects = kMaxDocumentHops;
  request.max_body_bytes = kMaxDocumentBytes;
  request.accept_gzip = true;
  entry.fetch = channel_.worker().client.get_whole(
      std::move(request), [this, key](base::Result<net::WholeAnswer> answer) { on_answer(key, std::move(answer)); });
}

void ChannelDocuments::on_answer(const std::string& key, base::Result<net::WholeAnswer> whole) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  auto& entry = found->second;
  const auto finished = std::move(entry.fetch);  // may be destroyed inside its own callback
  if (!whole) return fail(entry, std::move(whole.error()));
  if (whole->head.status != 200) return fail(entry, error_of(whole->head.status));
  if (auto accepted = accept(entry, *whole); !accepted) return fail(entry, accepted.error());
  entry.error.reset();
  answer(entry);
}

base::Result<DocumentText> ChannelDocuments::parse(const Entry& entry, const net::WholeAnswer& whole) {
  const auto wall = channel_.services().clock.wall_now();
  const auto base = contracts::at_first_origin(channel_.making().origins, whole.head.final_uri);
  const DocumentMaking making{channel_.making(), base, channel_.epoch(),
                              contracts::link_expiry(wall, channel_.config().link_lifetime), wall};
  switch (entry.name.kind) {
    case DocumentKind::asset_list: return asset_list_text(whole.body, making);
    case DocumentKind::steering: return steering_text(whole.body, making);
    default: return DocumentText{{whole.body}, {}, {}, {}};
  }
}

base::Status ChannelDocuments::accept(Entry& entry, const net::WholeAnswer& whole) {
  auto text = parse(entry, whole);
  if (!text) return tl::unexpected(text.error());
  entry.document = std::make_shared<const Document>(Document{type_of(entry.name.kind), std::move(text->pieces)});
  entry.playlists = std::move(text->playlists);
  entry.reload = std::move(text->reload);
  entry.registered_at.reset();
  entry.fresh_until = now() + fresh_for(entry.name.kind, whole.head.headers, text->ttl);
  entry.good_until = now() + channel_.config().stale_time;
  channel_.metrics().fetched_document(to_string(entry.name.kind), "ok");
  return {};
}

/// The origin's RELOAD-URI may be invalid by now, so the next fetch uses the URI of the playlist.
void ChannelDocuments::fail(Entry& entry, base::Error error) {
  const auto at = now();
  entry.reload.reset();
  entry.retry_at = at + kDocumentRetryAfter;
  channel_.metrics().fetched_document(to_string(entry.name.kind), "failed");
  if (!logged_at_ || at - *logged_at_ >= kLogPeriod) {
    logged_at_ = at;
    channel_.services().log.warning("balancer", "source_document_failed",
                                    {{"channel", channel_.config().id},
                                     {"kind", to_string(entry.name.kind)},
                                     {"path", entry.name.origin.path},
                                     {"reason", base::to_string(error.kind)},
                                     {"error", error.text}});
  }
  entry.error = std::move(error);
  answer(entry);
}

/// Registers at most once per kRegisterPeriod, because there may be thousands of requests a second.
void ChannelDocuments::register_playlists(Entry& entry) {
  if (entry.playlists.empty() || (entry.registered_at && now() - *entry.registered_at < kRegisterPeriod)) return;
  entry.registered_at = now();
  channel_.register_assets(entry.playlists);
}

void ChannelDocuments::answer(Entry& entry) {
  register_playlists(entry);
  const bool is_good = entry.document && (!entry.error || now() < entry.good_until);
  for (auto& on_document : std::exchange(entry.waiting, {})) {
    if (is_good)
      on_document(entry.document);
    else
      on_document(tl::unexpected(*entry.error));
  }
}

void ChannelDocuments::close(const base::Error& error) {
  for (auto& [key, entry] : std::exchange(entries_, {}))
    for (auto& on_document : entry.waiting) on_document(tl::unexpected(error));
}

}  // namespace tribune::balancer
