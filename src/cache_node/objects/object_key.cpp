#include "cache_node/objects/object_key.h"

#include "base/encoding.h"
#include "base/signing.h"

namespace tribune::cache_node {

std::string ObjectId::hex() const { return base::to_hex(view()); }

ObjectKey object_key(std::string_view text) {
  ObjectKey key;
  key.text = text;
  const auto digest = base::sha256(text);
  std::memcpy(key.id.bytes.data(), digest.data(), key.id.bytes.size());
  return key;
}

std::string object_text(const contracts::Link& link) {
  std::string text;
  text.reserve(link.channel.size() + link.epoch.size() + link.path.size() + link.origin_query.size() + 3);
  text.append(link.channel).append("/").append(link.epoch).append("/").append(link.path);
  if (!link.origin_query.empty()) text.append("?").append(link.origin_query);
  return text;
}

ObjectKey object_key(const contracts::Link& link) { return object_key(object_text(link)); }

}  // namespace tribune::cache_node
