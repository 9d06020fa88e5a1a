// Generates commented configuration files from the tables that parse them.

#include <algorithm>
#include <string>
#include <vector>

#include "config/settings.h"

namespace tribune::config {
namespace {

using base::json::Kind;
using base::json::Value;

constexpr std::size_t kWidth = 110;

std::string quoted(std::string_view text) { return "\"" + base::json::escape(text) + "\""; }

/// Writes the text of one object member by member. The commas depend on which member is the last.
class ObjectText {
 public:
  ObjectText(std::string& out, std::size_t indent) : out_(out), pad_(indent, ' ') { out_ += "{\n"; }

  void comment(std::string_view text) {
    std::string line;
    const auto flush = [&] { out_ += pad_ + "//" + line + "\n"; };
    while (!text.empty()) {
      const auto end = std::min(text.find_first_of(" \n"), text.size());
      if (!line.empty() && pad_.size() + line.size() + end + 3 > kWidth) {
        flush();
        line.clear();
      }
      line += " " + std::string(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (!line.empty()) flush();
  }
  /// Adds the comma after the previous member, because another member follows (possibly one that is written as a
  /// comment).
  void end_line() {
    if (comma_at_) out_.insert(*comma_at_, ",");
    comma_at_.reset();
  }
  /// Ends the previous member and begins the next one. The caller appends its value and calls ended().
  void begin(std::string_view name, const std::vector<std::string>& comments) {
    end_line();
    for (const auto& text : comments) comment(text);
    out_ += pad_ + quoted(name) + ": ";
  }
  void ended() {
    comma_at_ = out_.size();
    out_ += "\n";
  }
  void close() { out_ += pad_.substr(2) + "}"; }

 private:
  std::string& out_;
  std::string pad_;
  std::optional<std::size_t> comma_at_;
};

class Renderer {
 public:
  Renderer(std::string& out, bool every_key) : out_(out), every_key_(every_key) {}

  void object(const Value* given, const std::vector<FieldDoc>& fields, std::size_t indent, bool commented) {
    ObjectText text(out_, indent);
    for (const auto& field : fields) member(text, given, field, indent, commented);
    if (given)
      for (const auto& member : given->object)
        if (std::none_of(fields.begin(), fields.end(), [&](const auto& f) { return f.name == member.name; })) {
          text.begin(member.name, {});  // unknown keys are written too, so that the check of the sample reports them
          value(member.value, {}, indent, false);
          text.ended();
        }
    text.close();
  }

 private:
  void member(ObjectText& text, const Value* given, const FieldDoc& field, std::size_t indent, bool commented) {
    const auto* found = given ? given->find(field.name) : nullptr;
    Value from_table;
    if (!found && field.default_text.empty() && !field.sample.empty()) {
      if (auto parsed = base::json::parse(field.sample)) {
        from_table = std::move(*parsed);
        found = &from_table;
      }
    }
    const bool open_section = !found && every_key_ && commented && field.type == "section";
    if (!found && !open_section) {
      if (every_key_ && commented) {
        text.end_line();
        text.comment(meaning(field));
        text.comment(quoted(field.name) + ": " + field.default_text + ",");
      }
      return;
    }
    text.begin(field.name, commented ? std::vector<std::string>{meaning(field)} : std::vector<std::string>{});
    if (open_section)
      object(nullptr, field.inner, indent + 2, commented);
    else
      value(*found, field.inner, indent, commented);
    text.ended();
  }

  static std::string meaning(const FieldDoc& field) {
    std::string text = field.doc;
    if (!text.empty() && text.back() != '.') text += '.';
    if (!field.allowed.empty()) text += " Allowed: " + field.allowed + ".";
    return text;
  }

  void value(const Value& v, const std::vector<FieldDoc>& inner, std::size_t indent, bool commented) {
    switch (v.kind) {
      case Kind::null: out_ += "null"; return;
      case Kind::boolean: out_ += v.boolean ? "true" : "false"; return;
      case Kind::integer: out_ += std::to_string(v.integer); return;
      case Kind::number: out_ += base::json::Writer().value(v.number).text(); return;
      case Kind::string: out_ += quoted(v.string); return;
      case Kind::object: object(&v, inner, indent + 2, commented); return;
      case Kind::array: array(v, inner, indent, commented); return;
    }
  }

  void array(const Value& list, const std::vector<FieldDoc>& inner, std::size_t indent, bool commented) {
    out_ += "[";
    for (std::size_t i = 0; i < list.array.size(); ++i) {
      if (i > 0) out_ += ", ";
      value(list.array[i], inner, indent, commented && i == 0);  // the entries of a list have one explanation
    }
    out_ += "]";
  }

  std::string& out_;
  bool every_key_;
};

}  // namespace

std::string Schema::sample(const Sample& sample) const {
  base::json::ParseLimits limits;
  limits.comments = true;
  const auto values = base::json::parse(sample.values, limits);
  const Value nothing;
  const Value& given = values ? *values : nothing;

  std::vector<FieldDoc> sections;
  for (const auto& entry : entries_) {
    FieldDoc section{entry.name, "section", "", "{}", "", entry.doc, *entry.fields};
    if (entry.presence == Presence::required && !given.find(entry.name)) {
      section.default_text.clear();
      section.sample = "{}";
    }
    if (sample.every_key || given.find(entry.name) || !section.sample.empty()) sections.push_back(std::move(section));
  }
  std::string out;
  for (std::size_t begin = 0; begin < sample.title.size();) {
    const auto end = std::min(sample.title.find('\n', begin), sample.title.size());
    out += "// " + sample.title.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  Renderer(out, sample.every_key).object(&given, sections, 2, true);
  return out + "\n";
}

}  // namespace tribune::config
