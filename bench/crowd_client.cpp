// A crowd of clients in one process with little overhead: each requests the same object on a connection of its own, all
// at once.
//   bench_crowd_client ADDRESS PORT TARGET CLIENTS
// Prints a line for each client with the times of the first and last byte of its body (seconds of CLOCK_MONOTONIC) and
// the body's size; then "began SECONDS". Exits with 1 when a client was refused or cut. The times are those of the
// kernel when the bytes arrived at the socket (SO_TIMESTAMPNS), so that the time until this process reads them does not
// count. Clients without any bytes are read first, and only their first bytes.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

double seconds(const timespec& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9; }

double now(clockid_t clock = CLOCK_MONOTONIC) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return seconds(t);
}

/// recv() that also returns the arrival time of the last byte.
ssize_t receive(int fd, char* room, std::size_t size, double& at) {
  static const double kSinceBoot = now(CLOCK_REALTIME) - now();
  iovec part{room, size};
  alignas(cmsghdr) char control[128];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const auto got = ::recvmsg(fd, &message, MSG_DONTWAIT);
  at = now();
  for (auto* field = CMSG_FIRSTHDR(&message); got > 0 && field; field = CMSG_NXTHDR(&message, field)) {
    if (field->cmsg_level != SOL_SOCKET || field->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec came{};
    std::memcpy(&came, CMSG_DATA(field), sizeof came);
    at = seconds(came) - kSinceBoot;
  }
  return got;
}

struct Client {
  int fd = -1;
  std::string head;  // until the head is complete
  bool has_head = false;
  long long length = -1;  // announced length of the body; -1: chunked, or until the connection ends
  bool chunked = false;
  std::string tail;  // the last bytes, if the length is not known
  double first = 0, last = 0;
  long long bytes = 0;
  bool is_over = false;
};

/// Processes bytes of the body; true when it is complete.
bool take(Client& client, const char* bytes, std::size_t size, double at) {
  if (size == 0) return client.length == 0;
  if (client.first == 0) client.first = at;
  client.last = at;
  client.bytes += static_cast<long long>(size);
  if (client.length >= 0) return client.bytes >= client.length;
  client.tail.append(bytes, size);
  if (client.tail.size() > 5) client.tail.erase(0, client.tail.size() - 5);
  return client.chunked && client.tail == "0\r\n\r\n";
}

bool take_head(Client& client) {
  const auto end = client.head.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  client.has_head = true;
  std::string lower = client.head.substr(0, end + 2);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (const auto at = lower.find("\r\ncontent-length:"); at != std::string::npos)
    client.length = std::atoll(lower.c_str() + at + 17);
  client.chunked = lower.find("\r\ntransfer-encoding: chunked") != std::string::npos;
  return true;
}

constexpr std::size_t kFirstLook = 2048;

/// Reads the available bytes; of a client without any bytes yet, only the first ones. False when the connection ended
/// too early or the status is not 200.
bool read_on(Client& client, std::vector<char>& room) {
  const bool had_none = client.first == 0;
  while (client.first == 0 || !had_none) {
    double at = 0;
    const auto size = receive(client.fd, room.data(), had_none ? kFirstLook : room.size(), at);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) return client.is_over;
    if (client.has_head) {
      client.is_over = take(client, room.data(), static_cast<std::size_t>(size), at);
    } else {
      client.head.append(room.data(), static_cast<std::size_t>(size));
      if (!take_head(client)) continue;
      if (client.head.compare(8, 5, " 200 ") != 0) return false;
      const auto body = client.head.substr(client.head.find("\r\n\r\n") + 4);
      client.is_over = take(client, body.data(), body.size(), at);
    }
    if (client.is_over) return true;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return std::fprintf(stderr, "usage: bench_crowd_client ADDRESS PORT TARGET CLIENTS\n"), 2;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[2])));
  ::inet_pton(AF_INET, argv[1], &address.sin_addr);
  const std::string request =
      std::string("GET ") + argv[3] + " HTTP/1.1\r\nHost: " + argv[1] + ":" + argv[2] + "\r\n\r\n";
  std::vector<Client> clients(static_cast<std::size_t>(std::atoi(argv[4])));
  std::vector<char> room(1 << 18);
  const int loop = ::epoll_create1(0);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(clients[i].fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      return std::perror("connect"), 1;
    const int on = 1;
    ::setsockopt(clients[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(clients[i].fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(loop, EPOLL_CTL_ADD, clients[i].fd, &event);
  }
  const double began = now();
  for (auto& client : clients)
    if (::send(client.fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return std::perror("send"), 1;
  std::vector<epoll_event> events(1024);
  for (auto left = clients.size(); left != 0;) {
    const int count = ::epoll_wait(loop, events.data(), static_cast<int>(events.size()), 60'000);
    if (count <= 0) return std::fprintf(stderr, "%zu clients wait for ever\n", left), 1;
    std::partition(events.begin(), events.begin() + count,
                   [&](const epoll_event& event) { return clients[event.data.u64].first == 0; });
    for (int i = 0; i < count; ++i) {
      auto& client = clients[events[static_cast<std::size_t>(i)].data.u64];
      if (!read_on(client, room)) return std::fprintf(stderr, "refused or cut: %.200s\n", client.head.c_str()), 1;
      if (!client.is_over) continue;
      ::epoll_ctl(loop, EPOLL_CTL_DEL, client.fd, nullptr);
      --left;
    }
  }
  for (const auto& client : clients) std::printf("%.6f %.6f %lld\n", client.first, client.last, client.bytes);
  std::printf("began %.6f\n", began);
  return 0;
}
