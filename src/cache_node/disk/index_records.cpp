#include "cache_node/disk/index_records.h"

#include <cstring>

#include "cache_node/objects/checksum.h"

namespace tribune::cache_node {

namespace {

constexpr char kVersion = 2;
constexpr char kVersionWithTerms = 3;  // the same, with the origin's terms after the tags
constexpr char kFileVersion = 1;       // version of the records of files in slices

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

/// Reads fields from the front; after a missing field all further ones are missing.
class RecordReader {
 public:
  explicit RecordReader(std::string_view left) : left_(left) {}
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

/// The record without its checksum; nullopt when the checksum does not match.
std::optional<std::string_view> sound_part(std::string_view record) {
  if (record.size() < sizeof(std::uint64_t)) return std::nullopt;
  const auto body = record.substr(0, record.size() - sizeof(std::uint64_t));
  if (RecordReader(record.substr(body.size())).number<std::uint64_t>() != checksum(body)) return std::nullopt;
  return body;
}

void add_texts(std::string& out, const ObjectHead& head) {
  add(out, head.last_modified);
  add_text(out, head.content_type);
  add_text(out, head.etag);
  add_text(out, head.tags);
}

void add_terms(std::string& out, const http::Terms& terms) {
  add_text(out, terms.cache_control);
  add_text(out, terms.cdn_cache_control);
  add(out, static_cast<std::uint32_t>(terms.age.count()));
}

ObjectHead read_texts(RecordReader& reader) {
  ObjectHead head;
  head.last_modified = reader.number<std::int64_t>();
  head.content_type = reader.text();
  head.etag = reader.text();
  head.tags = reader.text();
  return head;
}

http::Terms read_terms(RecordReader& reader) {
  http::Terms terms;
  terms.cache_control = reader.text();
  terms.cdn_cache_control = reader.text();
  terms.age = std::chrono::seconds(reader.number<std::uint32_t>());
  return terms;
}

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
  add_texts(out, head);
  if (object.has_terms()) add_terms(out, head.terms);
  add_text(out, key_text);
  add(out, checksum(out));
  return out;
}

std::optional<ReadRecord> read_record(std::string_view id, std::string_view record) {
  ReadRecord read;
  read.object = std::make_shared<Object>();
  Object& object = *read.object;
  const auto body = sound_part(record);
  if (id.size() != object.id.bytes.size() || !body) return std::nullopt;
  std::memcpy(object.id.bytes.data(), id.data(), id.size());
  RecordReader reader(*body);
  const auto version = reader.number<char>();
  if (version != kVersion && version != kVersionWithTerms) return std::nullopt;
  object.generation = reader.number<std::uint32_t>();
  object.size = reader.number<std::uint64_t>();
  object.checksum = reader.number<std::uint64_t>();
  object.stored = reader.number<std::uint32_t>();
  object.stale = reader.number<char>() != 0;
  auto head = read_texts(reader);
  if (version == kVersionWithTerms) head.terms = read_terms(reader);
  object.set_head(head);
  read.key_text = reader.text();
  if (!reader.complete()) return std::nullopt;
  return read;
}

std::string write_file_record(const SlicedFile& file) {
  std::string out;
  out.push_back(kFileVersion);
  add(out, file.size);
  add(out, file.slice_bytes);
  add(out, file.seen);
  add_texts(out, file.head);
  add_terms(out, file.head.terms);
  add_text(out, file.key.text);
  add(out, checksum(out));
  return out;
}

SlicedFilePtr read_file_record(std::string_view id, std::string_view record) {
  const auto body = sound_part(record);
  if (!body) return nullptr;
  RecordReader reader(*body);
  if (reader.number<char>() != kFileVersion) return nullptr;
  auto file = std::make_shared<SlicedFile>();
  file->size = reader.number<std::uint64_t>();
  file->slice_bytes = reader.number<std::uint64_t>();
  file->seen = reader.number<std::int64_t>();
  file->head = read_texts(reader);
  file->head.terms = read_terms(reader);
  file->key = object_key(reader.text());
  if (!reader.complete() || file->size == 0 || file->slice_bytes == 0 || file->key.id.view() != id) return nullptr;
  return file;
}

}  // namespace tribune::cache_node
