#include "base/typed_code.h"

#include "base/encoding.h"
#include "base/ids.h"
#include "base/signing.h"

namespace tribune::base {
namespace {

constexpr std::size_t kGroup = 4;

}  // namespace

std::string new_typed_code(std::size_t characters) {
  auto code = random_id(characters);
  for (std::size_t at = kGroup; at < code.size(); at += kGroup + 1) code.insert(at, 1, '-');
  return code;
}

std::string typed_code_hash(std::string_view code) {
  std::string text;
  for (const char c : code)
    if (c != '-' && c != ' ') text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return to_hex(sha256(text));
}

}  // namespace tribune::base
