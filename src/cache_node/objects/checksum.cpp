#include "cache_node/objects/checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tribune::cache_node {

namespace {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87ULL;
constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4FULL;
constexpr std::uint64_t kPrime3 = 0x165667B19E3779F9ULL;
constexpr std::uint64_t kPrime4 = 0x85EBCA77C2B2AE63ULL;
constexpr std::uint64_t kPrime5 = 0x27D4EB2F165667C5ULL;

std::uint64_t load64(const char* at) {
  std::uint64_t v;
  std::memcpy(&v, at, sizeof v);
  return v;
}

std::uint64_t load32(const char* at) {
  std::uint32_t v;
  std::memcpy(&v, at, sizeof v);
  return v;
}

std::uint64_t round(std::uint64_t lane, std::uint64_t input) { return std::rotl(lane + input * kPrime2, 31) * kPrime1; }

std::uint64_t merge(std::uint64_t hash, std::uint64_t lane) { return (hash ^ round(0, lane)) * kPrime1 + kPrime4; }

}  // namespace

/// Whole stripes only. The lanes are local variables: the compiler would store and load members at each step.
void Checksum::stripes(const char* at, std::size_t bytes) {
  auto [a, b, c, d] = lanes_;
  for (const char* end = at + bytes; at != end; at += kStripeBytes) {
    a = round(a, load64(at));
    b = round(b, load64(at + 8));
    c = round(c, load64(at + 16));
    d = round(d, load64(at + 24));
  }
  lanes_ = {a, b, c, d};
}

void Checksum::add(std::string_view bytes) {
  if (bytes.empty()) return;
  length_ += bytes.size();
  if (rest_size_ > 0) {
    const auto taken = std::min(bytes.size(), rest_.size() - rest_size_);
    std::memcpy(rest_.data() + rest_size_, bytes.data(), taken);
    rest_size_ += taken;
    bytes.remove_prefix(taken);
    if (rest_size_ < rest_.size()) return;
    stripes(rest_.data(), kStripeBytes);
    rest_size_ = 0;
  }
  const auto whole = bytes.size() / kStripeBytes * kStripeBytes;
  stripes(bytes.data(), whole);
  bytes.remove_prefix(whole);
  if (!bytes.empty()) std::memcpy(rest_.data(), bytes.data(), bytes.size());
  rest_size_ = bytes.size();
}

std::uint64_t Checksum::value() const {
  std::uint64_t hash = kPrime5;
  if (length_ >= rest_.size()) {
    hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
    for (const auto lane : lanes_) hash = merge(hash, lane);
  }
  hash += length_;
  const char* at = rest_.data();
  const char* end = at + rest_size_;
  for (; end - at >= 8; at += 8) hash = std::rotl(hash ^ round(0, load64(at)), 27) * kPrime1 + kPrime4;
  if (end - at >= 4) {
    hash = std::rotl(hash ^ (load32(at) * kPrime1), 23) * kPrime2 + kPrime3;
    at += 4;
  }
  for (; at < end; ++at) hash = std::rotl(hash ^ (static_cast<unsigned char>(*at) * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

std::uint64_t checksum(std::string_view bytes) {
  Checksum sum;
  sum.add(bytes);
  return sum.value();
}

}  // namespace tribune::cache_node
