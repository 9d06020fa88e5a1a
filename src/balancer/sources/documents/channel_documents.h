#pragma once
// The documents of one channel's source as viewers ask for them: each is fetched once for all who wait, and kept for a
// few seconds.
//
// States of a document
//   fetched    one request at the origin is under way, for all who ask meanwhile                        (ask)
//   fresh      answered from memory, for as long as the origin's Cache-Control says, within kLongestFresh  (on_answer)
//   failing    the origin has failed: asked again after kRetryAfter; the last good one is served for the channel's
//   stale_time  (on_answer) forgotten  not asked for within kForgetDocumentAfter, or the least recently used of too
//   many         (make_room)

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

inline constexpr std::size_t kMaxDocuments = 64;            // of one channel, with what players ask differently
inline constexpr std::size_t kMaxDocumentFetches = 8;       // of one channel at a time
inline constexpr std::size_t kFetchesForAll = 2;            // of those: for documents that no player asked differently
inline constexpr std::size_t kMaxDocumentsBytes = 4 << 20;  // of one channel
inline constexpr std::chrono::minutes kForgetDocumentAfter{10};

/// Owned by one worker.
class ChannelDocuments {
 public:
  explicit ChannelDocuments(SourceChannel& channel) : channel_(channel) {}

  /// `on_document` runs once, at the latest when the origin's deadlines are over. Errors: as Sources::ask(); not_found
  /// with fault client for a document that the origin does not have; unavailable with fault tribune when too many are
  /// fetched.
  void ask(const DocumentName&, const std::string& query, OnDocument on_document);
  /// Ends every wait and forgets all.
  void close(const base::Error&);

 private:
  struct Entry {
    DocumentName name;
    std::string query;
    DocumentPtr document;
    std::vector<NamedPlaylist> playlists;  // of an asset list: known for as long as it is asked for
    std::optional<std::string> reload;     // where the origin wants to be asked next
    std::optional<base::Error> error;
    std::vector<OnDocument> waiting;
    std::unique_ptr<net::Fetch> fetch;
    base::SteadyTime asked{}, fresh_until{}, good_until{}, retry_at{};
    std::optional<base::SteadyTime> named_at;  // when the playlists were last told of
  };
  bool make_room();
  void start(const std::string& key, Entry&);
  void on_answer(const std::string& key, base::Result<net::WholeAnswer>);
  base::Status take(Entry&, const net::WholeAnswer&);
  base::Result<DocumentText> understand(const Entry&, const net::WholeAnswer&);
  base::Result<std::string> url_of(const Entry&) const;
  void fail(Entry&, base::Error);
  void answer(Entry&);
  void name_playlists(Entry&);
  base::SteadyTime now() const;

  SourceChannel& channel_;
  std::map<std::string, Entry> entries_;  // by path and query
  std::optional<base::SteadyTime> told_at_;
};

}  // namespace tribune::balancer
