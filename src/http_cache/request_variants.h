#pragma once
// The variants that one request selects, each computed once, however many stored responses it is compared with.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http_cache/stored_response.h"

namespace tribune::http_cache {

/// Owned by one request. The fields must outlive it.
class RequestVariants {
 public:
  explicit RequestVariants(const http::Headers& fields) : fields_(fields) {}

  /// Whether the request receives this response; nullopt: compute() the key of its Vary first.
  std::optional<bool> select(const StoredResponse&) const;
  /// Parses the fields that this Vary names.
  void compute(const std::string& vary);
  /// Whether the value of Vary names the field, in lower case.
  static bool names(std::string_view field, const std::string& vary);
  /// Computes what it needs.
  bool selects(const StoredResponse&);

 private:
  const http::Headers& fields_;
  std::vector<std::pair<std::string, std::string>> keys_;  // of each value of Vary that was met
  std::optional<std::string> language_;
};

}  // namespace tribune::http_cache
