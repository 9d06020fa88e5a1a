// Parsing common to both kinds of playlist: bounds, lines, the table of tags, and the detection of the kind.

#include <fmt/format.h>

#include <array>

#include "base/bytes.h"
#include "hls/numbers.h"
#include "hls/parser.h"
#include "hls/text.h"

namespace tribune::hls {

struct Parser::TagType {
  std::string_view name;
  Side side;
  bool has_attributes;
  OnFlaw on_flaw;
  base::Status (Parser::*read)();
};

const Parser::TagType* Parser::tag_type(std::string_view name) {
  constexpr auto any = Side::unknown;
  constexpr auto media = Side::media;
  constexpr auto multi = Side::multivariant;
  constexpr auto refuse = OnFlaw::refuse;
  constexpr auto drop = OnFlaw::drop;
  constexpr auto salvage = OnFlaw::salvage;
  static constexpr std::array kTags{
      TagType{"EXTINF", media, false, refuse, &Parser::read_inf},
      TagType{"EXT-X-PART", media, true, refuse, &Parser::read_part},
      TagType{"EXT-X-PROGRAM-DATE-TIME", media, false, refuse, &Parser::read_program_date_time},
      TagType{"EXT-X-BYTERANGE", media, false, refuse, &Parser::read_byte_range},
      TagType{"EXT-X-DISCONTINUITY", media, false, refuse, &Parser::read_discontinuity},
      TagType{"EXT-X-KEY", media, true, refuse, &Parser::read_key},
      TagType{"EXT-X-MAP", media, true, refuse, &Parser::read_map},
      TagType{"EXT-X-GAP", media, false, refuse, &Parser::read_gap},
      TagType{"EXT-X-DATERANGE", any, true, drop, &Parser::read_date_range},
      TagType{"EXT-X-PRELOAD-HINT", media, true, drop, &Parser::read_preload_hint},
      TagType{"EXT-X-RENDITION-REPORT", media, true, drop, &Parser::read_rendition_report},
      TagType{"EXT-X-SKIP", media, false, refuse, &Parser::read_skip},
      TagType{"EXT-X-TARGETDURATION", media, false, drop, &Parser::read_target_duration},
      TagType{"EXT-X-MEDIA-SEQUENCE", media, false, refuse, &Parser::read_media_sequence},
      TagType{"EXT-X-DISCONTINUITY-SEQUENCE", media, false, refuse, &Parser::read_discontinuity_sequence},
      TagType{"EXT-X-ENDLIST", media, false, refuse, &Parser::read_end_list},
      TagType{"EXT-X-PLAYLIST-TYPE", media, false, refuse, &Parser::read_playlist_type},
      TagType{"EXT-X-I-FRAMES-ONLY", media, false, refuse, &Parser::read_media_tag},
      TagType{"EXT-X-PART-INF", media, true, drop, &Parser::read_part_inf},
      TagType{"EXT-X-SERVER-CONTROL", media, true, salvage, &Parser::read_server_control},
      TagType{"EXT-X-STREAM-INF", multi, true, salvage, &Parser::read_stream_inf},
      TagType{"EXT-X-I-FRAME-STREAM-INF", multi, true, drop, &Parser::read_i_frame_stream_inf},
      TagType{"EXT-X-IMAGE-STREAM-INF", multi, true, drop, &Parser::read_image_stream_inf},
      TagType{"EXT-X-MEDIA", multi, true, salvage, &Parser::read_media},
      TagType{"EXT-X-SESSION-DATA", multi, true, drop, &Parser::read_session_data},
      TagType{"EXT-X-SESSION-KEY", multi, true, drop, &Parser::read_session_key},
      TagType{"EXT-X-CONTENT-STEERING", multi, true, drop, &Parser::read_content_steering},
      TagType{"EXT-X-DEFINE", any, true, refuse, &Parser::read_define},
      TagType{"EXT-X-VERSION", any, false, drop, &Parser::read_version},
  };
  for (const auto& type : kTags)
    if (type.name == name) return &type;
  return nullptr;
}

bool leads_to_playlist(UriKind kind) {
  switch (kind) {
    case UriKind::variant:
    case UriKind::iframe_variant:
    case UriKind::image_variant:
    case UriKind::rendition:
    case UriKind::rendition_report:
    case UriKind::asset_uri: return true;
    default: return false;
  }
}

base::Result<Playlist> parse(std::string_view text, const Context& context) { return Parser(context).run(text); }

base::Result<Playlist> Parser::run(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) {
    if (auto fine = note(Flaw::byte_order_mark, 0, wrong("a byte order mark precedes #EXTM3U").value()); !fine)
      return tl::unexpected(fine.error());
    text.remove_prefix(kByteOrderMark.size());
  }
  if (auto fine = check_shape(text, context_.limits); !fine) return tl::unexpected(fine.error());
  auto kept = std::make_shared<const std::string>(text);
  auto lines = split_lines(*kept, context_.limits);
  if (!lines) return tl::unexpected(lines.error());
  out_.texts.push_back(std::move(kept));
  out_.lines = std::move(*lines);
  if (auto fine = check_bytes(); !fine) return tl::unexpected(fine.error());
  find_side();
  for (line_ = 1; line_ < out_.lines.size(); ++line_)
    if (auto fine = read_line(out_.lines[line_].text); !fine) return tl::unexpected(fine.error());
  if (auto fine = finish(); !fine) return tl::unexpected(fine.error());
  out_.variables = variables_.take();
  return std::move(out_);
}

