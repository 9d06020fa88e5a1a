#pragma once
// The documents of one channel's source. Each is fetched once for all concurrent requests, and cached for a few
// seconds.
//
// States of a document
//   fetching   one request to the origin is running for all that wait                                  (request)
//   fresh      served from memory, as long as the origin's Cache-Control allows, within kMaxFreshness  (on_answer)
//   failing    fetched again after kRetryAfter; the last good one is served for stale_time             (on_answer)
//   removed    not requested within kForgetDocumentAfter, or the least recently used of too many       (evict)

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "balancer/sources/documents/document.h"
#include "balancer/sources/documents/document_text.h"
#include "base/clock.h"
#include "net/client/http_client.h"

namespace tribune::balancer {

class SourceChannel;

inline constexpr std::size_t kMaxDocuments =
    64;  // of one channel; a document with different player queries counts for each
inline constexpr std::size_t kMaxDocumentFetches = 8;       // of one channel at a time
inline constexpr std::size_t kFetchesForAll = 2;            // of those: reserved for documents without a player's query
inline constexpr std::size_t kMaxDocumentsBytes = 4 << 20;  // of one channel
inline constexpr std::chrono::minutes kForgetDocumentAfter{10};

/// Owned by one worker.
class ChannelDocuments {
 public:
  explicit ChannelDocuments(SourceChannel& channel) : channel_(channel) {}

  /// `on_document` runs once, at the latest at the origin's deadlines. Errors: those of Sources::look_up(); not_found
  /// with fault client for a document that the origin does not have; unavailable with fault tribune when too many are
  /// being fetched.
  void request(const DocumentName&, const std::string& query, OnDocument on_document);
  /// Ends every wait and removes all documents.
  void close(const base::Error&);

 private:
  struct Entry {
    DocumentName name;
    std::string query;
    DocumentPtr document;
    std::vector<NamedPlaylist> playlists;  // of an asset list: registered while the list is requested
    std::optional<std::string> reload;     // the URI at which the origin wants the next request
    std::optional<base::Error> error;
    std::vector<OnDocument> waiting;
    std::unique_ptr<net::Fetch> fetch;
    base::SteadyTime last_requested{}, fresh_until{}, good_until{}, retry_at{};
    std::optional<base::SteadyTime> registered_at;  // when the playlists were last registered
  };
  bool evict();
  void start(const std::string& key, Entry&);
  void on_answer(const std::string& key, base::Result<net::WholeAnswer>);
  base::Status accept(Entry&, const net::WholeAnswer&);
  base::Result<DocumentText> parse(const Entry&, const net::WholeAnswer&);
  base::Result<std::string> url_of(const Entry&) const;
  void fail(Entry&, base::Error);
  void answer(Entry&);
  void register_playlists(Entry&);
  base::SteadyTime now() const;

  SourceChannel& channel_;
  std::map<std::string, Entry> entries_;  // by path and query
  std::optional<base::SteadyTime> logged_at_;
};

}  // namespace tribune::balancer
