#include "balancer/routing/geography.h"

#include <maxminddb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

namespace tribune::balancer {
namespace {

std::optional<double> number_at(MMDB_entry_s& entry, const char* name) {
  MMDB_entry_data_s data{};
  if (MMDB_get_value(&entry, &data, "location", name, nullptr) != MMDB_SUCCESS || !data.has_data) return std::nullopt;
  if (data.type == MMDB_DATA_TYPE_DOUBLE) return data.double_value;
  if (data.type == MMDB_DATA_TYPE_FLOAT) return data.float_value;
  return std::nullopt;
}

sockaddr_storage socket_address(const base::IpAddress& client) {
  sockaddr_storage storage{};
  if (client.is_ipv4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, client.bytes.data() + 12, sizeof v4.sin_addr);
    std::memcpy(&storage, &v4, sizeof v4);
    return storage;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  std::memcpy(&v6.sin6_addr, client.bytes.data(), sizeof v6.sin6_addr);
  std::memcpy(&storage, &v6, sizeof v6);
  return storage;
}

}  // namespace

double distance_km(const Coordinates& a, const Coordinates& b) {
  constexpr double kEarthRadiusKm = 6371.0, kDegree = std::numbers::pi / 180;
  const double north = std::sin((b.latitude - a.latitude) * kDegree / 2),
               east = std::sin((b.longitude - a.longitude) * kDegree / 2);
  const double h = north * north + std::cos(a.latitude * kDegree) * std::cos(b.latitude * kDegree) * east * east;
  return 2 * kEarthRadiusKm * std::asin(std::sqrt(std::min(1.0, h)));
}

struct Geography::Inner {
  MMDB_s database{};
  bool is_open = false;
  ~Inner() {
    if (is_open) MMDB_close(&database);
  }
};

Geography::Geography(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}
Geography::~Geography() = default;

base::Result<std::shared_ptr<const Geography>> Geography::open(const std::string& file) {
  auto inner = std::make_unique<Inner>();
  const int status = MMDB_open(file.c_str(), MMDB_MODE_MMAP, &inner->database);
  if (status != MMDB_SUCCESS)
    return base::failure(base::ErrorKind::io, base::Fault::tribune, file + ": " + MMDB_strerror(status));
  inner->is_open = true;
  return std::shared_ptr<const Geography>(new Geography(std::move(inner)));
}

std::optional<Coordinates> Geography::find(const base::IpAddress& client) const {
  const auto storage = socket_address(client);
  int error = 0;
  auto found = MMDB_lookup_sockaddr(&inner_->database, reinterpret_cast<const sockaddr*>(&storage), &error);
  if (error != MMDB_SUCCESS || !found.found_entry) return std::nullopt;
  const auto latitude = number_at(found.entry, "latitude"), longitude = number_at(found.entry, "longitude");
  if (!latitude || !longitude) return std::nullopt;
  return Coordinates{*latitude, *longitude};
}

}  // namespace tribune::balancer
