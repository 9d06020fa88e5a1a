// Loads a cache node's index of a million records from disk: the time until it is in memory at the start.
//   index_bench FOLDER [OBJECTS]     FOLDER/index must not exist; it stays, for `tribune serve` with FOLDER as its
//   store_dir

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "cache_node/disk/index_journal.h"
#include "object_ids.h"

using namespace tribune;
using namespace tribune::cache_node;
using bench::id_of;

namespace {

constexpr std::uint64_t kIndexBytes = 1ull << 30;

double seconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void write_records(const std::string& folder, std::uint64_t count, base::Log& log) {
  base::Metrics metrics;
  ObjectIndex index(1ull << 50, 1 << 20, std::make_shared<FillMemory>(1 << 20));
  IndexJournal journal(log, metrics);
  if (!journal.load(folder, kIndexBytes, index)) std::exit(1);
  for (std::uint64_t i = 0; i < count; ++i) {
    Object object;
    object.id = id_of(i);
    object.size = 2 << 20;
    object.stored = static_cast<std::uint32_t>(1'700'000'000 + i);
    object.set_head({"video/mp2t", "\"65f1c2a0-1f4000\"", 1'700'000'000, ""});
    journal.stored(object, "demo/e1/video/1080p/segment" + std::to_string(i) + ".ts");
    if (i % 50'000 == 0) journal.flush();
  }
  journal.flush();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: index_bench FOLDER [OBJECTS]\n"), 2;
  const std::string folder = argv[1];
  const auto count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000ull;
  base::LogSettings settings;
  settings.level = base::LogLevel::warning;
  base::Log log(settings);
  write_records(folder, count, log);
  for (int turn = 0; turn < 3; ++turn) {
    base::Metrics metrics;
    ObjectIndex index(1ull << 50, 1 << 20, std::make_shared<FillMemory>(1 << 20));
    IndexJournal journal(log, metrics);
    const auto wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    if (!journal.load(folder, kIndexBytes, index)) return 1;
    std::printf("%llu objects: %.2f s, %.2f s of CPU\n", static_cast<unsigned long long>(index.totals().objects),
                seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_THREAD_CPUTIME_ID) - cpu);
  }
  return 0;
}
