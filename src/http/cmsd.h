#pragma once
// What a server says of itself and of an object beside its answer: Common Media Server Data (CTA-5006), in the fields
// CMSD-Static and CMSD-Dynamic, which are structured fields (RFC 9651). Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tribune::http {

/// The key `ot` of an object of HLS, by the end of its path: m (playlist), a (audio alone), c (captions, subtitles), k
/// (key). Nothing where the name leaves it open, as for .ts, .m4s and .mp4: what is not known must not be said.
std::optional<char> cmsd_object_type(std::string_view path);

/// `ot=a,sf=h,n="stadium"`: holds for the object, wherever it is cached.
std::string cmsd_static(std::string_view server, std::optional<char> object_type);

/// What holds for one answer of one server.
struct CmsdDynamic {
  bool duress = false;                    // du: the server is short of what it serves with
  std::optional<std::uint32_t> max_kbps;  // mb: the bit rate that a player should not go beyond
};

/// `"stadium";du;mb=2500`
std::string cmsd_dynamic(std::string_view server, const CmsdDynamic&);

}  // namespace tribune::http
