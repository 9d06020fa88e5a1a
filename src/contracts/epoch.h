#pragma once
// The epoch of links: a random id, and a mark of the origins that the links' paths refer to. A path is relative to the
// source's directory, so that after a change of the source the same path names another object; a cache node fills an
// epoch only from the origins that have its mark. Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "contracts/origin_path.h"

namespace tribune::contracts {

/// "{8 random characters}{mark of 6}", all of a-z 0-9. The mark is a hash of the source's directory and the extra
/// origins; of an epoch whose paths name backups (`names_backups`) also of these.
std::string new_epoch(const OriginSet&, bool names_backups = false);

/// The origins to which paths of that epoch refer; nullopt when they are not those of the set. The source's directory
/// is the same, and the set has the extra origins and the marked backups of the epoch or further ones after them.
/// Epochs of another length have no mark, as former versions made them, and refer to any origins.
std::optional<OriginSet> origins_of_epoch(const OriginSet&, std::string_view epoch);
bool is_epoch_of(const OriginSet&, std::string_view epoch);

}  // namespace tribune::contracts
