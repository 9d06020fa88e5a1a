#include "net/client/http_client.h"

namespace tribune::net {

using namespace std::chrono_literals;

const config::Section<ClientSettings>& client_section() {
  static const auto section =
      config::Section<ClientSettings>(
          "client", "Fetching from origins, peers and balancers; for each worker. A change needs a restart.")
          .whole("max_connections", &ClientSettings::max_connections, {1, 100'000},
                 "Transfers under way at once; more wait their turn, origins taking turns.")
          .whole("max_connections_per_origin", &ClientSettings::max_connections_per_origin, {1, 10'000},
                 "Transfers under way at once to one origin.")
          .duration("keep_idle", &ClientSettings::keep_idle, {0ms, 1h}, "How long a kept connection may stay unused.")
          .duration("max_connection_age", &ClientSettings::max_connection_age, {1s, 24h},
                    "How long a connection is kept at all, however busy it is, so that a host name that moves to other "
                    "addresses is followed. An HTTP/2 "
                    "connection is given up when it has no request under way.")
          .duration("names_fresh", &ClientSettings::names_fresh, {0ms, 1h},
                    "How long the addresses of a host name are used without asking again. When asking fails, the last "
                    "good ones stay in use.")
          .text("ca_file", &ClientSettings::ca_file,
                "Certificates (PEM) of the authorities that are trusted for https, instead of the system's. Origins "
                "that speak "
                "HTTP/2 over TLS are asked by it.");
  return section;
}

}  // namespace tribune::net
