#pragma once
// The phase of the process, as /readyz and /status report it.

#include <atomic>
#include <string_view>

namespace tribune::runtime {

enum class Phase { starting, serving, stopping };

inline std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::starting: return "starting";
    case Phase::serving: return "serving";
    case Phase::stopping: return "stopping";
  }
  return "";
}

/// Any thread. The caller enters phases in their order only.
class ProcessPhase {
 public:
  Phase phase() const { return phase_.load(); }
  void enter(Phase phase) { phase_.store(phase); }

 private:
  std::atomic<Phase> phase_{Phase::starting};
};

}  // namespace tribune::runtime
