#pragma once
// The data that a server reports with a response about itself and the object: Common Media Server Data (CTA-5006), in
// the fields CMSD-Static and CMSD-Dynamic, which are structured fields (RFC 9651). Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tribune::http {

/// The key `ot` of an object of HLS, by the extension of its path: m (playlist), a (audio only), c (captions,
/// subtitles), k (key). nullopt for ambiguous extensions such as .ts, .m4s and .mp4.
std::optional<char> cmsd_object_type(std::string_view path);

/// `ot=a,sf=h,n="stadium"`: valid for the object in every cache.
std::string cmsd_static(std::string_view server, std::optional<char> object_type);

/// Data that is valid for one response of one server.
struct CmsdDynamic {
  bool duress = false;                    // du: the server is overloaded
  std::optional<std::uint32_t> max_kbps;  // mb: the maximum bit rate that a player should choose
};

/// `"stadium";du;mb=2500`
std::string cmsd_dynamic(std::string_view server, const CmsdDynamic&);

}  // namespace tribune::http
