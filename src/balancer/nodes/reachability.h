#pragma once
// Whether cache nodes can be reached: the evidence of their heartbeats, of probes, of lost connections and of clients
// about each node (Reachability), and failures that many nodes have at once (SharedFailure).
//
// States of SharedFailure, set by update()
//   none     what fails is the node: each one is judged by its own evidence
//   doubted  two or more nodes, and at least two thirds of all, failed within one node timeout. The cause is probably
//            near this balancer (its uplink, a firewall, its clock), and viewers may reach the nodes: evidence that is
//            not certain takes no node out of service. Ends when fewer than two thirds fail

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace tribune::balancer {

/// `refused`: the host answered that no process listens at the port.
enum class PingResult { answered, refused, failed };

/// Probes that must fail in a row before a node that was reached by them counts as unreachable; one is enough while
/// several clients report it gone. kGoodProbes must succeed in a row before it counts as reachable again.
inline constexpr int kFailedProbes = 3;
inline constexpr int kGoodProbes = 2;

/// For this time after the node closed its connection, one failed probe is enough, too: a process that ends closes its
/// connections at once.
inline constexpr std::chrono::seconds kConnectionLossCounts{2};

/// Networks of clients that must report a node gone within kReportWindow.
inline constexpr std::size_t kReporters = 3;
inline constexpr std::chrono::seconds kReportWindow{10};

/// A node fails when it is silent for this part of the node timeout: longer than the interval of heartbeats.
constexpr base::SteadyTime::duration late_after(base::SteadyTime::duration timeout) { return timeout * 3 / 5; }

/// A doubt about a node ends after this time when neither heartbeats nor probes get through and other nodes are fine.
inline constexpr std::chrono::seconds kLongestDoubt{60};

/// The evidence about one node. Not thread-safe; NodeRegistry holds its lock.
class Reachability {
 public:
  explicit Reachability(base::SteadyTime now) : silent_from_(now) {}

  void heartbeat_received(base::SteadyTime now);
  void probed(PingResult, base::SteadyTime now);
  void connection_lost(base::SteadyTime now);
  /// A client of this network could not reach the node.
  void reported_gone(std::string_view client_prefix, base::SteadyTime now);
  void expire_reports(base::SteadyTime now);
  /// Earlier probes were sent to a process that is not there any more; the next one is due.
  void reset_probes();
  /// The node has another address, which no probe reached yet.
  void reset_address();
  /// What failed up to now does not count, because it was doubted; silence counts from `from` on.
  void excuse(base::SteadyTime from);
  /// This process was suspended for `by`.
  void shorten_silence(base::SteadyTime::duration by, base::SteadyTime now);

  void request_probe() { is_probe_due_ = true; }
  bool take_due_probe() { return std::exchange(is_probe_due_, false); }

  /// The time without a heartbeat.
  base::SteadyTime::duration silence(base::SteadyTime now) const { return now - silent_from_; }
  /// Why the node cannot be reached although it sends heartbeats, as a literal; empty: it can.
  std::string_view unreachable() const { return unreachable_; }
  /// Since when heartbeats are late or probes fail; nullopt: neither.
  std::optional<base::SteadyTime> failing_since(base::SteadyTime now, base::SteadyTime::duration timeout) const;
  /// Whether neither heartbeats nor probes got through for `time`.
  bool is_cut_off(base::SteadyTime now, base::SteadyTime::duration time) const;
  /// Whether the node is lost whatever happens to other nodes: its host refuses connections while it is silent or after
  /// it closed its connection, or clients of several networks cannot reach it either.
  bool is_lost_for_certain(base::SteadyTime now, base::SteadyTime::duration timeout) const;

 private:
  bool probes_fail() const { return was_reached_ && failed_probes_ > 0; }

  base::SteadyTime silent_from_;
  int good_probes_ = 0, failed_probes_ = 0;  // in a row
  bool was_reached_ = false;                 // a probe was answered since its address is known
  bool is_refused_ = false;                  // the result of the last probe
  bool has_ended_ = false;                   // it closed its connection and refused a probe; until a sign of life
  bool is_probe_due_ = false;                // take_due_probe() did not return it yet
  base::SteadyTime probes_fail_since_{};
  std::string_view unreachable_;
  std::optional<base::SteadyTime> connection_lost_at_;
  std::map<std::string, base::SteadyTime, std::less<>> reports_;  // by network; bounded by kReporters
};

/// What SharedFailure reads of one node.
struct NodeFailure {
  bool counts = false;                    // it was heard of, and is not lost for certain
  bool is_lost = false;                   // its evidence suffices to take it out of service
  bool is_out = false;                    // it was taken out of service for this evidence
  std::optional<base::SteadyTime> since;  // when it began to fail
};

/// Not thread-safe.
class SharedFailure {
 public:
  enum class Change { none, began, ended };
  Change update(const std::vector<NodeFailure>&, base::SteadyTime::duration timeout);

  bool is_doubted() const { return is_doubted_; }
  /// Nodes that began to fail since then share the failure that is doubted.
  base::SteadyTime from() const { return from_; }
  /// Of `nodes()` that counted at the last update, this many failed.
  std::size_t failing() const { return failing_; }
  std::size_t nodes() const { return nodes_; }

 private:
  bool is_shared() const { return failing_ >= 2 && 3 * failing_ >= 2 * nodes_; }

  bool is_doubted_ = false;
  base::SteadyTime from_{};
  std::size_t failing_ = 0, nodes_ = 0;
};

}  // namespace tribune::balancer
