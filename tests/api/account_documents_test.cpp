#include "api/account_documents.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/json.h"

using namespace tribune;
using namespace tribune::api;
using namespace std::chrono_literals;

namespace {

/// Devices 1 to `count`, of which each two were created at one time.
std::vector<accounts::Device> devices_of(int count) {
  std::vector<accounts::Device> devices;
  for (int i = 1; i <= count; ++i) {
    accounts::Device device;
    device.id = static_cast<accounts::DeviceId>(i);
    device.created = base::WallTime(1'780'000'000s + std::chrono::seconds(i / 2));
    devices.push_back(device);
  }
  return devices;
}

struct ListedPage {
  std::vector<std::string> ids;
  std::string next;
};

ListedPage page_of(const std::vector<accounts::Device>& devices, const PageQuery& query) {
  const auto text = devices_document(devices, 1, query);
  REQUIRE(text);
  const auto value = base::json::parse(*text);
  REQUIRE(value);
  ListedPage page;
  for (const auto& device : value->find("devices")->array) page.ids.emplace_back(device.text("id").value());
  if (const auto* next = value->find("next")) page.next = next->string;
  return page;
}

}  // namespace

TEST_CASE("the pages of the devices have each device once and in order") {
  const auto devices = devices_of(7);
  for (std::size_t limit = 1; limit <= 8; ++limit) {
    CAPTURE(limit);
    std::vector<std::string> ids;
    PageQuery query{limit, ""};
    do {
      const auto page = page_of(devices, query);
      CHECK(page.ids.size() <= limit);
      ids.insert(ids.end(), page.ids.begin(), page.ids.end());
      query.cursor = page.next;
    } while (!query.cursor.empty());
    REQUIRE(ids.size() == devices.size());
    for (std::size_t i = 0; i < ids.size(); ++i) CHECK(ids[i] == accounts::to_text(devices[i].id));
  }
}

TEST_CASE("a page of devices goes on behind a device that has ended meanwhile") {
  auto devices = devices_of(4);
  const auto first = page_of(devices, {2, ""});
  devices.erase(devices.begin() + 1);
  CHECK(page_of(devices, {2, first.next}).ids == std::vector{accounts::to_text(3), accounts::to_text(4)});
  devices.clear();
  CHECK(page_of(devices, {2, first.next}).ids.empty());
}

TEST_CASE("a cursor that no list of devices returns is refused") {
  const auto devices = devices_of(2);
  for (const auto* cursor : {"x", "-", "12", "12-", "12-34", "-0000000000000001", "12-0000000000000000",
                             "zz-0000000000000001", "12-0000000000000001-", "fffffffffffffffff-0000000000000001"}) {
    CAPTURE(cursor);
    CHECK_FALSE(devices_document(devices, 1, {10, cursor}));
  }
}
