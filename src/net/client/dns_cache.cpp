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
  base::SteadyTime used{};  // the last use by a fetch
  bool is_looking_up = false;
  std::vector<std::weak_ptr<DnsCache::OnFound>> waiting;
};

}  // namespace

base::Result<std::vector<std::string>> look_up_addresses(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0) {
    return unavailable("the host name cannot be resolved: " + std::string(::gai_strerror(code)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  std::vector<std::string> addresses;
  for (const auto* entry = found; entry != nullptr; entry = entry->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
      continue;
    // A scoped link-local address ("fe80::1%eth0") is not supported.
    if (std::find(text.begin(), text.end(), '%') != text.end()) continue;
    if (std::find(addresses.begin(), addresses.end(), text.data()) == addresses.end())
      addresses.emplace_back(text.data());
  }
  if (addresses.empty()) return unavailable("the host name has no usable address");
  return addresses;
}

/// The loop to which the threads post their results. The threads may outlive the cache and the loop.
struct ResultLoop {
  std::mutex mutex;
  EventLoop* loop;  // guarded by mutex; nullptr when the cache is destroyed
};

struct DnsCache::Inner : std::enable_shared_from_this<Inner> {
  const base::Clock& clock;
  LookUp resolve;
  std::chrono::milliseconds fresh_for;
  std::shared_ptr<ResultLoop> result_loop;
  EventLoop& loop;
  std::map<std::string, Name> names;
  int look_ups = 0;

  Inner(EventLoop& on, const base::Clock& c, LookUp f, std::chrono::milliseconds fresh)
      : clock(c), resolve(std::move(f)), fresh_for(fresh), result_loop(std::make_shared<ResultLoop>()), loop(on) {
    result_loop->loop = &on;
  }

  void start_look_up(const std::string& host, Name& name);
  void on_result(const std::string& host, base::Result<Addresses> answer);
  void remove_unused();
};

void DnsCache::Inner::start_look_up(const std::string& host, Name& name) {
  if (name.is_looking_up) return;
  name.is_looking_up = true;
  ++look_ups;
  const std::weak_ptr<Inner> self = weak_from_this();
  const auto on_resolved = [self, host](base::Result<Addresses> answer) {
    if (const auto cache = self.lock()) cache->on_result(host, std::move(answer));
  };
  const auto fail = [&](std::string text) { loop.post([on_resolved, text] { on_resolved(unavailable(text)); }); };
  if (look_ups > kMaxLookUps) return fail("too many concurrent DNS lookups");
  try {
    std::thread([on_resolved, host, resolve_now = resolve, to = result_loop] {
      const auto post = [&](base::Result<Addresses> answer) {
        const std::lock_guard lock(to->mutex);
        if (to->loop == nullptr) return;
        to->loop->post([on_resolved, answer = std::move(answer)] { on_resolved(answer); });
      };
      try {
        post(resolve_now(host));
      } catch (const std::bad_alloc&) {
        base::Memory::of_process().gave_up_work();
      }
    }).detach();
  } catch (const std::system_error& error) {
    fail(std::string("cannot start a thread for a DNS lookup: ") + error.what());
  }
}

void DnsCache::Inner::on_result(const std::string& host, base::Result<Addresses> answer) {
  --look_ups;
  const auto found = names.find(host);
  if (found == names.end()) return;
  auto& name = found->second;
  name.is_looking_up = false;
  if (answer && !answer->empty()) {
    name.addresses = *answer;
    name.good_until = clock.steady_now() + fresh_for;
  }
  const auto waiting = std::exchange(name.waiting, {});
  for (const auto& weak : waiting) {
    if (const auto call = weak.lock()) (*call)(answer);
  }
}

/// Removes the least recently used names until one more fits. Names that are being looked up stay.
void DnsCache::Inner::remove_unused() {
  while (names.size() >= kMaxNames) {
    auto idle = names.end();
    for (auto it = names.begin(); it != names.end(); ++it)
      if (!it->second.is_looking_up && (idle == names.end() || it->second.used < idle->second.used)) idle = it;
    if (idle == names.end()) return;
    names.erase(idle);
  }
}

DnsCache::DnsCache(EventLoop& loop, const base::Clock& clock, LookUp resolve, std::chrono::milliseconds fresh_for)
    : inner_(
          std::make_shared<Inner>(loop, clock, resolve ? std::move(resolve) : LookUp(look_up_addresses), fresh_for)) {}

DnsCache::~DnsCache() {
  const std::lock_guard lock(inner_->result_loop->mutex);
  inner_->result_loop->loop = nullptr;
}

std::optional<DnsCache::Addresses> DnsCache::find(const std::string& host) {
  const auto found = inner_->names.find(host);
  if (found == inner_->names.end() || found->second.addresses.empty()) return std::nullopt;
  found->second.used = inner_->clock.steady_now();
  if (found->second.used >= found->second.good_until) inner_->start_look_up(host, found->second);
  return found->second.addresses;
}

DnsCache::Wait DnsCache::look_up(const std::string& host, OnFound on_found) {
  if (!inner_->names.contains(host)) inner_->remove_unused();
  auto& name = inner_->names[host];
  name.used = inner_->clock.steady_now();
  std::erase_if(name.waiting, [](const auto& weak) { return weak.expired(); });
  auto call = std::make_shared<OnFound>(std::move(on_found));
  name.waiting.push_back(call);
  inner_->start_look_up(host, name);
  return Wait(std::move(call));
}

void DnsCache::refresh(const std::string& host) {
  const auto found = inner_->names.find(host);
  if (found != inner_->names.end()) inner_->start_look_up(host, found->second);
}

}  // namespace tribune::net
