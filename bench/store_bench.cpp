// A million objects in the index of a cache node: bytes of RAM per object, and time per lookup, in one thread.
//   store_bench [OBJECTS]

#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <vector>

#include "cache_node/objects/object_index.h"
#include "object_ids.h"

using namespace tribune;
using namespace tribune::cache_node;
using bench::id_of;

namespace {

/// CPU time of this thread: other processes do not count.
double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double bytes_in_use() {
  const auto info = ::mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

}  // namespace

int main(int argc, char** argv) {
  const auto count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000ull;
  ObjectIndex index(1ull << 50, 1 << 20, std::make_shared<FillMemory>(1 << 20));
  const auto before = bytes_in_use();
  std::vector<ObjectPtr> objects;
  objects.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto object = std::make_shared<Object>();
    object->id = id_of(i);
    object->size = 2 << 20;
    object->set_head({"video/mp2t", "\"65f1c2a0-1f4000\"", 1'700'000'000, ""});  // an ETag as nginx makes it
    objects.push_back(std::move(object));
  }
  index.restore(std::move(objects));
  std::printf("bytes of RAM for each object: %.0f\n", (bytes_in_use() - before) / static_cast<double>(count));

  constexpr std::uint64_t kLookups = 1'000'000;
  std::mt19937_64 chance(1);
  std::vector<ObjectKey> keys;
  keys.reserve(100'000);
  for (int i = 0; i < 100'000; ++i) keys.push_back({"", id_of(chance() % count)});
  const auto now = base::SteadyTime{};
  std::uint64_t found = 0;
  const auto begun = cpu_seconds();
  for (std::uint64_t i = 0; i < kLookups; ++i)
    found += std::holds_alternative<ObjectPtr>(index.find_or_begin(keys[i % keys.size()], now));
  const auto took = cpu_seconds() - begun;
  std::printf("microseconds of CPU for a lookup: %.2f (%llu found)\n", 1e6 * took / kLookups,
              static_cast<unsigned long long>(found));
  return found == kLookups ? 0 : 1;
}
