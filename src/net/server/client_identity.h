#pragma once
// The client of one connection, as limits, logs and requests name it: the peer of the socket, or the address that a
// trusted PROXY header or X-Forwarded-For field names. Counts the connection for that address. Owned by one worker; its
// owner is HttpConnection.
//
// States
//   unknown         the socket's peer is not known yet                              (constructor)
//   awaits header   the peer is trusted and must send a PROXY header first          (set_peer)
//   known           the peer, or the client that the PROXY header names             (set_peer, apply_proxy_header)

#include <cstdint>
#include <optional>
#include <string>

#include "http/message.h"
#include "net/client_address.h"
#include "net/server/proxy_protocol.h"
#include "net/server/reject_reason.h"

namespace tribune::net {

class ServerCore;

class ClientIdentity {
 public:
  explicit ClientIdentity(ServerCore& server) : server_(server) {}
  /// Ends the count.
  ~ClientIdentity();
  ClientIdentity(const ClientIdentity&) = delete;
  ClientIdentity& operator=(const ClientIdentity&) = delete;

  void set_peer(const sockaddr*);
  bool awaits_proxy_header() const { return awaits_proxy_header_; }
  /// Replaces the peer by the client that a complete header names. A header that is invalid is taken as absent, and the
  /// connection stays the peer's. Returns why the connection must be rejected, if it must.
  std::optional<RejectReason> apply_proxy_header(const ProxyHeader&);
  /// Counts the connection for its client, unless that is a trusted proxy: then its requests name the clients to count.
  std::optional<RejectReason> count();
  /// For requests of trusted proxies: applies X-Forwarded-For and X-Forwarded-Proto to the request. Returns why the
  /// request must be rejected, if it must.
  std::optional<RejectReason> apply_forwarded_fields(http::Request&);

  const std::string& text() const { return text_; }
  std::uint16_t port() const { return port_; }
  /// Whether the client is a proxy whose statements about its clients are accepted.
  bool is_trusted() const { return is_trusted_; }

 private:
  std::optional<RejectReason> count_for(const IpAddress&);

  ServerCore& server_;
  IpAddress address_;
  std::optional<IpAddress> counted_;  // the address that the connection counts for
  std::string text_;                  // of address_
  std::uint16_t port_ = 0;
  bool awaits_proxy_header_ = false;
  bool is_trusted_ = false;
};

}  // namespace tribune::net
