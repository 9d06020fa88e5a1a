#pragma once
// A JSON object with known keys, read into a struct: settings as tables. A struct's default values are the defaults.
//
//   const Section<Limits>& limits_section() {
//     static const Section<Limits> section = Section<Limits>("limits", "Bounds on one client.")
//         .duration("idle_timeout", &Limits::idle_timeout, {100ms, 1h}, "How long …")
//         .bytes("max_head_bytes", &Limits::max_head_bytes, {1_KiB, 1_MiB}, "…");
//     return section;
//   }
//
// Durations are text with a unit ("200ms", "2s", "5min", "1h"), sizes too ("16KiB", "10GiB") or a whole number of
// bytes.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/field.h"

namespace tribune::config {

using Milliseconds = std::chrono::milliseconds;

template <class N>
struct Between {
  N least;
  N most;
};

template <class E>
using Words = std::vector<std::pair<std::string, E>>;

/// Checks a value after parsing; returns the allowed values for an invalid one, and an empty text for a valid one.
using Check = std::function<std::string(const std::string&)>;

// Readers of single values; each adds a problem and returns false for an invalid value.
bool read_flag(const base::json::Value&, std::string_view key, bool& out, Problems&);
bool read_whole(const base::json::Value&, std::string_view key, Between<std::int64_t>, std::int64_t& out, Problems&);
bool read_real(const base::json::Value&, std::string_view key, Between<double>, double& out, Problems&);
bool read_duration(const base::json::Value&, std::string_view key, Between<Milliseconds>, Milliseconds& out, Problems&);
bool read_bytes(const base::json::Value&, std::string_view key, Between<std::uint64_t>, std::uint64_t& out, Problems&);
bool read_text(const base::json::Value&, std::string_view key, const Check&, std::string& out, Problems&);
bool read_texts(const base::json::Value&, std::string_view key, const Check&, std::vector<std::string>& out, Problems&);

// The text forms, for defaults and ranges in the reference.
std::string duration_text(Milliseconds);
std::string bytes_text(std::uint64_t);

// Checks that several sections share.
std::string check_listen_address(const std::string&);  // "1.2.3.4:80", "[::1]:80", "0.0.0.0:0"
std::string check_http_url(const std::string&);        // absolute http(s), no userinfo, no fragment
std::string check_private_url(const std::string&);     // as check_http_url; http only to this machine
std::string check_http_origin(const std::string&);     // http(s)://host[:port], no path
std::string check_http_base(
    const std::string&);                       // http(s)://host[:port][/path], no query, no slash at the end of a path
std::string check_prefix(const std::string&);  // "10.0.0.0/8", "::1", "fd00::/8"
std::string check_id(const std::string&);      // 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit
std::string check_not_empty(const std::string&);

/// Reads the keys of one object and calls `read` for each known key. Moved keys are rejected with their new name,
/// unknown keys with the nearest known key; duplicate and missing required keys are reported.
void read_object(const base::json::Value& object, std::string_view key, const std::vector<FieldDoc>& fields,
                 const std::vector<MovedKey>& moved,
                 const std::function<void(std::size_t field, const base::json::Value&)>& read, Problems&);

template <class T>
class Section {
 public:
  Section(std::string name, std::string doc) : name_(std::move(name)), doc_(std::move(doc)) {}

  Section& flag(std::string name, bool T::*member, std::string doc) {
    return field(std::move(name), "true or false", "", T{}.*member ? "true" : "false", std::move(doc),
                 [member](T& t, const auto& v, auto key, Problems& p) { read_flag(v, key, t.*member, p); });
  }
  Section& whole(std::string name, std::int64_t T::*member, Between<std::int64_t> range, std::string doc) {
    return field(std::move(name), "whole number", std::to_string(range.least) + " to " + std::to_string(range.most),
                 std::to_string(T{}.*member), std::move(doc),
                 [=](T& t, const auto& v, auto key, Problems& p) { read_whole(v, key, range, t.*member, p); });
  }
  Section& real(std::string name, double T::*member, Between<double> range, std::string doc);
  Section& duration(std::string name, Milliseconds T::*member, Between<Milliseconds> range, std::string doc) {
    return field(std::move(name), "duration", duration_text(range.least) + " to " + duration_text(range.most),
                 quoted(duration_text(T{}.*member)), std::move(doc),
                 [=](T& t, const auto& v, auto key, Problems& p) { read_duration(v, key, range, t.*member, p); });
  }
  Section& bytes(std::string name, std::uint64_t T::*member, Between<std::uint64_t> range, std::string doc) {
    return field(std::move(name), "bytes", bytes_text(range.least) + " to " + bytes_text(range.most),
                 quoted(bytes_text(T{}.*member)), std::move(doc),
                 [=](T& t, const auto& v, auto key, Problems& p) { read_bytes(v, key, range, t.*member, p); });
  }
  Section& text(std::string name, std::string T::*member, std::string doc, Check check = {}, std::string allowed = "") {
    return field(std::move(name), "text", std::move(allowed), quoted(T{}.*member), std::move(doc),
                 [=](T& t, const auto& v, auto key, Problems& p) { read_text(v, key, check, t.*member, p); });
  }
  Section& texts(std::string name, std::vector<std::string> T::*member, std::string doc, Check check = {},
                 std::string allowed = "") {
    return field(std::move(name), "list of text", std::move(allowed), list_text(T{}.*member), std::move(doc),
                 [=](T& t, const auto& v, auto key, Problems& p) { read_texts(v, key, check, t.*member, p); });
  }
  template <class E>
  Section& choice(std::string name, E T::*member, Words<E> words, std::string doc);
  template <class U>
  Section& section(std::string name, U T::*member, const Section<U>& inner, std::string doc);
  template <class U>
  Section& sections(std::string name, std::vector<U> T::*member, const Section<U>& inner, std::string doc);

