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

/// What was read. Immutable; const methods from any thread. A section that the text does not name is absent.
class Settings {
 public:
  bool has(std::string_view section) const;
  /// The section's struct; asking for an absent section or by the wrong type is a broken invariant and ends the
  /// process.
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

/// What a sample file shows.
struct Sample {
  std::string title;       // sentences at the head of the file
  std::string values;      // JSON
  bool every_key = false;  // also those left at their defaults, as comments
};

/// The sections that a configuration may have. Built once by app from the table of roles.
class Schema {
 public:
  /// `section` is kept by reference: a function's static, as section.h shows.
  template <class T>
  void add(const Section<T>& section, Presence presence) {
    add(section.name(), section, presence);
  }
  /// The same under another name than the section's own.
  template <class T>
  void add(const std::string& name, const Section<T>& section, Presence presence) {
    entries_.push_back({name, section.doc(), &section.fields(), presence,
                        [name, &section](const base::json::Value* value, Problems& problems) -> std::any {
                          T out;
                          if (value) section.read(*value, name, out, problems);
                          return out;
                        }});
  }
  /// A rule over the whole, run when every section is fine: return what is wrong, or an empty text. The problem is
  /// shown at the section of that name.
  void check(std::string section, std::function<std::string(const Settings&)> rule) {
    rules_.push_back({std::move(section), std::move(rule)});
  }
  void check(std::function<std::string(const Settings&)> rule) { check("", std::move(rule)); }

  struct Outcome {
    std::optional<Settings> settings;  // nothing when there are problems
    std::vector<Problem> problems;
  };
  Outcome read(std::string_view text) const;

  /// docs/configuration.md
  std::string reference() const;

  /// A commented configuration file with these values; the comments are the tables' own words. A required key that is
  /// not given gets its table's sample value. Values must be a JSON object; it is not checked here.
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
