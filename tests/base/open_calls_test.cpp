#include "base/open_calls.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace tribune;

TEST_CASE("waiting ends when the last open call has run its callback") {
  base::OpenCalls calls;
  std::atomic<int> ran{0};
  auto callback = calls.counted<int>([&](int value) { ran += value; });
  std::thread other([callback] { callback(7); });
  callback = nullptr;
  calls.wait();
  CHECK(ran == 7);
  other.join();
}

TEST_CASE("a call whose callback is lost is not open any more") {
  base::OpenCalls calls;
  int ran = 0;
  {
    const auto lost = calls.counted<int>([&](int) { ++ran; });
  }
  calls.wait();
  CHECK(ran == 0);
}