tl::unexpected<base::Error> Parser::wrong(std::string_view what) const { return playlist_error(line_, what); }

base::Status Parser::read_line(std::string_view line) {
  if (line.empty()) return {};
  if (line[0] == '#') return line.substr(0, 4) == "#EXT" ? read_tag(line) : base::Status{};
  const auto content = base::trimmed(line);
  if (content.empty() || content[0] == '#') return {};
  switch (side_) {
    case Side::media: return read_segment_uri(line);
    case Side::multivariant:
      if (!variant_pending_) return {};  // ignored, as players do
      variant_pending_ = false;
      if (auto fine = add_uri_line(UriKind::variant, line); !fine) return fine;
      out_.uris.back().bandwidth_bps = bandwidth_bps_;
      return {};
    case Side::unknown: break;
  }
  return wrong("a URI precedes all tags that define its kind");
}

base::Status Parser::read_tag(std::string_view line) {
  const auto colon = line.find(':');
  const auto* type = tag_type(base::trimmed(line.substr(1, colon == std::string_view::npos ? colon : colon - 1)));
  if (!type) return {};
  const auto side = side_;
  if (auto fine = choose(*type); !fine || out_.lines[line_].text.empty()) return fine;
  take_value();
  const auto uris = out_.uris.size(), numbers = out_.numbers.size();
  auto fine = read_known_tag(*type);
  if (fine || type->on_flaw == OnFlaw::refuse || fine.error().kind == base::ErrorKind::too_large) return fine;
  out_.uris.resize(uris);
  out_.numbers.resize(numbers);
  side_ = side;  // a dropped tag does not determine the kind of playlist
  if (auto noted = note(Flaw::tag, line_, std::move(fine.error())); !noted) return noted;
  out_.lines[line_].text = {};
  return {};
}

void Parser::take_value() {
  const auto line = out_.lines[line_].text;
  const auto colon = line.find(':');
  value_begin_ = static_cast<std::uint32_t>(colon == std::string_view::npos ? line.size() : colon + 1);
  value_ = line.substr(value_begin_);
}

base::Status Parser::read_known_tag(const TagType& type) {
  if (type.has_attributes) {
    const auto problem = read_attributes(out_.lines[line_].text, value_begin_, attributes_);
    if (problem && type.on_flaw != OnFlaw::salvage) return wrong(*problem);
    if (problem)
      if (auto fine = salvage(*problem); !fine) return fine;
  }
  return (this->*type.read)();
}

