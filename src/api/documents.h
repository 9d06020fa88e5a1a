#pragma once
// The JSON documents of the API. Pure functions; the documents depend on the configuration only, so each is created
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

/// GET /api/v1/openapi.json: the OpenAPI 3.1 description of all routes of this role.
std::string openapi_document(std::string_view version);

}  // namespace tribune::api
