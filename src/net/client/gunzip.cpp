#include "net/client/gunzip.h"

#include <zlib.h>

#include <array>

namespace tribune::net {

struct Gunzip::Inner {
  z_stream stream{};
  bool is_open = false;
  bool is_complete = false;
  std::string input;
  std::size_t taken = 0;
  std::array<char, 32 * 1024> output{};

  Inner() {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    is_open = inflateInit2(&stream, kGzipOnly) == Z_OK;
  }
  ~Inner() {
    if (is_open) inflateEnd(&stream);
  }
  Inner(const Inner&) = delete;
  Inner& operator=(const Inner&) = delete;
};

Gunzip::Gunzip() : inner_(std::make_unique<Inner>()) {}
Gunzip::~Gunzip() = default;
Gunzip::Gunzip(Gunzip&&) noexcept = default;
Gunzip& Gunzip::operator=(Gunzip&&) noexcept = default;

void Gunzip::feed(std::string_view coded) {
  auto& self = *inner_;
  self.input.erase(0, self.taken);
  self.taken = 0;
  self.input.append(coded);
}

base::Result<std::string_view> Gunzip::next() {
  auto& self = *inner_;
  if (!self.is_open) return base::failure(base::ErrorKind::internal, base::Fault::tribune, "no memory for gzip");
  while (self.taken < self.input.size() || !self.is_complete) {
    // A further member may follow (RFC 1952 section 2.2).
    if (self.is_complete) {
      inflateReset(&self.stream);
      self.is_complete = false;
    }
    self.stream.next_in = reinterpret_cast<Bytef*>(self.input.data()) + self.taken;
    self.stream.avail_in = static_cast<uInt>(self.input.size() - self.taken);
    self.stream.next_out = reinterpret_cast<Bytef*>(self.output.data());
    self.stream.avail_out = static_cast<uInt>(self.output.size());
    const int result = inflate(&self.stream, Z_NO_FLUSH);
    self.taken = self.input.size() - self.stream.avail_in;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      return base::failure(base::ErrorKind::protocol, base::Fault::origin,
                           "the gzip body of the response is malformed");
    }
    self.is_complete = result == Z_STREAM_END;
    const auto produced = self.output.size() - self.stream.avail_out;
    if (produced != 0) return std::string_view(self.output.data(), produced);
    if (result == Z_BUF_ERROR || (result == Z_OK && self.taken == self.input.size())) break;
  }
  return std::string_view{};
}

bool Gunzip::is_complete() const { return inner_->is_complete && inner_->taken == inner_->input.size(); }

}  // namespace tribune::net
