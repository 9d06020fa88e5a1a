#pragma once
// A catalogue, a product and a channel's note as JSON: records, bodies of requests, and the file that operators edit.
//
//   {"channels":[{"channel":"main","title":{"en":"Main stage","ru":"…"},"poster":"/posters/main.jpg",
//                 "now":{"en":"Opening"},"opens_at":"2026-06-01T20:00:00Z"}],
//    "products":[{"id":"season","kind":"pass","title":{"en":"Season pass","ru":"…"},"description":{"en":"…"},
//                 "picture":"/season.jpg","price":{"amount":4900,"currency":"EUR"},"channels":"all","valid_for":"30d",
//                 "is_on_sale":true},
//                {"id":"scarf","kind":"goods","title":"Scarf","price":{"amount":1500,"currency":"EUR"},
//                 "options":[{"id":"red","title":{"en":"Red"},"stock":100}]}]}
//
// A text is an object, or a string that is the English one. `channels` of a product is "all" or a list of ids.
// `valid_for` is a whole number with the unit s, min, h or d; `valid_from`, `valid_until` and `opens_at` are RFC 3339,
// cut to the millisecond. Required are id, kind, title and price of a product, id and title of an option, channel of a
// note, and products of a catalogue; other members have the defaults of catalogue.h. An unknown member is an error, and
// null is not a default.
//
// Pure functions. What is written of a valid value is read back as the same value, except that a time is cut to the
// millisecond.

#include <string>
#include <string_view>

#include "base/result.h"
#include "shop/catalogue.h"
#include "shop/catalogue_import.h"

namespace tribune::shop {

std::string to_json(const Product&);
std::string to_json(const ChannelNote&);
/// One product or channel on a line.
std::string to_json(const Catalogue&);

/// Errors: invalid_input with the fault `client`, whose text is the first thing that is wrong, wrong_product()
/// included; too_large for more than 256 KiB.
base::Result<Product> product_of_json(std::string_view text);
/// As product_of_json(), with wrong_channel_note().
base::Result<ChannelNote> channel_note_of_json(std::string_view text);

/// At most kMaxImportBytes, with or without a byte order mark. The line of an error is that of the member.
CatalogueRead read_catalogue_json(std::string_view text);

}  // namespace tribune::shop
