#pragma once
// The signature of the bodies that nodes, balancers and operators exchange over HTTP. Pure functions.

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/signing.h"

namespace tribune::contracts {

/// The header that signs a body: "X-Tribune-Signature: {key id}.{unix ms}.{mac}". The MAC covers the
/// purpose, the context (method and path), the time and the body.
inline constexpr std::string_view kSignatureHeader = "X-Tribune-Signature";

/// Empty when the ring cannot sign.
std::string sign_body(const base::KeyRing&, std::string_view context, std::string_view body, base::WallTime now);
/// Errors: forbidden for a signature that is missing, forged or damaged, or was made more than `skew` before or after
/// `now`.
base::Status verify_body(const base::KeyRing&, std::string_view context, std::string_view body, std::string_view header,
                         base::WallTime now, std::chrono::milliseconds skew);

}  // namespace tribune::contracts
