#include "net/client/curl_multi.h"

#include <event2/event.h>

#include <cstdlib>
#include <new>

#include "base/memory.h"

namespace tribune::net {
namespace {

/// Initialises libcurl once per process.
void init_curl() {
  static const bool done = [] {
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, base::patient_malloc, std::free, base::patient_realloc,
                                base::patient_strdup, base::patient_calloc) == CURLE_OK;
  }();
  (void)done;
}

/// The boundary between libcurl and this code: work for which there is no memory is dropped.
template <class Call>
void without_throwing(Call call) noexcept {
  try {
    call();
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
  }
}

}  // namespace

void CurlMulti::FreeEvent::operator()(event* e) const { event_free(e); }

CurlMulti::CurlMulti(EventLoop& loop, long max_kept_connections, Handlers handlers)
    : loop_(loop), handlers_(std::move(handlers)) {
  init_curl();
  multi_ = curl_multi_init();
  timer_.reset(event_new(loop.base(), -1, 0, on_time, this));
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, max_kept_connections);
}

CurlMulti::~CurlMulti() {
  ++depth_;
  curl_multi_cleanup(multi_);
}

bool CurlMulti::add(CURL* easy) {
  ++depth_;
  const auto code = curl_multi_add_handle(multi_, easy);
  --depth_;
  return code == CURLM_OK;
}

void CurlMulti::remove(CURL* easy) {
  ++depth_;
  curl_multi_remove_handle(multi_, easy);
  --depth_;
}

void CurlMulti::unpause(CURL* easy) {
  ++depth_;
  curl_easy_pause(easy, CURLPAUSE_CONT);
  leave();
}

void CurlMulti::remove_socket(curl_socket_t fd) { sockets_.erase(fd); }

void CurlMulti::act(curl_socket_t fd, int what) {
  ++depth_;
  int running = 0;
  curl_multi_socket_action(multi_, fd, what, &running);
  leave();
}

void CurlMulti::leave() {
  if (--depth_ != 0) return;
  without_throwing([this] { handlers_.on_idle(); });
  int left = 0;
  while (const auto* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE)
      without_throwing(
          [this, easy = message->easy_handle, code = message->data.result] { handlers_.on_complete(easy, code); });
  }
}

int CurlMulti::on_socket_wanted(CURL*, curl_socket_t fd, int what, void* self, void*) noexcept {
  auto& multi = *static_cast<CurlMulti*>(self);
  if (what == CURL_POLL_REMOVE) {
    multi.sockets_.erase(fd);
    return 0;
  }
  const auto kind = static_cast<short>(EV_PERSIST | ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                                       ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
  try {
    auto& slot = multi.sockets_[fd];
    slot.reset();
    slot.reset(event_new(multi.loop_.base(), fd, kind, on_socket_ready, &multi));
    return slot && event_add(slot.get(), nullptr) == 0 ? 0 : -1;
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
    return -1;
  }
}

int CurlMulti::on_timer_wanted(CURLM*, long timeout_ms, void* self) noexcept {
  auto& multi = *static_cast<CurlMulti*>(self);
  if (timeout_ms < 0) {
    event_del(multi.timer_.get());
    return 0;
  }
  const timeval wait{timeout_ms / 1000, (timeout_ms % 1000) * 1000};
  return event_add(multi.timer_.get(), &wait) == 0 ? 0 : -1;
}

void CurlMulti::on_socket_ready(int fd, short what, void* self) noexcept {
  const int ready = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
  static_cast<CurlMulti*>(self)->act(fd, ready);
}

void CurlMulti::on_time(int, short, void* self) noexcept { static_cast<CurlMulti*>(self)->act(CURL_SOCKET_TIMEOUT, 0); }

}  // namespace tribune::net
