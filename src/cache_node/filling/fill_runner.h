#pragma once
// Runs one fill: asks the candidates in order (filling/fill_candidates.h), passes the body to the Fill, holds and
// retries a request for an object that does not exist yet, resumes an interrupted body, and reports the result. Uses
// net::HttpClient on one worker.
//
// Lifetime
//   asking     a request was sent; no byte of the body has arrived            (start, try_next, hold, one retry)
//   feeding    body bytes are passed to the fill                              (on_body)
//   resuming   the body was interrupted: a Range request, or a second whole body that must begin with the same bytes,
//              to this candidate or the next one                              (on_done)
//   over       the fill is complete or failed; on_over ran                    (complete, fail)
// Destroyed before `over`, the fill fails.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "cache_node/disk/disk_writer.h"
#include "cache_node/filling/candidate_sequence.h"
#include "cache_node/filling/circuit_breakers.h"
#include "cache_node/filling/fill_candidates.h"
#include "cache_node/load/fill_metrics.h"
#include "cache_node/load/origin_answers.h"
#include "cache_node/objects/checksum.h"
#include "cache_node/objects/fill.h"
#include "cache_node/objects/fill_memory.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/policy/vary_warnings.h"
#include "cache_node/settings/fill_settings.h"
#include "runtime/role.h"

namespace tribune::cache_node {

/// The parts that every runner uses. They outlive the runners.
struct FillParts {
  const base::Clock& clock;
  base::Log& log;
  FillMetrics& metrics;
  ObjectIndex& index;
  DiskWriter& disk;
  FillMemory& memory;
  Circuits& circuits;
  VaryWarnings& varied;
  OriginAnswers& origin_answers;
};

/// Owned by one worker.
class FillRunner {
 public:
  /// `on_over` must not destroy the runner at once, but from a later call of the loop.
  FillRunner(const FillParts&, runtime::Worker&, FillSettings, FillSource, std::shared_ptr<Fill>,
             std::function<void()> on_over);
  ~FillRunner();
  FillRunner(const FillRunner&) = delete;
  FillRunner& operator=(const FillRunner&) = delete;

  void start();

 private:
  const FillCandidate& candidate() const { return candidates_.current(); }
  template <class Call>
  void guard_memory(Call);
  void request();
  void send(const FillCandidate&);
  void schedule_request();
  void try_next(FillFailure);
  void mark_origin_lost(const FillFailure& why);
  void report_origin_failure();
  void on_refusal(FillFailure);
  void hold_or_fail(FillFailure);
  void add_range(http::Headers&) const;

  // fill_runner_heads.cpp
  void on_head(const net::FetchHead&);
  bool node_declined(const net::FetchHead&);
  void first_head(const net::FetchHead&);
  void accept_head(const net::FetchHead&);
  void judge_body(std::string_view bytes, bool is_end);
  void reject_body(std::string_view why);
  void note_variants(const net::FetchHead&);
  bool is_for_slices(const net::FetchHead&) const;
  void switch_to_slices(const net::FetchHead&, std::uint64_t size);
  void slice_head(const net::FetchHead&);
  void on_file_changed();
  void confirm_previous(const net::FetchHead&);
  http::StoredHead stored_head(const net::FetchHead&) const;
  void take_terms(ObjectHead&, const net::FetchHead&) const;
  void apply_storing_rules(const net::FetchHead&);
  void resumed_head(const net::FetchHead&);

  net::Flow on_body(std::string_view);
  void feed(std::string_view bytes);
  bool matches_prefix(std::string_view& bytes);
  void notify_disk_in_batches(std::uint64_t bytes);
  void notify_disk();
  void on_done(base::Result<void>);
  void on_broken_body(const base::Error&);
  void pause();
  void resume();
  void complete();
  void fail(FillFailure, bool remember);
  void end();

  const FillParts parts_;
  runtime::Worker& worker_;
  const FillSettings settings_;
  const FillSource source_;
  const std::shared_ptr<Fill> fill_;
  const std::function<void()> on_over_;
  CandidateSequence candidates_;

  std::unique_ptr<net::Fetch> fetch_;
  net::Timer timer_;                                                  // waits for the hold, or for disk_patience
  net::Timer request_timer_;                                          // sends the next request
  net::Timer notify_timer_;                                           // notifies the disk thread of unannounced_bytes_
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // checked by posted calls

  std::uint64_t unannounced_bytes_ = 0;  // bytes since the disk thread was last notified
  bool feeding_ = false;                 // head and length are known
  bool is_over_ = false;
  bool paused_ = false;
  bool has_head_ = false;              // this request's response head has arrived
  bool is_conditional_ = false;        // this request revalidates the stale object
  base::WallTime requested_at_{};      // of the current request
  std::size_t feeding_candidate_ = 0;  // the candidate that sent the head
  std::int64_t age_ = 0;               // seconds that the object had spent in other caches
  std::int64_t resumes_ = 0;
  int refusals_ = 0;                 // of the origin, in this fill
  bool is_refused_by_node_ = false;  // another node reported that the origin refused it
  std::uint64_t received_at_resume_ = 0;
  std::optional<std::uint64_t> length_;
  std::string etag_;                           // the origin's
  Checksum sum_;                               // of all bytes passed to the fill
  std::optional<Checksum> prefix_;             // while a second whole body repeats the received bytes
  std::optional<FillFailure> origin_failure_;  // why the origin was not reached; set in the last resort
  std::optional<FillFailure> unusable_head_;   // the failure of an unusable head; its body is not read
  std::optional<net::FetchHead> unjudged_;     // a head whose body may be no media
  std::string unjudged_bytes_;                 // of its body
};

}  // namespace tribune::cache_node
