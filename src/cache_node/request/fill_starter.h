#pragma once
// How a fill begins: requests for one object share one fill (coalescing), warm-ups begin fills before a request comes,
// and each fill gets the list of nodes and origins that it asks (candidates). After a change of a channel's source a
// link may arrive before the channel map that names its origins: its fill waits for the map, and then fails.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache_node/request/media_flow_parts.h"
#include "cache_node/request/media_request_reader.h"
#include "net/event_loop.h"
#include "runtime/role.h"
#include "runtime/task_set.h"

namespace tribune::cache_node {

/// Any thread; a fill that runs belongs to the worker that began it.
class FillStarter {
 public:
  /// The arguments outlive it.
  FillStarter(const MediaFlowParts&, const MediaRequestReader&, const std::vector<std::unique_ptr<runtime::Worker>>&);

  /// The key of the object's variant.
  ObjectKey key_of(const MediaRequest&) const;
  /// The index's entry of the key. When there is none, or it is complete and not fresh, a fill begins.
  ObjectIndex::Found find_or_fill(runtime::Worker&, const MediaRequest&, const ObjectKey&);
  /// As above, for one slice of a file.
  ObjectIndex::Found find_or_fill_slice(runtime::Worker&, const MediaRequest&, const SlicedFilePtr&,
                                        std::uint64_t number);
  /// Whether memory is scarce and the object would need a new fill; counts the refusal. Stored objects are still
  /// served.
  bool lacks_memory(const ObjectKey&);

  /// Begins the fill of a link's object ("/media/…?…") unless it is stored or being filled. On the worker's loop.
  enum class WarmResult { began, known, refused };
  WarmResult warm(runtime::Worker&, std::string_view target);
  /// As above, for an object ("channel/epoch/path[?query]") or one of its slices, with a link that the node signs for
  /// itself. Returns the key; nullopt when no fill can begin.
  std::optional<ObjectKey> warm_object(runtime::Worker&, const std::string& object, std::optional<std::uint64_t> slice);

 private:
  ObjectIndex::Found find(const ObjectKey&, const MediaRequest&);
  bool is_usable(const ObjectIndex::Found&, const MediaRequest&) const;
  bool needs_new_fill(const ObjectKey&) const;
  std::optional<ObjectKey> warm_slice(runtime::Worker&, std::string_view target, std::uint64_t number);
  /// The beginning of a fill, and the file whose slice it fills.
  struct Beginning {
    MediaRequest media;
    std::shared_ptr<Fill> fill;
    SlicedFilePtr file = nullptr;
    std::uint64_t slice = 0;
    base::SteadyTime deadline = {};  // of the wait for the channel map
  };
  struct OfWorker {
    explicit OfWorker(net::EventLoop& loop) : running(loop) {}
    runtime::TaskSet<FillRunner> running;
    std::vector<Beginning> waiting;
    net::Timer timer;
  };
  void begin(runtime::Worker&, Beginning);
  void wait_for_map(runtime::Worker&, Beginning);
  void retry_waiting(runtime::Worker&);
  void start(runtime::Worker&, const contracts::OriginSet&, const Beginning&);
  void fail(Fill&, const FillFailure&);

  const MediaFlowParts& parts_;
  const MediaRequestReader& reader_;
  std::vector<std::unique_ptr<OfWorker>> by_worker_;
};

}  // namespace tribune::cache_node
