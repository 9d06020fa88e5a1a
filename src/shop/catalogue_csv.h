#pragma once
// The products of a catalogue as CSV (RFC 4180), for spreadsheets. The notes of channels and the Russian titles of
// options are not in it; everything else is read back as it was, except that a time is cut to the millisecond.
//
// The first line names the columns, in any order. Required are id, kind, title_en, amount and currency; optional are
// title_ru, description_en, description_ru, picture, channels, valid_for, valid_from, valid_until, options, stock and
// is_on_sale. An unknown or repeated column is an error. An empty cell is an absent value.
//   channels     "all", or ids with spaces between them
//   valid_for    a whole number with the unit s, min, h or d; the other times are RFC 3339
//   options      id:title:stock with | between them, such as "red:Red:100|blue:Blue:", where the title is the English
//                one and an empty stock is an unlimited one; a \ stands before each : | and \ of a part
//   is_on_sale   true or false in either case, as spreadsheets write TRUE and FALSE
//
// Spreadsheets take a cell that begins with = + - @, a tab or a line break for a formula or cut it. Such a cell is
// written with an apostrophe in front, and so is one in which these follow apostrophes; reading takes one apostrophe
// off again, in the columns title_*, description_* and picture only. The text 'Tis is left as it is.
//
// Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "shop/catalogue.h"
#include "shop/catalogue_import.h"

namespace tribune::shop {

/// All columns, CRLF at the end of each line, and a byte order mark at the beginning, without which spreadsheets do not
/// read the text as UTF-8.
std::string to_csv(const std::vector<Product>&);

/// At most kMaxImportBytes. Lines end with CRLF or LF; a CRLF in a cell becomes an LF; a row whose cells are all empty
/// is ignored. The catalogue has no channels. The line of an error is that in which its row begins.
CatalogueRead read_catalogue_csv(std::string_view text);

}  // namespace tribune::shop
