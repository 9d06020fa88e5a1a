#include "cache_node/objects/object.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

namespace tribune::cache_node {

namespace {

/// The media types that packagers send; the first one stands for a type that is written out.
constexpr std::array<std::string_view, 12> kMediaTypes = {"",
                                                          "video/mp2t",
                                                          "video/mp4",
                                                          "audio/mp4",
                                                          "video/iso.segment",
                                                          "audio/aac",
                                                          "text/vtt",
                                                          "application/octet-stream",
                                                          "application/mp4",
                                                          "audio/mpeg",
                                                          "video/MP2T",
                                                          "image/jpeg"};

constexpr std::string_view kMadeEtag =
    "\"t-";  // compared first: formatting a whole tag costs more than the rest of a record

std::uint8_t known_type(std::string_view type) {
  const auto found = std::find(kMediaTypes.begin() + 1, kMediaTypes.end(), type);
  return found == kMediaTypes.end() ? 0 : static_cast<std::uint8_t>(found - kMediaTypes.begin());
}

char* put(char* at, std::string_view text) {
  const auto size = static_cast<std::uint16_t>(text.size());
  std::memcpy(at, &size, sizeof size);
  return std::copy(text.begin(), text.end(), at + sizeof size);  // an empty text may have no bytes to point at
}

std::string take(const char*& at) {
  std::uint16_t size = 0;
  std::memcpy(&size, at, sizeof size);
  std::string text(at + sizeof size, size);
  at += sizeof size + size;
  return text;
}

}  // namespace

std::string etag_of_body(std::uint64_t sum, std::uint64_t size) {
  return fmt::format("{}{:016x}-{:x}\"", kMadeEtag, sum, size);
}

void Object::set_head(const ObjectHead& head) {
  const bool fits = head.last_modified > 0 && head.last_modified <= std::numeric_limits<std::uint32_t>::max();
  last_modified_ = fits ? static_cast<std::uint32_t>(head.last_modified) : 0;
  media_type_ = known_type(head.content_type) & 0x3f;
  made_etag_ = head.etag.starts_with(kMadeEtag) && head.etag == etag_of_body(checksum, size);
  constexpr std::size_t kMost = std::numeric_limits<std::uint16_t>::max();
  const auto etag = made_etag_ ? std::string_view() : std::string_view(head.etag).substr(0, kMost);
  const auto type = media_type_ != 0 ? std::string_view() : std::string_view(head.content_type).substr(0, kMost);
  const auto tags = std::string_view(head.tags).substr(0, kMost);
  has_tags_ = !tags.empty();
  has_terms_ = !head.terms.empty();
  const auto& terms = head.terms;
  texts_.reset();
  if (etag.empty() && !has_tags_ && !has_terms_ && (media_type_ != 0 || type.empty())) return;
  auto texts = std::make_unique<char[]>(
      etag.size() + 2 + (has_tags_ ? tags.size() + 2 : 0) + (media_type_ == 0 ? type.size() + 2 : 0) +
      (has_terms_ ? terms.cache_control.size() + terms.cdn_cache_control.size() + 4 + sizeof(std::uint32_t) : 0));
  char* end = put(texts.get(), etag);
  if (has_tags_) end = put(end, tags);
  if (has_terms_) {
    const auto age = static_cast<std::uint32_t>(terms.age.count());
    end = put(put(end, terms.cache_control), terms.cdn_cache_control);
    std::memcpy(end, &age, sizeof age);
    end += sizeof age;
  }
  if (media_type_ == 0) put(end, type);
  texts_ = std::move(texts);
}

ObjectHead Object::head() const {
  ObjectHead head;
  head.last_modified = last_modified_ == 0 ? -1 : static_cast<std::int64_t>(last_modified_);
  const char* at = texts_.get();
  if (at) head.etag = take(at);
  if (has_tags_) head.tags = take(at);
  if (has_terms_) {
    head.terms.cache_control = take(at);
    head.terms.cdn_cache_control = take(at);
    std::uint32_t age = 0;
    std::memcpy(&age, at, sizeof age);
    at += sizeof age;
    head.terms.age = std::chrono::seconds(age);
  }
  if (made_etag_) head.etag = etag_of_body(checksum, size);
  head.content_type = media_type_ != 0 ? std::string(kMediaTypes[media_type_]) : at ? take(at) : "";
  return head;
}

std::shared_ptr<Object> Object::with_head(const ObjectHead& head) const {
  auto other = std::make_shared<Object>();
  other->id = id;
  other->size = size;
  other->checksum = checksum;
  other->generation = generation;
  other->stored = stored.load();
  other->verified = verified.load();
  other->stale = stale.load();
  other->set_head(head);
  return other;
}

}  // namespace tribune::cache_node
