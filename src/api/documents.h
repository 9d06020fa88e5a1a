#pragma once
// The JSON documents of the API. Pure functions; the documents depend on the configuration at most, so each is created
// once per configuration.

#include <string>
#include <string_view>

#include "api/api_settings.h"
#include "contracts/event.h"

namespace tribune::api {

/// GET /api/v1/channels: {"channels": [{id, title, playback_url}]}
std::string channels_document(const contracts::Event&, const ApiSettings&);

/// GET /api/v1/caches: {"caches": [{id, url, ping_url}]}
std::string caches_document(const ApiSettings&);

/// GET /api/v1/openapi.json: the text of src/api/openapi.json, which describes all routes of this role. CMake makes the
/// definition from that file.
std::string_view openapi_document();

}  // namespace tribune::api
