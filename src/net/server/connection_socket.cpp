#include "net/server/connection_socket.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "net/server/output_buffer.h"

namespace tribune::net {
namespace {

constexpr std::size_t kMaxSingleWrite = 4 << 20;

std::string_view bytes_of(const http::Body& body) {
  if (const auto* own = std::get_if<std::string>(&body)) return *own;
  if (const auto* shared = std::get_if<base::BytesSlice>(&body)) return shared->view();
  return {};
}

}  // namespace

ConnectionSocket::ConnectionSocket(bufferevent* buffer) : buffer_(buffer) {
  // The bufferevent may be freed when evhttp fails to use it. HttpConnection::adopt() detects that.
  bufferevent_incref(buffer_);
  bufferevent_set_max_single_write(buffer_, kMaxSingleWrite);
}

ConnectionSocket::~ConnectionSocket() {
  if (output_entry_ != nullptr)
    evbuffer_remove_cb_entry(output(), output_entry_);
  else
    bufferevent_decref(buffer_);
}

void ConnectionSocket::attach() {
  bufferevent_decref(buffer_);  // evhttp holds a reference and calls back before it releases it
  output_entry_ = evbuffer_add_cb(output(), on_output, this);
}

void ConnectionSocket::on_output(evbuffer*, const evbuffer_cb_info* info, void* arg) noexcept {
  static_cast<ConnectionSocket*>(arg)->accepted_bytes_ += info->n_deleted;
}

std::uint64_t ConnectionSocket::send(std::string_view head, const http::Body& body) {
  const auto* file = std::get_if<base::FileSlice>(&body);
  const auto bytes = bytes_of(body);
  iovec parts[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(bytes.data()), bytes.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = bytes.empty() ? 1 : 2;
  const bool more_follows = file != nullptr && file->length != 0;
  const auto written = ::sendmsg(fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more_follows ? MSG_MORE : 0));
  if (written <= 0) return 0;
  auto sent = static_cast<std::uint64_t>(written);
  if (more_follows && sent == head.size()) {
    auto at = static_cast<off_t>(file->offset);
    for (auto left = file->length; left != 0;) {
      const auto accepted = ::sendfile(fd(), file->file->fd(), &at, std::min(left, kMaxFileSegment));
      if (accepted < 0 && errno == EIO) file->file->report_unreadable();
      if (accepted <= 0) break;
      left -= static_cast<std::uint64_t>(accepted);
      sent += static_cast<std::uint64_t>(accepted);
    }
  }
  accepted_bytes_ += sent;
  return sent;
}

void ConnectionSocket::send_queued() {
  auto* out = output();
  evbuffer_unfreeze(out, 1);
  while (evbuffer_get_length(out) != 0 && evbuffer_write(out, fd()) > 0) {
  }
  evbuffer_freeze(out, 1);
}

void ConnectionSocket::shut_down_sending() const { ::shutdown(fd(), SHUT_WR); }

/// connect(2) with AF_UNSPEC aborts the connection.
void ConnectionSocket::reset() const {
  sockaddr unspecified{};
  unspecified.sa_family = AF_UNSPEC;
  ::connect(fd(), &unspecified, sizeof unspecified);
}

void ConnectionSocket::set_pace(std::uint64_t bits_per_second) const {
  const unsigned long bytes_per_second = bits_per_second == 0 ? ~0ul : static_cast<unsigned long>(bits_per_second) / 8;
  ::setsockopt(fd(), SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_second, sizeof bytes_per_second);
}

std::uint64_t ConnectionSocket::unacknowledged_bytes() const {
  int bytes = 0;
  if (::ioctl(fd(), SIOCOUTQ, &bytes) != 0) return 0;
  return static_cast<std::uint64_t>(std::max(bytes, 0));
}

}  // namespace tribune::net
