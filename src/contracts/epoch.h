#pragma once
// The epoch of links: a random id, and a mark of the origins that the links' paths refer to. A path is relative to the
// source's directory, so that after a change of the source the same path names another object; a cache node fills an
// epoch only from the origins that have its mark. Pure functions.

#include <string>
#include <string_view>

#include "contracts/origin_path.h"

namespace tribune::contracts {

/// "{8 random characters}{mark of 6}", all of a-z 0-9. The mark is a hash of the source's directory and the extra
/// origins; backups have the same content and do not change it.
std::string new_epoch(const OriginSet&);

/// Whether paths of that epoch refer to these origins: the source's directory is the same, and the extra origins are
/// the same or follow those of the epoch. Epochs of another length have no mark, as former versions made them, and
/// refer to any origins.
bool is_epoch_of(const OriginSet&, std::string_view epoch);

}  // namespace tribune::contracts
