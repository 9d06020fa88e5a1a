#include "net/client/dns_cache.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "base/memory.h"

namespace tribune::net {
namespace {

auto unavailable(std::string text) {
  return base::failure(base::ErrorKind::unavailable, base::Fault::origin, std::move(text), true);
}

struct Name {
  DnsCache::Addresses addresses;  // empty: unknown
  base::SteadyTime good_until{};
  base::SteadyTime used{};  // asked for by a fetch
  bool is_asking = false;
  std::vector<std::weak_ptr<DnsCache::OnFound>> waiting;
};

}  // namespace

base::Result<std::vector<std::string>> look_up_addresses(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0) {
    return unavailable("the name cannot be resolved: " + std::string(::gai_strerror(code)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  std::vector<std::string> addresses;
  for (const auto* entry = found; entry != nullptr; entry = entry->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
      continue;
    // A scoped link-local address ("fe80::1%eth0") is no origin.
    if (std::find(text.begin(), text.end(), '%') != text.end()) continue;
    if (std::find(addresses.begin(), addresses.end(), text.data()) == addresses.end())
      addresses.emplace_back(text.data());
  }
  if (addresses.empty()) return unavailable("the name has no usable address");
  return addresses;
}

/// How the threads, which may outlive the book and the loop, get back to them.
struct Mailbox {
  std::mutex mutex;
  EventLoop* loop;  // guarded by mutex; nothing once the book is gone
};

struct DnsCache::Inner : std::enable_shared_from_this<Inner> {
  const base::Clock& clock;
  LookUp ask;
  std::chrono::milliseconds fresh_for;
  std::shared_ptr<Mailbox> mailbox;
  EventLoop& loop;
  std::map<std::string, Name> names;
  int look_ups = 0;

  Inner(EventLoop& on, const base::Clock& c, LookUp f, std::chrono::milliseconds fresh)
      : clock(c), ask(std::move(f)), fresh_for(fresh), mailbox(std::make_shared<Mailbox>()), loop(on) {
    mailbox->loop = &on;
  }

  void start_asking(const std::string& host, Name& name);
  void on_answer(const std::string& host, base::Result<Addresses> answer);
  void make_room();
};

void DnsCache::Inner::start_asking(const std::string& host, Name& name) {
  if (name.is_asking) return;
  name.is_asking = true;
  ++look_ups;
  const std::weak_ptr<Inner> self = weak_from_this();
  const auto answered = [self, host](base::Result<Addresses> answer) {
    if (const auto book = self.lock()) book->on_answer(host, std::move(answer));
  };
  const auto fail = [&](std::string text) { loop.post([answered, text] { answered(unavailable(text)); }); };
  if (look_ups > kMaxLookUps) return fail("too many names are being looked up");
  try {
    std::thread([answered, host, ask_now = ask, box = mailbox] {
      const auto tell = [&](base::Result<Addresses> answer) {
        const std::lock_guard lock(box->mutex);
        if (box->loop == nullptr) return;
        box->loop->post([answered, answer = std::move(answer)] { answered(answer); });
      };
      try {
        tell(ask_now(host));
      } catch (const std::bad_alloc&) {
        base::Memory::of_process().gave_up_work();
      }
    }).detach();
  } catch (const std::system_error& error) {
    fail(std::string("no thread for a look-up: ") + error.what());
  }
}

void DnsCache::Inner::on_answer(const std::string& host, base::Result<Addresses> answer) {
  --look_ups;
  const auto found = names.find(host);
  if (found == names.end()) return;
  auto& name = found->second;
  name.is_asking = false;
  if (answer && !answer->empty()) {
    name.addresses = *answer;
    name.good_until = clock.steady_now() + fresh_for;
  }
  const auto waiting = std::exchange(name.waiting, {});
  for (const auto& weak : waiting) {
    if (const auto call = weak.lock()) (*call)(answer);
  }
}

/// The name that no fetch wanted for longest goes; those that are being looked up stay.
void DnsCache::Inner::make_room() {
  while (names.size() >= kMaxNames) {
    auto idle = names.end();
    for (auto it = names.begin(); it != names.end(); ++it)
      if (!it->second.is_asking && (idle == names.end() || it->second.used < idle->second.used)) idle = it;
    if (idle == names.end()) return;
    names.erase(idle);
  }
}

DnsCache::DnsCache(EventLoop& loop, const base::Clock& clock, LookUp ask, std::chrono::milliseconds fresh_for)
    : inner_(std::make_shared<Inner>(loop, clock, ask ? std::move(ask) : LookUp(look_up_addresses), fresh_for)) {}

DnsCache::~DnsCache() {
  const std::lock_guard lock(inner_->mailbox->mutex);
  inner_->mailbox->loop = nullptr;
}

std::optional<DnsCache::Addresses> DnsCache::find(const std::string& host) {
  const auto found = inner_->names.find(host);
  if (found == inner_->names.end() || found->second.addresses.empty()) return std::nullopt;
  found->second.used = inner_->clock.steady_now();
  if (found->second.used >= found->second.good_until) inner_->start_asking(host, found->second);
  return found->second.addresses;
}

DnsCache::Wait DnsCache::look_up(const std::string& host, OnFound on_found) {
  if (!inner_->names.contains(host)) inner_->make_room();
  auto& name = inner_->names[host];
  name.used = inner_->clock.steady_now();
  std::erase_if(name.waiting, [](const auto& weak) { return weak.expired(); });
  auto call = std::make_shared<OnFound>(std::move(on_found));
  name.waiting.push_back(call);
  inner_->start_asking(host, name);
  return Wait(std::move(call));
}

void DnsCache::doubt(const std::string& host) {
  const auto found = inner_->names.find(host);
  if (found != inner_->names.end()) inner_->start_asking(host, found->second);
}

}  // namespace tribune::net
