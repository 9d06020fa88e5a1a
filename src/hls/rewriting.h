#pragma once
// Changes to a playlist's lines, collected in any order and applied while the lines are written. Unchanged text keeps
// its bytes.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hls/playlist.h"

namespace tribune::hls {

/// References the playlist. Owned by the writing function.
class Rewriting {
 public:
  /// Bounds the added bytes; further text is left out, and fits() returns false.
  explicit Rewriting(const Playlist& playlist, std::uint64_t max_added_bytes = UINT64_MAX)
      : playlist_(playlist), is_bounded_(max_added_bytes != UINT64_MAX), available_(max_added_bytes) {}

  bool fits() const { return fits_; }

  void replace(std::uint32_t line, std::uint32_t begin, std::uint32_t length, std::string text);
  /// Appends text after the line's last visible character.
  void append(std::uint32_t line, std::string text);
  void insert_before(std::uint32_t line, std::string text);
  /// Inserts the line `source`, with its replacements and `suffix`, before `line`.
  void repeat_before(std::uint32_t line, std::uint32_t source, std::string suffix);
  void drop(std::uint32_t line);

  // Groups of changes:
  void make_ranges_explicit();
  void make_ivs_explicit();
  void expand_variables();          // and drops EXT-X-DEFINE
  void resolve_query_parameters();  // viewers use another URL, which does not have these keys
  void drop_delta_updates();
  void offer_blocking_reload();
  void drop_end();

  /// Appends lines [first, end) with all changes to `out`. `more_follows`: a last line without a line end gets one.
  void emit(std::uint32_t first, std::uint32_t end, std::string& out, bool more_follows = false);
  /// Returns one line with its replacements, without its line end.
  std::string text_of_line(std::uint32_t line);

  /// The line end of inserted lines: that of the first line.
  std::string_view line_end() const;

 private:
  struct Change {
    std::uint32_t line;
    std::uint32_t begin;
    std::uint32_t length;
    std::string text;
  };
  struct Insertion {
    std::uint32_t line;
    std::string text;
    bool repeats;
    std::uint32_t source;
  };
  bool take(std::uint64_t bytes);
  void sort();
  std::set<std::string_view> names_left();
  void add_line(std::uint32_t line, std::string& out);
  void add_insertion(const Insertion&, std::string& out);
  void remove_attributes(std::uint32_t line, std::string_view first, std::string_view second);
  using Values = std::unordered_map<std::string_view, std::string_view>;
  void expand_line(std::uint32_t line, const Values&);

  const Playlist& playlist_;
  const bool is_bounded_;
  std::vector<Change> changes_;
  std::vector<Insertion> insertions_;
  std::vector<std::uint32_t> dropped_;
  std::map<std::uint32_t, std::string> suffixes_;
  std::map<std::uint32_t, std::uint64_t> added_;  // bytes added to a line, which repeating it costs
  std::uint64_t available_;                       // bytes left for additions
  bool fits_ = true;
  bool sorted_ = false;
};

/// The name of the tag in a line, "EXT-X-KEY", or empty for a line that is not a tag.
std::string_view tag_name(std::string_view line);

}  // namespace tribune::hls
