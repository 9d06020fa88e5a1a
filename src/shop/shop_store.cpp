#include "shop/shop_store.h"

namespace tribune::shop {
namespace {

std::int64_t pieces_of(const TakenPieces& taken, const std::string& product, const std::string& option) {
  const auto found = taken.by_option.find({product, option});
  return found == taken.by_option.end() ? 0 : found->second;
}

}  // namespace

CatalogueView with_taken(const CatalogueView& catalogue, const TakenPieces& taken) {
  auto made = catalogue;
  for (auto& listed : made.products) {
    const auto& product = listed.product;
    listed.taken.clear();
    for (const auto& option : product.options) listed.taken.push_back(pieces_of(taken, product.id, option.id));
    if (product.options.empty()) listed.taken.push_back(pieces_of(taken, product.id, ""));
  }
  return made;
}

}  // namespace tribune::shop
