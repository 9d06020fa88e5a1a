#include "cache_node/index_records.h"

#include <cstring>

#include "cache_node/checksum.h"

namespace tribune::cache_node {

namespace {

constexpr char kVersion = 2;
constexpr char kVersionWithTerms = 3;   // the same, and the origin's terms behind the tags

template <class N>
void add(std::string& out, N number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  out.append(bytes, sizeof bytes);
}

void add_text(std::string& out, std::string_view text) {
  add(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

/// Takes fields from the front; once one is missing, all that follow are.
class Reader {
 public:
  explicit Reader(std::string_view left) : left_(left) {}
  template <class N>
  N number() {
    N value{};
    if (left_.size() < sizeof value) return failed(value);
    std::memcpy(&value, left_.data(), sizeof value);
    left_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view text() {
    const auto size = number<std::uint32_t>();
    if (left_.size() < size) return failed(std::string_view());
    const auto value = left_.substr(0, size);
    left_.remove_prefix(size);
    return value;
  }
  bool complete() const { return !failed_ && left_.empty(); }

 private:
  template <class T>
  T failed(T value) {
    failed_ = true;
    left_ = {};
    return value;
  }
  std::string_view left_;
  bool failed_ = false;
};

}  // namespace

std::string write_record(const Object& object, std::string_view key_text) {
  const auto head = object.head();
  std::string out;
  out.reserve(96 + head.content_type.size() + head.etag.size() + key_text.size() + head.tags.size());
  out.push_back(object.has_terms() ? kVersionWithTerms : kVersion);
  add(out, object.generation);
  add(out, object.size);
  add(out, object.checksum);
  add(out, object.stored.load());
  add(out, static_cast<char>(object.stale.load()));
  add(out, head.last_modified);
  add_text(out, head.content_type);
  add_text(out, head.etag);
  add_text(out, head.tags);
  if (object.has_terms()) {
    add_text(out, head.terms.cache_control);
    add_text(out, head.terms.cdn_cache_control);
    add(out, static_cast<std::uint32_t>(head.terms.age.count()));
  }
  add_text(out, key_text);
  add(out, checksum(out));
  return out;
}

std::optional<ReadRecord> read_record(std::string_view id, std::string_view record) {
  ReadRecord read;
  read.object = std::make_shared<Object>();
  Object& object = *read.object;
  if (id.size() != object.id.bytes.size() || record.size() < sizeof(std::uint64_t)) return std::nullopt;
  std::memcpy(object.id.bytes.data(), id.data(), id.size());
  const auto body = record.substr(0, record.size() - sizeof(std::uint64_t));
  if (Reader(record.substr(body.size())).number<std::uint64_t>() != checksum(body)) return std::nullopt;
  Reader reader(body);
  const auto version = reader.number<char>();
  if (version != kVersion && version != kVersionWithTerms) return std::nullopt;
  object.generation = reader.number<std::uint32_t>();
  object.size = reader.number<std::uint64_t>();
  object.checksum = reader.number<std::uint64_t>();
  object.stored = reader.number<std::uint32_t>();
  object.stale = reader.number<char>() != 0;
  ObjectHead head;
  head.last_modified = reader.number<std::int64_t>();
  head.content_type = reader.text();
  head.etag = reader.text();
  head.tags = reader.text();
  if (version == kVersionWithTerms) {
    head.terms.cache_control = reader.text();
    head.terms.cdn_cache_control = reader.text();
    head.terms.age = std::chrono::seconds(reader.number<std::uint32_t>());
  }
  object.set_head(head);
  read.key_text = reader.text();
  if (!reader.complete()) return std::nullopt;
  return read;
}

}  // namespace tribune::cache_node
