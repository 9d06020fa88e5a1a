#pragma once
// Bits of a video's parameter set (ITU-T H.264 section 7.2, H.265 section 7.2). Beyond the end everything is 0. Owned
// by one worker.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tribune::hls {

/// The byte at an offset; 0 beyond the end.
inline unsigned byte_at(std::string_view bytes, std::size_t at) {
  return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0;
}

class BitReader {
 public:
  /// `unit` is a NAL unit after its header; its emulation prevention bytes are dropped. Parameter sets are far below
  /// the bound.
  explicit BitReader(std::string_view unit) {
    constexpr std::size_t kMostBytes = 4'096;
    int zeros = 0;
    for (const char c : unit.substr(0, kMostBytes)) {
      if (zeros >= 2 && c == 3) {
        zeros = 0;
        continue;
      }
      zeros = c == 0 ? zeros + 1 : 0;
      bytes_.push_back(c);
    }
  }

  bool is_over() const { return at_ > bytes_.size() * 8; }
  std::uint32_t bits(int count) {
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i) value = value << 1 | bit();
    return value;
  }
  std::uint32_t bit() {
    const auto byte = at_ / 8;
    const auto shift = 7 - at_ % 8;
    ++at_;
    return byte < bytes_.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes_[byte]) >> shift & 1) : 0;
  }
  void skip(int count) { at_ += static_cast<std::size_t>(count); }
  /// ue(v)
  std::uint32_t exp_golomb() {
    int zeros = 0;
    while (zeros < 32 && !is_over() && bit() == 0) ++zeros;
    return zeros >= 32 ? 0 : (1u << zeros) - 1 + bits(zeros);
  }
  /// se(v)
  std::int32_t signed_exp_golomb() {
    const auto code = exp_golomb();
    const auto half = static_cast<std::int32_t>(code / 2 + code % 2);
    return code % 2 == 1 ? half : -half;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

}  // namespace tribune::hls
