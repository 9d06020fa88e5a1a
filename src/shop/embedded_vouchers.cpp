#include "shop/embedded_vouchers.h"

#include <algorithm>

#include "accounts/embedded_account_store.h"
#include "shop/embedded_books.h"

namespace tribune::shop {
namespace {

using store::ReadTransaction;
using store::WriteTransaction;

constexpr std::size_t kMaxHashCharacters = 128;

std::optional<VoucherBatch> batch_in(ReadTransaction& t, std::uint64_t id) {
  const auto record = t.get(kVoucherBatches, accounts::to_text(id));
  return record ? voucher_batch_of_record(*record) : std::nullopt;
}

void put_batch(WriteTransaction& t, const VoucherBatch& batch) {
  t.put(kVoucherBatches, accounts::to_text(batch.id), to_record(batch));
}

/// Moves money into the account's balance, or with an amount below zero out of it.
Decided<BalanceChange> changed_balance(WriteTransaction& t, AccountId account, const Money& money,
                                       MoneyTransfer transfer, std::string_view other) {
  auto balance = balance_in(t, account, money.currency);
  if (!balance) return tl::unexpected(balance.error());
  balance->amount += money.amount;
  if (balance->amount > kMaxAmount) return refused_order(ShopRefusal::balance_limit);
  if (balance->amount < 0) return refused_order(ShopRefusal::balance_insufficient, {-balance->amount, money.currency});
  transfer.money = {std::abs(money.amount), money.currency};
  transfer.from = {std::string(other)};
  transfer.to = viewer_party(account);
  if (money.amount < 0) std::swap(transfer.from, transfer.to);
  if (money.amount != 0) {
    if (const auto booked = book(t, transfer); !booked) return tl::unexpected(booked.error());
  }
  return BalanceChange{money, *balance};
}

}  // namespace

base::Status create_vouchers_in(WriteTransaction& t, const VoucherBatch& batch,
                                const std::vector<std::string>& hashes) {
  if (batch_in(t, batch.id))
    return base::failure(base::ErrorKind::conflict, base::Fault::client, "another batch has this id");
  auto stored = batch;
  stored.count = static_cast<std::int64_t>(hashes.size());
  put_batch(t, stored);
  for (const auto& hash : hashes) {
    if (t.get(kVoucherCodes, hash))
      return base::failure(base::ErrorKind::conflict, base::Fault::client, "another voucher has this code");
    t.put(kVoucherCodes, hash, to_record(Voucher{batch.id, 0}));
  }
  return {};
}

std::vector<VoucherBatch> voucher_batches_in(ReadTransaction& t) {
  std::vector<VoucherBatch> batches;
  t.scan(kVoucherBatches, "", [&](std::string_view, std::string_view record) {
    if (auto batch = voucher_batch_of_record(record)) batches.push_back(std::move(*batch));
    return true;
  });
  std::sort(batches.begin(), batches.end(),
            [](const auto& a, const auto& b) { return std::tie(a.created, a.id) < std::tie(b.created, b.id); });
  return batches;
}

base::Status void_vouchers_in(WriteTransaction& t, std::uint64_t id) {
  auto batch = batch_in(t, id);
  if (!batch) return base::failure(base::ErrorKind::not_found, base::Fault::client, "no batch has this id");
  batch->is_void = true;
  put_batch(t, *batch);
  return {};
}

Decided<BalanceChange> redeem_in(WriteTransaction& t, const VoucherRedemption& redemption) {
  const auto account = accounts::account_in(t, redemption.account);
  if (!account || account->state != accounts::AccountState::active) return refused_order(ShopRefusal::account_unknown);
  const auto& hash = redemption.code_hash;
  const auto record = hash.empty() || hash.size() > kMaxHashCharacters ? std::nullopt : t.get(kVoucherCodes, hash);
  auto voucher = record ? voucher_of_record(*record) : std::nullopt;
  auto batch = voucher ? batch_in(t, voucher->batch) : std::nullopt;
  if (!batch) return refused_order(ShopRefusal::voucher_unknown);
  if (voucher->redeemed_by != 0) return refused_order(ShopRefusal::voucher_used);
  if (batch->is_void || batch->expires <= redemption.now) return refused_order(ShopRefusal::voucher_unknown);
  auto change = changed_balance(t, redemption.account, batch->money,
                                {JournalKind::voucher, hash, {}, {}, {}, redemption.now}, kVouchers);
  if (!change) return change;
  voucher->redeemed_by = redemption.account;
  t.put(kVoucherCodes, hash, to_record(*voucher));
  ++batch->redeemed;
  put_batch(t, *batch);
  return change;
}

Decided<BalanceChange> adjust_balance_in(WriteTransaction& t, const BalanceAdjustment& adjustment) {
  if (!accounts::account_in(t, adjustment.account)) {
    const auto left = balance_in(t, adjustment.account, adjustment.money.currency);
    if (!left) return tl::unexpected(left.error());
    if (adjustment.money.amount >= 0 || left->amount == 0) return refused_order(ShopRefusal::account_unknown);
  }
  return changed_balance(t, adjustment.account, adjustment.money,
                         {JournalKind::adjustment, adjustment.reason, {}, {}, {}, adjustment.now}, kOperator);
}

}  // namespace tribune::shop
