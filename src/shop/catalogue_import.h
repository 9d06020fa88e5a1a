#pragma once
// What the two forms of a catalogue file, JSON and CSV, have in common: the list of what is wrong with it, and the
// texts of durations and times. Values and pure functions.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/clock.h"
#include "shop/catalogue.h"

namespace tribune::shop {

/// One thing that is wrong with a file.
struct ImportError {
  std::size_t line = 1;  // from 1
  std::string text;      // for operators: the product or channel, the member or column, and what is allowed
  bool operator==(const ImportError&) const = default;
};

/// The catalogue in the order of its ids, or everything that is wrong with the file in the order of the lines: at most
/// kMaxImportErrors, and then one that says how many more there are, with the line of the first of those.
using CatalogueRead = tl::expected<Catalogue, std::vector<ImportError>>;

inline constexpr std::size_t kMaxImportErrors = 100;
inline constexpr std::size_t kMaxImportBytes = 8U << 20;

/// Collects what is wrong while a file is read. Owned by its reader.
class ImportErrorList {
 public:
  /// `offset` is the place in the file, in bytes.
  void add(std::size_t offset, std::string text);
  /// How many were added, those that are not kept included.
  std::size_t count() const { return count_; }
  /// In the order of the lines of `file`, which is passed once.
  std::vector<ImportError> with_lines(std::string_view file) &&;

 private:
  struct Place {
    std::size_t offset = 0;
    std::string text;
  };
  std::vector<Place> kept_;
  std::size_t first_omitted_ = 0;  // offset
  std::size_t count_ = 0;
};

/// Text of a file as a part of an error: in quotes, escaped as in JSON, and cut.
std::string quoted_extract(std::string_view text);

/// The text without the byte order mark that some editors write at its beginning.
std::string_view without_byte_order_mark(std::string_view text);

/// "30d", "12h", "90min", "45s": a whole number and a unit. nullopt for any other text or on overflow.
std::optional<std::chrono::seconds> parse_validity(std::string_view text);
/// The reverse, with the largest unit that leaves no remainder.
std::string validity_text(std::chrono::seconds);

/// As base::parse_rfc3339(), but cut to the millisecond.
std::optional<base::WallTime> parse_catalogue_time(std::string_view text);
/// "2026-06-01T20:00:00Z", with a fraction of three digits where there is one.
std::string catalogue_time_text(base::WallTime);

}  // namespace tribune::shop
