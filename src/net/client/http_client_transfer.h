#pragma once
// One fetch of the client, from its URL to its last byte; it receives libcurl's callbacks. Internal to net/.
//
// States
//   resolving   waits for the host's addresses                              (set_uri)
//   queued      waits for a free connection                                 (DnsCache)
//   connecting  libcurl opens a connection                                  (libcurl)
//   sent        the request is sent; waits for the head                     (libcurl)
//   receiving   on_head ran; the body arrives, or is paused                 (libcurl, resume)
//   draining    libcurl is done; decoded bytes wait for resume()            (libcurl)
// A redirect leads from `sent` back to `resolving`. A deadline, an error or a cancellation ends the fetch in any state.

#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>

#include "base/memory.h"
#include "net/client/dns_cache.h"
#include "net/client/gunzip.h"
#include "net/client/http_client.h"
#include "net/client/response_framing_validator.h"

namespace tribune::net {

class CurlClient;
class Transfer;

/// The caller's handle of a transfer. Owned by one worker.
class FetchToken final : public Fetch {
 public:
  explicit FetchToken(Transfer* transfer) : transfer_(transfer) {}
  ~FetchToken() override;
  void resume() override;

 private:
  friend class CurlClient;
  Transfer* transfer_;  // nullptr when it has ended
};

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// Owned by one worker; its owner is CurlClient.
class Transfer {
 public:
  enum class State { resolving, queued, connecting, sent, receiving, draining };

  Transfer(CurlClient& client, FetchRequest request, FetchHandlers handlers)
      : client_(client), request_(std::move(request)), handlers_(std::move(handlers)), validator_(request_.method) {}
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Parses the URL, checks it against the policy and resolves its host.
  void begin();
  /// Makes the libcurl handle for this hop; the client adds it.
  CURL* make_easy();
  void on_complete(CURLcode);
  /// Ends the fetch with an error, from outside of libcurl.
  void fail(base::Error);
  void resume();
  void cancel();

 private:
  friend class CurlClient;

  void set_uri(const http::Uri&);
  void on_addresses(const DnsCache::Addresses&);
  void follow_redirect();
  void fail_later(base::Error);
  void arm(std::chrono::milliseconds, std::string what);
  void watch_speed();
  void on_resume();

  std::string method_name() const;
  void set_method(CURL*);
  void set_fields(CURL*);
  void set_addresses(CURL*);
  void set_callbacks(CURL*);

  // libcurl's callbacks.
  static std::size_t on_header(char* data, std::size_t, std::size_t count, void* self) noexcept;
  static std::size_t on_body(char* data, std::size_t, std::size_t count, void* self) noexcept;
  static curl_socket_t on_open_socket(void* self, curlsocktype, curl_sockaddr*) noexcept;
  static int on_close_socket(void* client, curl_socket_t) noexcept;
  static int on_ready_to_send(void* self, char* remote, char* local, int remote_port, int local_port) noexcept;
  static int on_debug(CURL*, curl_infotype, char*, std::size_t count, void* self) noexcept;
  /// The result of `call`, or `failed` when memory is exhausted: nothing may throw through libcurl.
  template <class Value, class Call>
  Value or_out_of_memory(Value failed, Call call) noexcept {
    try {
      return call();
    } catch (const std::bad_alloc&) {
      base::Memory::of_process().gave_up_work();
      return failed;
    }
  }
  std::size_t take_line(std::string_view line);
  curl_socket_t open_socket(const curl_sockaddr&);
  int ready_to_send(const char* remote, int remote_port, int local_port);
  base::Status take_head();
  base::Result<bool> take_redirect();
  base::Status choose_decoder();
  std::size_t take_body(std::string_view bytes);
  std::size_t take_gzip(std::string_view bytes);
  /// Delivers decoded pieces until the callback pauses, the input ends or an error occurs.
  base::Result<Flow> deliver_decoded();
  base::Result<Flow> deliver(std::string_view bytes);

  base::Status verdict(CURLcode);
  base::Error error_of(CURLcode) const;
  /// Checks for bytes beyond the announced length, received or in the kernel. Called when the last body byte has
  /// arrived.
  void check_for_excess();
  void on_excess();
  bool has_unread_bytes() const;
  void watch_stall();
  /// Reads the HTTP version of the connection from the request line that libcurl sends.
  void note_sent(std::string_view bytes);
  base::Status take_interim();
  /// Makes libcurl use another connection when the origin has sent bytes on this one before the request. False, with
  /// refusal_ set, when it has sent more than this function drops (1 MiB).
  bool avoid_connection_with_unread_bytes();
  base::Status decoded_whole() const;
  base::Error error(base::ErrorKind, bool may_retry, std::string_view what) const;
  bool is_safe_to_repeat() const;

  CurlClient& client_;
  FetchRequest request_;
  FetchHandlers handlers_;
  FetchToken* token_ = nullptr;
  State state_ = State::resolving;
  bool is_cancelled_ = false;  // inside libcurl; destroyed when libcurl has returned
  bool is_added_ = false;
  bool holds_slot_ = false;  // counts against the connection limits

  http::Uri uri_;
  std::string origin_;  // the client counts the transfer for it
  int redirects_ = 0;
  DnsCache::Wait look_up_;
  DnsCache::Addresses addresses_;

  std::unique_ptr<CURL, FreeEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> fields_;
  std::unique_ptr<curl_slist, FreeList> resolve_;
  char error_text_[CURL_ERROR_SIZE] = {};
  ResponseFramingValidator validator_;
  std::optional<base::Error> refusal_;  // set inside a callback, reported at the end
  std::optional<http::Uri> redirect_to_;
  std::optional<Gunzip> gunzip_;
  std::string undelivered_;  // a decoded piece that the callback did not accept
  std::uint64_t delivered_bytes_ = 0;
  std::uint64_t raw_body_bytes_ = 0;
  int fd_ = -1;  // libcurl owns it
  bool has_excess_bytes_ = false;
  std::string sent_line_;          // the end of the request line, as far as it is sent
  bool is_version_known_ = false;  // the whole request line was sent
  bool is_paused_ = false;
  std::uint64_t window_bytes_ = 0;  // since the low-speed window began

  Timer deadline_;  // of the current state
  Timer stall_;
  Timer total_;
  Timer deferred_failure_;  // for errors that must not be reported inside the caller's call
  Timer resume_;
  std::chrono::milliseconds resolving_took_{0};
  base::SteadyTime resolving_began_{};
  base::SteadyTime sent_at_{};
};

}  // namespace tribune::net
