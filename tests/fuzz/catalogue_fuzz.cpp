// Any bytes as a catalogue that an operator imports: as JSON, as CSV, or as the record of one product. What is accepted
// survives being written and read again in both forms; what is refused has an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "shop/catalogue_csv.h"
#include "shop/catalogue_json.h"

using namespace tribune::shop;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void require_round_trips(const Catalogue& catalogue) {
  const auto again = read_catalogue_json(to_json(catalogue));
  require(again && *again == catalogue);
  // Not in CSV: the notes about channels, and the Russian titles of options.
  Catalogue in_csv;
  in_csv.products = catalogue.products;
  for (auto& product : in_csv.products) {
    for (auto& option : product.options) option.title.ru.clear();
    const auto record = product_of_json(to_json(product));
    require(record && *record == product);
  }
  const auto from_csv = read_catalogue_csv(to_csv(in_csv.products));
  require(from_csv && *from_csv == in_csv);
}

void require_valid(const CatalogueRead& read) {
  if (read) return require_round_trips(*read);
  require(!read.error().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0: require_valid(read_catalogue_json(text)); break;
    case 1: require_valid(read_catalogue_csv(text)); break;
    default:
      if (const auto product = product_of_json(text)) {
        Catalogue one;
        one.products = {*product};
        require_round_trips(one);
      }
  }
  return 0;
}
