#pragma once
// A whole configuration: sections by name, each read into its own struct.

#include <any>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/section.h"

namespace tribune::config {

/// The settings of a configuration. Immutable; const methods from any thread. A section that the text does not contain
/// is absent.
class Settings {
 public:
  bool has(std::string_view section) const;
  /// The section's struct. Terminates the process when the section is absent or has another type.
  template <class T>
  const T& get(std::string_view section) const {
    return *std::any_cast<T>(&stored(section));
  }

 private:
  friend class Schema;
  const std::any& stored(std::string_view section) const;
  std::vector<std::pair<std::string, std::any>> sections_;
};

enum class Presence { optional, required, defaulted };  // defaulted: absent means all defaults

/// The content of a sample file.
struct Sample {
  std::string title;       // sentences at the head of the file
  std::string values;      // JSON
  bool every_key = false;  // also keys left at their defaults, as comments
};

/// The sections that a configuration may have. Built once by app from the table of roles.
class Schema {
 public:
  /// `section` is stored by reference; it must be a function's static, as section.h shows.
  template <class T>
  void add(const Section<T>& section, Presence presence) {
    add(section.name(), section, presence);
  }
  /// The same under another name.
  template <class T>
  void add(const std::string& name, const Section<T>& section, Presence presence) {
    entries_.push_back({name, section.doc(), &section.fields(), presence,
                        [name, &section](const base::json::Value* value, Problems& problems) -> std::any {
                          T out;
                          if (value) section.read(*value, name, out, problems);
                          return out;
                        }});
  }
  /// A rule over the whole configuration, run when every section is valid. Returns the error, or an empty text. The
  /// problem is reported at the section of that name.
  void check(std::string section, std::function<std::string(const Settings&)> rule) {
    rules_.push_back({std::move(section), std::move(rule)});
  }
  void check(std::function<std::string(const Settings&)> rule) { check("", std::move(rule)); }

  struct Outcome {
    std::optional<Settings> settings;  // nullopt when there are problems
    std::vector<Problem> problems;
  };
  Outcome read(std::string_view text) const;

  /// docs/configuration.md
  std::string reference() const;

  /// A commented configuration file with these values; the comments are the tables' descriptions. A required key
  /// without a value gets its table's sample value. The values must be a JSON object, which is not checked here.
  std::string sample(const Sample&) const;

 private:
  struct Entry {
    std::string name;
    std::string doc;
    const std::vector<FieldDoc>* fields;
    Presence presence;
    std::function<std::any(const base::json::Value*, Problems&)> read;
  };
  struct Rule {
    std::string section;
    std::function<std::string(const Settings&)> holds;
  };
  Problems read_sections(const base::json::Value& root, Settings&) const;

  std::vector<Entry> entries_;
  std::vector<Rule> rules_;
};

/// "file:line:column: key: text" for each problem.
std::string describe(const std::vector<Problem>&, std::string_view file, std::string_view text);

}  // namespace tribune::config