// Players ignore tags of the other kind of playlist, except those that determine the kind.
base::Status Parser::choose(const TagType& type) {
  if (type.side == Side::unknown) return {};
  if (side_ == Side::unknown) side_ = type.side;
  if (side_ == type.side) return {};
  constexpr std::string_view kMixed = "tags of media playlists and of multivariant playlists are mixed";
  if (type.name == "EXTINF" || type.name == "EXT-X-STREAM-INF") return wrong(kMixed);
  return drop(Flaw::misplaced_tag, line_, kMixed);
}

base::Status Parser::add_uri(UriKind kind, std::string_view attribute_name) {
  const bool on_media_side = side_ == Side::media;
  for (const auto& attribute : attributes_) {
    if (attribute.name != attribute_name) continue;
    auto uri = variables_.substitute(line_, attribute.value);
    if (!uri) return tl::unexpected(uri.error());
    UriUse use;
    use.kind = kind;
    use.quoted = attribute.quoted;
    use.line = line_;
    use.begin = attribute.begin;
    use.length = static_cast<std::uint32_t>(attribute.value.size());
    use.msn = on_media_side ? current_msn() : -1;
    use.uri = std::move(*uri);
    out_.uris.push_back(std::move(use));
  }
  return {};
}

base::Status Parser::add_uri_line(UriKind kind, std::string_view line) {
  const auto text = base::trimmed(line);
  auto uri = variables_.substitute(line_, text);
  if (!uri) return tl::unexpected(uri.error());
  // Such a line would be written as an empty line or a comment. As a reference it is the playlist itself (RFC 3986
  // section 4.4).
  if (const auto reference = base::trimmed(*uri); reference.empty() || reference.front() == '#')
    return wrong("the variables make the URI a reference to the playlist itself");
  UriUse use;
  use.kind = kind;
  use.line = line_;
  use.begin = static_cast<std::uint32_t>(text.data() - line.data());
  use.length = static_cast<std::uint32_t>(text.size());
  use.msn = side_ == Side::media ? current_msn() : -1;
  use.uri = std::move(*uri);
  out_.uris.push_back(std::move(use));
  return {};
}

base::Result<std::string> Parser::value_of(std::string_view attribute_name) {
  const auto* attribute = find(attributes_, attribute_name);
  if (!attribute) return std::string();
  return variables_.substitute(line_, attribute->value);
}

base::Status Parser::read_define() { return variables_.define(line_, attributes_); }

base::Status Parser::read_version() {
  const auto version = read_integer(base::trimmed(value_));
  if (!version) return wrong("EXT-X-VERSION is not a number");
  out_.version = *version;
  return {};
}

base::Status Parser::read_date_range() {
  for (const auto& [kind, name] :
       {std::pair{UriKind::asset_uri, "X-ASSET-URI"}, std::pair{UriKind::asset_list, "X-ASSET-LIST"},
        std::pair{UriKind::daterange_uri, "X-URI"}})
    if (auto fine = add_uri(kind, name); !fine) return fine;
  return {};
}

// The remaining text must parse as a playlist of the same kind.
base::Status Parser::check_what_is_left() {
  const auto side = side_of_tags();
  if (side == side_) return {};
  for (line_ = 1; side == Side::unknown && line_ < out_.lines.size(); ++line_) {
    const auto content = base::trimmed(out_.lines[line_].text);
    if (content.empty() || (content[0] == '#' && !content.starts_with("#EXT"))) continue;
    if (content[0] != '#') break;
    const auto* type = tag_type(base::trimmed(content.substr(1, std::min(content.find(':'), content.size()) - 1)));
    if (!type || type->side == Side::unknown) continue;
    if (type->side == side_) return {};
    break;
  }
  return wrong("the playlist is not valid after its malformed lines are dropped");
}

base::Status Parser::finish() {
  line_ = static_cast<std::uint32_t>(out_.lines.size() - 1);
  if (side_ != Side::unknown) {
    auto finished = side_ == Side::media ? finish_media() : finish_multivariant();
    return finished && !out_.flaws.empty() ? check_what_is_left() : finished;
  }
  return wrong("neither a media playlist nor a multivariant playlist: it has no tag of either");
}

}  // namespace tribune::hls
