#include "store/lmdb_file_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace tribune::store {

namespace {

// The format of LMDB 0.9 (data version 1) on 64-bit machines, as its source defines it.
constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kNodeHeader = 8;
constexpr std::size_t kDbRecord = 48;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::uint16_t kBranch = 0x01, kLeaf = 0x02, kOverflow = 0x04;
constexpr std::uint16_t kBigData = 0x01, kSubData = 0x02;
constexpr std::size_t kMaxKey = 511;
constexpr int kMaxDepth = 32;

template <class T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

struct Tree {
  std::uint64_t root = kNoPage;
  bool is_free_list = false;
};

struct Meta {
  std::uint32_t page_size = 0;
  std::uint64_t last_page = 0;
  std::uint64_t transaction = 0;
  Tree free_list;
  Tree main;
};

class Walker {
 public:
  Walker(const char* bytes, std::uint64_t size) : bytes_(bytes), size_(size) {}

  std::optional<std::string> damage() {
    Meta first, second;
    if (auto wrong = read_meta(0, first)) return wrong;
    if (auto wrong = read_meta(first.page_size, second)) return wrong;
    if (second.page_size != first.page_size) return "the two meta pages have different page sizes";
    meta_ = second.transaction > first.transaction ? second : first;
    if (auto wrong = walk(meta_.free_list.root, true, 0)) return wrong;
    return walk(meta_.main.root, false, 0);
  }

 private:
  std::optional<std::string> read_meta(std::uint64_t offset, Meta& meta) const {
    if (offset + kPageHeader + 136 > size_) return "the file is shorter than its meta pages";
    const char* at = bytes_ + offset + kPageHeader;
    if (load<std::uint32_t>(at) != kMagic) return "not an LMDB file";
    if (const auto version = load<std::uint32_t>(at + 4); version != kDataVersion)
      return fmt::format("LMDB data version {}, expected {}", version, kDataVersion);
    const char* free_db = at + 24;
    const char* main_db = free_db + kDbRecord;
    meta.page_size = load<std::uint32_t>(free_db);
    meta.free_list = {load<std::uint64_t>(free_db + 40), true};
    meta.main = {load<std::uint64_t>(main_db + 40), false};
    meta.last_page = load<std::uint64_t>(main_db + kDbRecord);
    meta.transaction = load<std::uint64_t>(main_db + kDbRecord + 8);
    if (meta.page_size < 512 || meta.page_size > 65536 || (meta.page_size & (meta.page_size - 1)) != 0)
      return fmt::format("invalid page size {}", meta.page_size);
    return std::nullopt;
  }

  /// The bytes of the page, or the reason why it is invalid.
  std::optional<std::string> locate(std::uint64_t page, std::uint64_t count, const char*& at) {
    if (page < 2 || page > meta_.last_page || count > meta_.last_page + 1 - page)
      return fmt::format("page {} is outside the file's {} pages", page, meta_.last_page + 1);
    if ((page + count) * meta_.page_size > size_) return fmt::format("page {} is beyond the end of the file", page);
    if ((visited_ += count) > meta_.last_page + 1) return "the page references form a cycle";
    at = bytes_ + page * meta_.page_size;
    if (load<std::uint64_t>(at) != page) return fmt::format("page {} has the number of another page", page);
    return std::nullopt;
  }

