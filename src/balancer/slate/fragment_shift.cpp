#include "balancer/slate/fragment_shift.h"

#include <cstddef>
#include <optional>

namespace tribune::balancer {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kOffsetPresent = 0x1;  // a flag of trun and of tfhd
constexpr std::size_t kWidening = 4;           // a time of 64 bits instead of 32

tl::unexpected<base::Error> damaged(std::string_view what) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, "fragmented MP4: " + std::string(what));
}

// Big-endian numbers; the caller has checked that the bytes exist.
std::uint64_t integer_at(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void put(std::string& bytes, std::size_t at, std::size_t width, std::uint64_t value) {
  for (std::size_t i = 0; i < width; ++i) bytes[at + i] = static_cast<char>(value >> (8 * (width - 1 - i)) & 0xff);
}

/// A box as it is in its file.
struct FragmentBox {
  std::string_view type;
  std::string_view whole;
  std::string_view body;  // after size and type

  std::uint32_t version() const { return static_cast<std::uint32_t>(integer_at(body, 0, 1)); }
  std::uint32_t flags() const { return static_cast<std::uint32_t>(integer_at(body, 1, 3)); }
  std::size_t head() const { return whole.size() - body.size(); }
};

std::optional<FragmentBox> first_box(std::string_view bytes) {
  if (bytes.size() < 8) return std::nullopt;
  auto size = integer_at(bytes, 0, 4);
  std::size_t head = 8;
  if (size == 1 && bytes.size() >= 16) {
    size = integer_at(bytes, 8, 8);
    head = 16;
  }
  if (size == 0) size = bytes.size();
  if (size < head || size > bytes.size()) return std::nullopt;
  const auto whole = bytes.substr(0, static_cast<std::size_t>(size));
  return FragmentBox{bytes.substr(4, 4), whole, whole.substr(head)};
}

/// Calls `visit` for each box, until one fails.
template <typename Visit>
base::Status each_box(std::string_view bytes, Visit&& visit) {
  while (!bytes.empty()) {
    const auto box = first_box(bytes);
    if (!box) return damaged("a box is larger than the box or file that contains it");
    if (auto fine = visit(*box); !fine) return fine;
    bytes.remove_prefix(box->whole.size());
  }
  return {};
}

bool is_at_least(const FragmentBox& box, std::size_t size) { return box.body.size() >= size; }

/// The position of a number that follows two times, which have 32 bits in version 0 and 64 in version 1.
std::size_t after_two_times(const FragmentBox& box) { return box.version() == 0 ? 12 : 20; }

base::Status read_track(std::string_view body, Timescales& into) {
  std::uint32_t id = 0, timescale = 0;
  auto fine = each_box(body, [&](const FragmentBox& box) -> base::Status {
    if (box.type == "tkhd") {
      if (!is_at_least(box, 4) || !is_at_least(box, after_two_times(box) + 4))
        return damaged("the box tkhd is too short");
      id = static_cast<std::uint32_t>(integer_at(box.body, after_two_times(box), 4));
    }
    if (box.type != "mdia") return {};
    return each_box(box.body, [&](const FragmentBox& inner) -> base::Status {
      if (inner.type != "mdhd") return {};
      if (!is_at_least(inner, 4) || !is_at_least(inner, after_two_times(inner) + 4))
        return damaged("the box mdhd is too short");
      timescale = static_cast<std::uint32_t>(integer_at(inner.body, after_two_times(inner), 4));
      return {};
    });
  });
  if (!fine) return fine;
  if (id == 0 || timescale == 0) return damaged("a track has no id or no timescale");
  into[id] = timescale;
  return {};
}

std::uint64_t in_units(milliseconds time, std::uint64_t timescale) {
  const auto ms = static_cast<std::uint64_t>(time.count());
  return ms / 1000 * timescale + ms % 1000 * timescale / 1000;
}

/// The number of 32-bit times in a fragment.
base::Result<std::size_t> short_times(const FragmentBox& moof) {
  std::size_t count = 0;
  auto fine = each_box(moof.body, [&](const FragmentBox& traf) -> base::Status {
    if (traf.type != "traf") return {};
    return each_box(traf.body, [&](const FragmentBox& box) -> base::Status {
      if (box.type == "tfdt" && !is_at_least(box, 4)) return damaged("the box tfdt is too short");
      if (box.type == "tfdt" && box.version() == 0) ++count;
      return {};
    });
  });
  if (!fine) return tl::unexpected(fine.error());
  return count;
}

/// Writes one segment. Used for one call.
class Shifting {
 public:
  Shifting(const Timescales& timescales, const FragmentShift& shift) : timescales_(timescales), shift_(shift) {}

  base::Result<std::string> run(std::string_view segment) {
    out_.reserve(segment.size() + 64);
    bool grows = false;
    auto fine = each_box(segment, [&](const FragmentBox& box) -> base::Status {
      if (box.type != "moof") return {};
      const auto count = short_times(box);
      if (!count) return tl::unexpected(count.error());
      grows = grows || *count > 0;
      return {};
    });
    if (!fine) return tl::unexpected(fine.error());
    fine = each_box(segment, [&](const FragmentBox& box) -> base::Status {
      if (box.type == "moof") return write_moof(box);
      if (box.type == "sidx") return grows ? base::Status{} : write_sidx(box);
      out_.append(box.whole);
      return {};
    });
    if (!fine) return tl::unexpected(fine.error());
    return std::move(out_);
  }

 private:
  /// A container box, whose size is written after its content.
  template <typename Visit>
  base::Status write_container(const FragmentBox& box, Visit&& visit) {
    const auto begin = out_.size();
    out_.append(box.whole.substr(0, box.head()));
    if (auto fine = each_box(box.body, visit); !fine) return fine;
    const auto size = out_.size() - begin;
    if (box.head() == 16)
      put(out_, begin + 8, 8, size);
    else if (size <= UINT32_MAX)
      put(out_, begin, 4, size);
    else
      return damaged("a fragment is too large");
    return {};
  }

  base::Status write_moof(const FragmentBox& moof) {
    const auto count = short_times(moof);
    if (!count) return tl::unexpected(count.error());
    growth_ = *count * kWidening;
    return write_container(moof, [&](const FragmentBox& box) -> base::Status {
      if (box.type == "traf") return write_traf(box);
      if (box.type == "mfhd") {
        if (!is_at_least(box, 8)) return damaged("the box mfhd is too short");
        write_moved(box, 4, 4, shift_.fragments);
      } else {
        out_.append(box.whole);
      }
      return {};
    });
  }

  base::Status write_traf(const FragmentBox& traf) {
    std::uint64_t timescale = 0;
    bool has_time = false;
    auto fine = write_container(traf, [&](const FragmentBox& box) -> base::Status {
      if (box.type == "tfhd") {
        if (!is_at_least(box, 8)) return damaged("the box tfhd is too short");
        if (growth_ > 0 && (box.flags() & kOffsetPresent))
          return damaged(
              "sample offsets are relative to the start of the file (base-data-offset), which is not supported with "
              "32-bit decode times");
        const auto known = timescales_.find(static_cast<std::uint32_t>(integer_at(box.body, 4, 4)));
        if (known == timescales_.end()) return damaged("a fragment refers to an unknown track");
        timescale = known->second;
      } else if (box.type == "tfdt") {
        if (timescale == 0 || has_time) return damaged("the box tfdt is not preceded by a tfhd, or is repeated");
        has_time = true;
        return write_tfdt(box, in_units(shift_.time, timescale));
      } else if (box.type == "trun" && growth_ > 0) {
        return write_trun(box);
      } else if (box.type == "saio" && growth_ > 0) {
        return damaged("encrypted fragments with 32-bit decode times are not supported");
      }
      out_.append(box.whole);
      return {};
    });
    if (fine && !has_time) return damaged("a track fragment has no tfdt");
    return fine;
  }

  base::Status write_tfdt(const FragmentBox& box, std::uint64_t units) {
    const bool is_short = box.version() == 0;
    if (!is_at_least(box, is_short ? 8 : 12)) return damaged("the box tfdt is too short");
    if (!is_short) {
      write_moved(box, 4, 8, units);
      return {};
    }
    const auto begin = out_.size();
    out_.append(20, '\0');
    put(out_, begin, 4, 20);
    out_.replace(begin + 4, 4, "tfdt");
    put(out_, begin + 8, 4, 1ull << 24 | box.flags());
    put(out_, begin + 12, 8, integer_at(box.body, 4, 4) + units);
    // A box that is larger than necessary would change the growth.
    return box.whole.size() == 16 ? base::Status{} : damaged("the box tfdt is too long");
  }

  base::Status write_trun(const FragmentBox& box) {
    if (!is_at_least(box, 8)) return damaged("the box trun is too short");
    if (!(box.flags() & kOffsetPresent)) {
      out_.append(box.whole);
      return {};
    }
    if (!is_at_least(box, 12)) return damaged("the box trun is too short");
    write_moved(box, 8, 4, growth_);
    return {};
  }

  base::Status write_sidx(const FragmentBox& box) {
    if (!is_at_least(box, 20)) return damaged("the box sidx is too short");
    const auto units = in_units(shift_.time, integer_at(box.body, 8, 4));
    if (box.version() == 0) return {};  // the number does not fit into 32 bits
    write_moved(box, 12, 8, units);
    return {};
  }

  /// Copies the box, with the number of `width` bytes at position `at` of its body increased by `by`.
  void write_moved(const FragmentBox& box, std::size_t at, std::size_t width, std::uint64_t by) {
    const auto begin = out_.size() + box.head();
    out_.append(box.whole);
    put(out_, begin + at, width, integer_at(box.body, at, width) + by);
  }

  const Timescales& timescales_;
  const FragmentShift shift_;
  std::size_t growth_ = 0;  // of the fragment that is being written
  std::string out_;
};

}  // namespace

base::Result<Timescales> timescales_of(std::string_view init) {
  Timescales found;
  auto fine = each_box(init, [&](const FragmentBox& box) -> base::Status {
    if (box.type != "moov") return {};
    return each_box(box.body, [&](const FragmentBox& inner) -> base::Status {
      return inner.type == "trak" ? read_track(inner.body, found) : base::Status{};
    });
  });
  if (!fine) return tl::unexpected(fine.error());
  if (found.empty()) return damaged("no tracks");
  return found;
}

base::Result<std::uint32_t> fragments_in(std::string_view segment) {
  std::uint32_t count = 0;
  auto fine = each_box(segment, [&](const FragmentBox& box) -> base::Status {
    if (box.type == "moof") ++count;
    return {};
  });
  if (!fine) return tl::unexpected(fine.error());
  if (count == 0) return damaged("no fragments");
  return count;
}

base::Result<std::string> shifted(std::string_view segment, const Timescales& timescales, const FragmentShift& shift) {
  return Shifting(timescales, shift).run(segment);
}

}  // namespace tribune::balancer
