#include "net/client/http_client.h"

namespace tribune::net {

using namespace std::chrono_literals;

const config::Section<ClientSettings>& client_section() {
  static const auto section =
      config::Section<ClientSettings>("client",
                                      "The HTTP client for requests to origins, peers and balancers; all limits apply "
                                      "to each worker separately. A change needs a restart.")
          .whole("max_connections", &ClientSettings::max_connections, {1, 100'000},
                 "Maximum number of concurrent transfers. Further transfers are queued; the origins take turns.")
          .whole("max_connections_per_origin", &ClientSettings::max_connections_per_origin, {1, 10'000},
                 "Maximum number of concurrent transfers to one origin.")
          .duration("keep_idle", &ClientSettings::keep_idle, {0ms, 1h},
                    "Time for which an idle connection is kept open for reuse.")
          .duration("max_connection_age", &ClientSettings::max_connection_age, {1s, 24h},
                    "Maximum age of a connection, regardless of its use, so that a change of the addresses of a host "
                    "name takes effect. An HTTP/2 connection is closed once it has no request in progress.")
          .duration("names_fresh", &ClientSettings::names_fresh, {0ms, 1h},
                    "Time for which the resolved addresses of a host name are used without a new DNS query. When a "
                    "query fails, the last valid addresses stay in use.")
          .text("ca_file", &ClientSettings::ca_file,
                "File with the certificates (PEM) of the certificate authorities that are trusted for https, instead "
                "of those of the system. Origins that support HTTP/2 over TLS are requested over HTTP/2.");
  return section;
}

}  // namespace tribune::net
