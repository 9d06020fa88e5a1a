#pragma once
// Whether a connection persists after a response (RFC 9112 section 9.3). A value.

namespace tribune::net {

struct Persistence {
  bool is_http_1_0 = false;     // the version of the request
  bool keep_alive_1_0 = false;  // an HTTP/1.0 client asked to keep the connection
  bool evhttp_closes = false;   // evhttp closes the connection after the response
  bool closes = false;          // this server closes the connection after the response
};

}  // namespace tribune::net
