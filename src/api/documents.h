#pragma once
// What the API answers, as JSON. Pure functions; the documents change with the configuration only, so each is made
// once.

#include <string>
#include <string_view>

#include "api/api_settings.h"
#include "contracts/event.h"

namespace tribune::api {

/// GET /api/v1/channels: {"channels": [{id, title, playback_url}]}
std::string channels_document(const contracts::Event&, const ApiSettings&);

/// GET /api/v1/caches: {"caches": [{id, url, ping_url}]}
std::string caches_document(const ApiSettings&);

/// GET /api/v1/openapi.json: OpenAPI 3.1 of all that this role answers.
std::string openapi_document(std::string_view version);

}  // namespace tribune::api
