#include "http/cmsd.h"

#include "http/structured_field.h"

namespace tribune::http {

std::optional<char> cmsd_object_type(std::string_view path) {
  const auto dot = path.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto end = path.substr(dot + 1);
  const auto is = [end](auto... names) { return ((end == names) || ...); };
  if (is("m3u8", "m3u")) return 'm';
  if (is("aac", "m4a", "mp3", "ac3", "ec3")) return 'a';
  if (is("vtt", "webvtt")) return 'c';
  if (is("key")) return 'k';
  return std::nullopt;
}

std::string cmsd_static(std::string_view server, std::optional<char> object_type) {
  auto out = StructuredFieldWriter::dictionary();
  if (object_type) out.token("ot", {&*object_type, 1});
  return out.token("sf", "h").string("n", server).take();
}

std::string cmsd_dynamic(std::string_view server, const CmsdDynamic& dynamic) {
  auto out = StructuredFieldWriter::parameters_of(string_item(server));
  if (dynamic.duress) out.flag("du");
  if (dynamic.max_kbps) out.integer("mb", *dynamic.max_kbps);
  return out.take();
}

}  // namespace tribune::http
