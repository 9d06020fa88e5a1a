#include "net/server/client_identity.h"

#include "net/server/http_server_core.h"

namespace tribune::net {

ClientIdentity::~ClientIdentity() {
  if (counted_) server_.connection_limits().leave(*counted_);
}

void ClientIdentity::set_peer(const sockaddr* peer) {
  if (const auto ip = ip_of(peer)) address_ = *ip;
  port_ = port_of(peer);
  text_ = address_.text();
  is_trusted_ = server_.trusted().contains(address_);
  awaits_proxy_header_ = is_trusted_ && server_.requires_proxy_header();
}

std::optional<RejectReason> ClientIdentity::apply_proxy_header(const ProxyHeader& header) {
  awaits_proxy_header_ = false;
  // From here on the connection belongs to the named client, which may send any X-Forwarded-For. A header that names no
  // client does not make that field trustworthy either.
  if (header.state == ProxyHeader::State::complete)
    is_trusted_ = header.client && server_.trusted().contains(*header.client);
  if (!header.client) return std::nullopt;
  address_ = *header.client;
  port_ = header.client_port;
  text_ = address_.text();
  return count();
}

std::optional<RejectReason> ClientIdentity::count() {
  if (is_trusted_) return std::nullopt;
  return count_for(address_);
}

std::optional<RejectReason> ClientIdentity::count_for(const IpAddress& client) {
  if (counted_ && *counted_ == client) return std::nullopt;
  if (counted_) server_.connection_limits().leave(*counted_);
  counted_.reset();
  if (!server_.connection_limits().enter(client, server_.limits().max_connections_per_address))
    return RejectReason::too_many_from_address;
  counted_ = client;
  return std::nullopt;
}

std::optional<RejectReason> ClientIdentity::apply_forwarded_fields(http::Request& request) {
  if (const auto field = request.headers.joined("x-forwarded-for")) {
    if (const auto named = forwarded_client(*field, server_.trusted())) {
      request.client = named->text();
      request.client_port = 0;
      if (const auto reason = count_for(*named)) return reason;
    }
  }
  if (const auto field = request.headers.joined("x-forwarded-proto")) {
    const auto comma = field->rfind(',');
    auto scheme = std::string_view(*field).substr(comma == std::string::npos ? 0 : comma + 1);
    while (!scheme.empty() && scheme.front() == ' ') scheme.remove_prefix(1);
    request.secure = http::equals_ignoring_case(scheme, "https");
  }
  return std::nullopt;
}

}  // namespace tribune::net
