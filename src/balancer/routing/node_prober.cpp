#include "balancer/routing/node_prober.h"

#include "http/uri.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBegunAtOnce = 32;

net::FetchRequest ping_of(const NodeAddress& node) {
  net::FetchRequest request;
  request.url = node.url + "/ping";
  const auto uri = http::parse_uri(node.url);
  request.destinations = {{uri ? uri->origin() : node.url}, true};
  request.deadlines = {1'000ms, 1'000ms, 1'000ms, 1, 2'000ms};
  request.max_body_bytes = 4'096;
  return request;
}

}  // namespace

void Prober::tick(std::chrono::milliseconds period) {
  const auto table = nodes_.table();
  const auto now = clock_.steady_now();
  std::size_t begun = 0;
  for (const auto& id : nodes_.take_due_probes()) probes_[id].next = {};
  for (const auto& node : table->nodes) {
    if (node.address->url.empty()) continue;
    auto& probe = probes_[node.address->id];
    if (probe.is_running || now < probe.next) continue;
    if (++begun > kBegunAtOnce) break;
    probe.next = now + period;
    begin(probe, *node.address);
  }
  if (probes_.size() > table->nodes.size())
    std::erase_if(probes_, [&](const auto& entry) { return !table->find(entry.first); });
}

void Prober::begin(Probe& probe, const NodeAddress& node) {
  probe.is_running = true;
  probe.running = client_.get_whole(ping_of(node), [this, &probe, id = node.id](base::Result<net::WholeAnswer> answer) {
    probe.is_running = false;
    const bool is_refused = !answer && answer.error().kind == base::ErrorKind::refused;
    nodes_.probed(id, answer && answer->head.status == 200 ? PingResult::answered
                      : is_refused                         ? PingResult::refused
                                                           : PingResult::failed);
  });
}

}  // namespace tribune::balancer
