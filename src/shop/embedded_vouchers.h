#pragma once
// Vouchers and operators' payments in the tables of the embedded store.
//
// Tables and keys
//   vouchers          {hash of the code}   every voucher
//   voucher_batches   {batch}

#include <string>
#include <string_view>
#include <vector>

#include "shop/embedded_outcomes.h"
#include "shop/shop_store.h"
#include "store/transactional_store.h"

namespace tribune::shop {

inline constexpr std::string_view kVoucherCodes = "vouchers", kVoucherBatches = "voucher_batches";

// As the functions of ShopStore.
base::Status create_vouchers_in(store::WriteTransaction&, const VoucherBatch&, const std::vector<std::string>& hashes);
std::vector<VoucherBatch> voucher_batches_in(store::ReadTransaction&);
base::Status void_vouchers_in(store::WriteTransaction&, std::uint64_t batch);
Decided<BalanceChange> redeem_in(store::WriteTransaction&, const VoucherRedemption&);
Decided<BalanceChange> adjust_balance_in(store::WriteTransaction&, const BalanceAdjustment&);

}  // namespace tribune::shop
