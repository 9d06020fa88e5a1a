#pragma once
// One setting, described once: the parser, the reference page and the samples read the same description.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tribune::config {

/// An error in a configuration, and its position.
struct Problem {
  std::size_t offset = 0;  // into the text
  std::string key;         // dotted, with indexes: "event.channels[2].source"
  std::string text;        // the error, and the allowed values
};

/// Collects problems while a document is read, so that all of them are reported together.
class Problems {
 public:
  void add(std::size_t offset, std::string_view key, std::string text);
  const std::vector<Problem>& all() const { return all_; }
  bool none() const { return all_.empty(); }

 private:
  std::vector<Problem> all_;
};

/// A key of a former version. Its use is an error whose text gives its current name; the reference page and the samples
/// do not list it.
struct MovedKey {
  std::string name;
  std::string now;  // "the section http_cache", "\"max_bytes\""
};

/// The untyped description of a field, as the reference page prints it.
struct FieldDoc {
  std::string name;
  std::string type;             // "duration", "bytes", "text", "list of text", "section", "list of sections" …
  std::string allowed;          // "10ms to 1h", "direct, redirect or auto"; empty: anything of the type
  std::string default_text;     // as JSON; empty: required
  std::string sample;           // JSON for the sample file; empty: the default
  std::string doc;              // sentences; the RFC section where there is one
  std::vector<FieldDoc> inner;  // of sections and lists of sections
};

}  // namespace tribune::config