  /// Makes the field added last required (its default is not printed), or sets its JSON in the sample.
  Section& required() {
    fields_.back().default_text.clear();
    return *this;
  }
  Section& sample(std::string json) {
    fields_.back().sample = std::move(json);
    return *this;
  }
  /// Adds a key of a former version. `now` is its current name, which completes the text "is now …".
  Section& moved(std::string name, std::string now) {
    moved_.push_back({std::move(name), std::move(now)});
    return *this;
  }
  /// A rule over the whole struct, run when all its fields are valid. Returns the error, or an empty text.
  Section& check(std::function<std::string(const T&)> rule) {
    rules_.push_back(std::move(rule));
    return *this;
  }

  void read(const base::json::Value& value, std::string_view key, T& out, Problems&) const;
  const std::string& name() const { return name_; }
  const std::string& doc() const { return doc_; }
  const std::vector<FieldDoc>& fields() const { return fields_; }

 private:
  using Reader = std::function<void(T&, const base::json::Value&, std::string_view key, Problems&)>;
  static std::string quoted(const std::string& text) { return "\"" + base::json::escape(text) + "\""; }
  static std::string list_text(const std::vector<std::string>&);
  Section& field(std::string name, std::string type, std::string allowed, std::string default_text, std::string doc,
                 Reader r) {
    fields_.push_back(
        {std::move(name), std::move(type), std::move(allowed), std::move(default_text), "", std::move(doc), {}});
    readers_.push_back(std::move(r));
    return *this;
  }

  std::string name_;
  std::string doc_;
  std::vector<FieldDoc> fields_;
  std::vector<MovedKey> moved_;
  std::vector<Reader> readers_;
  std::vector<std::function<std::string(const T&)>> rules_;
};

template <class T>
Section<T>& Section<T>::real(std::string name, double T::*member, Between<double> range, std::string doc) {
  base::json::Writer least, most, now;
  return field(std::move(name), "number", least.value(range.least).text() + " to " + most.value(range.most).text(),
               now.value(T{}.*member).text(), std::move(doc),
               [=](T& t, const auto& v, auto key, Problems& p) { read_real(v, key, range, t.*member, p); });
}

template <class T>
template <class E>
Section<T>& Section<T>::choice(std::string name, E T::*member, Words<E> words, std::string doc) {
  std::string allowed, now;
  for (const auto& [word, value] : words) {
    if (!allowed.empty()) allowed += ", ";
    allowed += word;
    if (value == T{}.*member) now = word;
  }
  auto check = [words, allowed](const std::string& text) -> std::string {
    for (const auto& entry : words)
      if (entry.first == text) return "";
    return "one of " + allowed;
  };
  return field(std::move(name), "choice", allowed, quoted(now), std::move(doc),
               [=](T& t, const auto& v, auto key, Problems& p) {
                 std::string text;
                 if (!read_text(v, key, check, text, p)) return;
                 for (const auto& [word, value] : words)
                   if (word == text) t.*member = value;
               });
}

template <class T>
template <class U>
Section<T>& Section<T>::section(std::string name, U T::*member, const Section<U>& inner, std::string doc) {
  field(std::move(name), "section", "", "{}", std::move(doc),
        [=, &inner](T& t, const auto& v, auto key, Problems& p) { inner.read(v, key, t.*member, p); });
  fields_.back().inner = inner.fields();
  return *this;
}

template <class T>
template <class U>
Section<T>& Section<T>::sections(std::string name, std::vector<U> T::*member, const Section<U>& inner,
                                 std::string doc) {
  field(std::move(name), "list of sections", "", "[]", std::move(doc),
        [=, &inner](T& t, const auto& v, auto key, Problems& p) {
          if (!v.is(base::json::Kind::array)) {
            p.add(v.offset, key, "must be a list of objects");
            return;
          }
          (t.*member).clear();
          for (std::size_t i = 0; i < v.array.size(); ++i) {
            U item;
            inner.read(v.array[i], std::string(key) + "[" + std::to_string(i) + "]", item, p);
            (t.*member).push_back(std::move(item));
          }
        });
  fields_.back().inner = inner.fields();
  return *this;
}

template <class T>
void Section<T>::read(const base::json::Value& value, std::string_view key, T& out, Problems& problems) const {
  const auto before = problems.all().size();
  read_object(
      value, key, fields_, moved_,
      [&](std::size_t i, const base::json::Value& v) {
        const auto inner_key = key.empty() ? fields_[i].name : std::string(key) + "." + fields_[i].name;
        readers_[i](out, v, inner_key, problems);
      },
      problems);
  if (problems.all().size() != before) return;
  for (const auto& rule : rules_)
    if (auto wrong = rule(out); !wrong.empty()) problems.add(value.offset, key, std::move(wrong));
}

template <class T>
std::string Section<T>::list_text(const std::vector<std::string>& texts) {
  base::json::Writer w;
  w.begin_array();
  for (const auto& t : texts) w.value(t);
  return w.end_array().take();
}

}  // namespace tribune::config
