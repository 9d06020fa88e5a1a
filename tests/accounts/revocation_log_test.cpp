#include "accounts/revocation_log.h"

#include <doctest/doctest.h>

using namespace tribune;
using accounts::Revocation;
using accounts::RevocationLog;
using namespace std::chrono_literals;

namespace {

/// Revocations of the devices `first` to `last`, one in each second.
std::vector<Revocation> ended_devices(std::uint64_t first, std::uint64_t last) {
  std::vector<Revocation> revocations;
  for (auto device = first; device <= last; ++device)
    revocations.push_back({device, device, base::WallTime(std::chrono::seconds(device))});
  return revocations;
}

std::vector<accounts::DeviceId> devices_in_page(const RevocationLog::Page& page) {
  std::vector<accounts::DeviceId> devices;
  for (const auto& revocation : page.revocations) devices.push_back(revocation.device);
  return devices;
}

using Devices = std::vector<accounts::DeviceId>;

}  // namespace

TEST_CASE("the pages of the log of revocations have each of them once and in order") {
  RevocationLog log;
  CHECK(log.after(0, 2).is_last);
  CHECK(log.after(0, 2).number == 0);
  log.add(ended_devices(11, 15));
  const auto first = log.after(0, 2), second = log.after(first.number, 2), third = log.after(second.number, 2);
  CHECK(devices_in_page(first) == Devices{11, 12});
  CHECK_FALSE(first.is_last);
  CHECK(devices_in_page(second) == Devices{13, 14});
  CHECK(devices_in_page(third) == Devices{15});
  CHECK(third.is_last);
  CHECK(log.after(third.number, 2).revocations.empty());
  log.add(ended_devices(16, 16));
  CHECK(devices_in_page(log.after(third.number, 2)) == Devices{16});
  CHECK(RevocationLog().run() != log.run());
  CHECK(log.run().size() == 16);
}

TEST_CASE("a number that the log of revocations did not give is answered with all it has") {
  RevocationLog log;
  log.add(ended_devices(11, 13));
  CHECK(devices_in_page(log.after(99, 10)) == Devices{11, 12, 13});
  log.forget(base::WallTime(11s));
  CHECK(devices_in_page(log.after(0, 10)) == Devices{12, 13});
  CHECK(devices_in_page(log.after(2, 10)) == Devices{13});
  log.forget(base::WallTime(1'000s));
  CHECK(log.after(0, 10).number == 3);
  CHECK(log.after(3, 10).is_last);
  log.add(ended_devices(14, 14));
  CHECK(devices_in_page(log.after(3, 10)) == Devices{14});
}

TEST_CASE("the log of revocations forgets a bounded number of them in one call") {
  RevocationLog log;
  log.add(ended_devices(1, RevocationLog::kMostForgotten + 5));
  log.forget(base::WallTime(1'000'000s));
  CHECK(log.after(0, 100).revocations.size() == 5);
  log.forget(base::WallTime(1'000'000s));
  CHECK(log.after(0, 100).revocations.empty());
}

TEST_CASE("the growth of the log of revocations is reported after it can be read") {
  RevocationLog log;
  std::size_t seen = 0, calls = 0;
  log.on_growth([&] {
    ++calls;
    seen = log.after(0, 100).revocations.size();
  });
  log.add({});
  CHECK(calls == 0);
  log.add(ended_devices(1, 3));
  CHECK(calls == 1);
  CHECK(seen == 3);
}
