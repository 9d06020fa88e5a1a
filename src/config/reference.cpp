// Generates docs/configuration.md from the tables that parse the file.

#include <string>
#include <vector>

#include "config/settings.h"

namespace tribune::config {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

This page is generated: `tribune reference` prints it from the tables that parse the file.

`tribune serve FILE` reads one JSON file; `//` and `/* */` comments and a comma after the last member are allowed.
`tribune check FILE` prints OK, or every problem with its line and column. Unknown keys are refused. On SIGHUP the file
is read again. An invalid file is refused: every problem is logged, and the current settings stay in effect. A valid
file takes effect without dropping a connection.

A *duration* is text with a unit: `"200ms"`, `"2s"`, `"5min"`, `"1h"`. *Bytes* are a whole number, or text with a unit:
`"16KiB"`, `"1MiB"`, `"10GiB"`. A default of *required* means that the key must be set.

)";

std::string_view presence_text(Presence presence) {
  switch (presence) {
    case Presence::required: return "required";
    case Presence::optional: return "a role: the process runs it when the section is present";
    case Presence::defaulted: return "optional: the defaults apply when it is absent";
  }
  return "";
}

/// Escapes a text for a cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

/// The fragment that Markdown viewers assign to a heading that consists of this dotted key.
std::string anchor(std::string_view key) {
  std::string out;
  for (const char c : key)
    if (c != '.') out += c;
  return out;
}

std::string code(std::string_view text) { return "`" + std::string(text) + "`"; }

void append_section(std::string& out, const std::string& key, std::string_view doc, std::string_view note,
                    const std::vector<FieldDoc>& fields, std::size_t depth) {
  out += std::string(depth, '#') + " " + code(key) + "\n\n";
  if (!doc.empty()) out += std::string(doc) + "\n\n";
  if (!note.empty()) out += "*" + std::string(note) + "*\n\n";
  if (fields.empty()) {
    out += "It has no keys: `{}`.\n\n";
    return;
  }
  out += "| key | type | allowed | default | meaning |\n|---|---|---|---|---|\n";
  for (const auto& field : fields) {
    const bool nested = !field.inner.empty();
    const auto inner_key = key + "." + field.name;
    out += "| " + (nested ? "[" + code(field.name) + "](#" + anchor(inner_key) + ")" : code(field.name));
    out += " | " + cell(field.type) + " | " + cell(field.allowed) + " | ";
    out += field.default_text.empty() ? "*required*" : cell(code(field.default_text));
    out += " | " + cell(field.doc) + " |\n";
  }
  out += "\n";
  for (const auto& field : fields)
    if (!field.inner.empty()) {
      const auto* note_text = field.type == "list of sections" ? "each object of the list" : "";
      append_section(out, key + "." + field.name, field.doc, note_text, field.inner, depth < 4 ? depth + 1 : depth);
    }
}

}  // namespace

std::string Schema::reference() const {
  std::string out(kIntroduction);
  out += "| section | | meaning |\n|---|---|---|\n";
  for (const auto& entry : entries_)
    out += "| [" + code(entry.name) + "](#" + anchor(entry.name) + ") | " + std::string(presence_text(entry.presence)) +
           " | " + cell(entry.doc) + " |\n";
  out += "\n";
  for (const auto& entry : entries_)
    append_section(out, entry.name, entry.doc, presence_text(entry.presence), *entry.fields, 2);
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace tribune::config