  std::optional<std::string> walk(std::uint64_t page, bool is_free_list, int depth) {
    if (page == kNoPage) return std::nullopt;
    if (depth > kMaxDepth) return "the page tree is too deep";
    const char* at = nullptr;
    if (auto wrong = locate(page, 1, at)) return wrong;
    const auto kind = static_cast<std::uint16_t>(load<std::uint16_t>(at + 10) & (kBranch | kLeaf | kOverflow | 0x28));
    const std::size_t lower = load<std::uint16_t>(at + 12), upper = load<std::uint16_t>(at + 14);
    if ((kind != kBranch && kind != kLeaf) || lower < kPageHeader || lower > upper || upper > meta_.page_size ||
        lower % 2 != 0)
      return fmt::format("page {} has a damaged header", page);
    const std::size_t nodes = (lower - kPageHeader) / 2;
    if (kind == kBranch && nodes < (is_free_list ? 1u : 2u)) return fmt::format("branch page {} is empty", page);
    for (std::size_t i = 0; i < nodes; ++i) {
      const std::size_t offset = load<std::uint16_t>(at + kPageHeader + 2 * i);
      if (offset < upper || offset + kNodeHeader > meta_.page_size)
        return fmt::format("page {} has a damaged node", page);
      if (auto wrong = kind == kBranch ? branch_node(page, at + offset, meta_.page_size - offset, is_free_list, depth)
                                       : leaf_node(page, at + offset, meta_.page_size - offset, is_free_list, depth))
        return wrong;
    }
    return std::nullopt;
  }

  std::optional<std::string> branch_node(std::uint64_t page, const char* node, std::size_t available, bool is_free_list,
                                         int depth) {
    if (kNodeHeader + load<std::uint16_t>(node + 6) > available) return fmt::format("page {} has a damaged node", page);
    const std::uint64_t child = load<std::uint16_t>(node) | std::uint64_t{load<std::uint16_t>(node + 2)} << 16 |
                                std::uint64_t{load<std::uint16_t>(node + 4)} << 32;
    return walk(child, is_free_list, depth + 1);
  }

  std::optional<std::string> leaf_node(std::uint64_t page, const char* node, std::size_t available, bool is_free_list,
                                       int depth) {
    const std::size_t data = load<std::uint16_t>(node) | std::size_t{load<std::uint16_t>(node + 2)} << 16;
    const auto flags = load<std::uint16_t>(node + 4);
    const std::size_t key = load<std::uint16_t>(node + 6);
    const std::size_t in_page = flags & kBigData ? 8 : data;
    if (key > kMaxKey || (flags & ~(kBigData | kSubData)) != 0 || kNodeHeader + key + in_page > available)
      return fmt::format("page {} has a damaged node", page);
    const char* value = node + kNodeHeader + key;
    if (flags & kBigData) {
      const auto pages = (kPageHeader + data + meta_.page_size - 1) / meta_.page_size;
      const char* at = nullptr;
      if (auto wrong = locate(load<std::uint64_t>(value), pages, at)) return wrong;
      if ((load<std::uint16_t>(at + 10) & kOverflow) == 0)
        return fmt::format("page {} refers to a page of the wrong type", page);
    } else if (flags & kSubData) {
      if (data != kDbRecord || is_free_list || depth > kMaxDepth)
        return fmt::format("page {} has a damaged table", page);
      return walk(load<std::uint64_t>(value + 40), false, depth + 1);
    }
    return std::nullopt;
  }

  const char* bytes_;
  std::uint64_t size_;
  std::uint64_t visited_ = 2;
  Meta meta_;
};

}  // namespace

base::Result<std::optional<std::string>> lmdb_file_damage(const std::string& path) {
  const auto io_failure = [&](const char* what) {
    return base::failure(base::ErrorKind::io, base::Fault::tribune,
                         fmt::format("{} {}: {}", what, path, std::strerror(errno)));
  };
  const base::File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) {
    if (errno == ENOENT) return std::nullopt;
    return io_failure("cannot open");
  }
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0) return io_failure("cannot stat");
  if (!S_ISREG(status.st_mode)) return std::optional<std::string>("not a regular file");
  if (status.st_size == 0) return std::nullopt;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd(), 0);
  if (mapped == MAP_FAILED) return io_failure("cannot map");
  auto wrong = Walker(static_cast<const char*>(mapped), size).damage();
  ::munmap(mapped, size);
  return wrong;
}

}  // namespace tribune::store
