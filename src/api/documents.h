#pragma once
// The JSON documents of the API. Pure functions; the documents depend on the configuration at most, so each is created
// once per configuration.

#include <string>
#include <string_view>

#include "api/api_settings.h"

namespace tribune::api {

/// Where players find the channel: an absolute URL, or a path when api.balancer_url is empty.
std::string playback_url(const ApiSettings&, std::string_view channel);

/// GET /api/v1/caches without a channel: {"caches": [{id, url, ping_url}]}
std::string caches_document(const ApiSettings&);

/// GET /api/v1/openapi.json: the text of src/api/openapi.json, which describes all routes of this role. CMake makes the
/// definition from that file.
std::string_view openapi_document();

}  // namespace tribune::api
