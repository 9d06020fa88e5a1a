// MPEG-TS (ISO/IEC 13818-1): the streams that the program's map names, and the first parameter set of its picture.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "hls/media/bit_reader.h"
#include "hls/media/media_facts.h"
#include "hls/media/parameter_sets.h"
#include "hls/media/readers.h"

namespace tribune::hls {
namespace {

constexpr std::size_t kPacket = 188;
constexpr std::size_t kMostStreams = 16;
constexpr std::size_t kMostBytes = 256 * 1024;  // of one stream

// ISO/IEC 13818-1 table 2-34, ATSC A/53, and Apple's for SAMPLE-AES, whose headers and parameter sets are in the clear.
enum StreamType : unsigned {
  mpeg1_audio = 0x03,
  mpeg2_audio = 0x04,
  tables = 0x05,
  private_data = 0x06,
  aac = 0x0f,
  metadata = 0x15,
  avc = 0x1b,
  hevc = 0x24,
  ac3 = 0x81,
  splices = 0x86,
  eac3 = 0x87,
  encrypted_ac3 = 0xc1,
  encrypted_eac3 = 0xc2,
  encrypted_aac = 0xcf,
  encrypted_avc = 0xdb
};

unsigned short_at(std::string_view bytes, std::size_t at) { return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1); }

struct Packet {
  unsigned pid = 0;
  bool begins = false;  // a table or a PES packet
  std::string_view payload;
};

std::optional<Packet> packet_of(std::string_view bytes) {
  if (byte_at(bytes, 0) != 0x47) return std::nullopt;
  Packet packet;
  packet.pid = short_at(bytes, 1) & 0x1fff;
  packet.begins = byte_at(bytes, 1) & 0x40;
  const auto control = byte_at(bytes, 3);
  if (!(control & 0x10)) return packet;
  const std::size_t at = control & 0x20 ? 5 + byte_at(bytes, 4) : 4;
  if (at < bytes.size()) packet.payload = bytes.substr(at);
  return packet;
}

/// The section at the beginning of a packet, without its pointer.
std::string_view section_of(std::string_view payload) {
  return payload.substr(std::min<std::size_t>(payload.size(), 1 + byte_at(payload, 0)));
}

/// Whether the collected section is complete by its length.
bool is_whole(std::string_view section) {
  return section.size() >= 3 && section.size() >= 3 + (short_at(section, 1) & 0xfff);
}

/// The kind of private data by its descriptors (ETSI EN 300 468): DVB audio, or not playable.
unsigned kind_of_private(std::string_view descriptors) {
  while (descriptors.size() >= 2) {
    const auto tag = byte_at(descriptors, 0);
    if (tag == 0x6a) return ac3;
    if (tag == 0x7a) return eac3;
    descriptors.remove_prefix(std::min<std::size_t>(descriptors.size(), 2 + byte_at(descriptors, 1)));
  }
  return private_data;
}

/// By PID, the kinds of the streams that a map table names.
std::map<unsigned, unsigned> streams_of(std::string_view section) {
  std::map<unsigned, unsigned> streams;
  if (byte_at(section, 0) != 2) return streams;
  const std::size_t end = std::min<std::size_t>(section.size(), 3 + (short_at(section, 1) & 0xfff));
  std::size_t at = 12 + (short_at(section, 10) & 0xfff);
  while (at + 5 + 4 <= end && streams.size() < kMostStreams) {
    const std::size_t size = short_at(section, at + 3) & 0xfff;
    const auto type = byte_at(section, at);
    streams[short_at(section, at + 1) & 0x1fff] =
        type == private_data ? kind_of_private(section.substr(at + 5, std::min(size, end - at - 5))) : type;
    at += 5 + size;
  }
  return streams;
}

/// The payload of PES packets, after each header.
std::string_view behind_header(std::string_view pes) {
  if (pes.size() < 9 || pes.substr(0, 3) != std::string_view("\0\0\1", 3)) return {};
  return pes.substr(std::min<std::size_t>(pes.size(), 9 + byte_at(pes, 8)));
}

/// Passes the NAL units of a byte stream to a function until it accepts one.
template <class Take>
bool find_unit(std::string_view stream, Take take) {
  constexpr std::string_view kStart("\0\0\1", 3);
  for (auto begin = stream.find(kStart); begin != std::string_view::npos;) {
    begin += kStart.size();
    const auto next = stream.find(kStart, begin);
    if (take(stream.substr(begin, next == std::string_view::npos ? next : next - begin))) return true;
    begin = next;
  }
  return false;
}

bool add_avc(std::string_view stream, MediaFacts& facts) {
  return find_unit(
      stream, [&](std::string_view unit) { return (byte_at(unit, 0) & 0x1f) == 7 && add_avc_parameters(unit, facts); });
}

bool add_hevc(std::string_view stream, MediaFacts& facts) {
  return find_unit(stream, [&](std::string_view unit) {
    return (byte_at(unit, 0) >> 1 & 0x3f) == 33 && add_hevc_parameters(unit, facts);
  });
}

bool add_aac(std::string_view stream, MediaFacts& facts) {
  auto codec = adts_codec(stream);
  if (codec.empty()) return false;
  facts.codecs.push_back(std::move(codec));
  return true;
}

/// Whether the stream is known, or is neither video nor audio.
bool add_stream(unsigned type, std::string_view stream, MediaFacts& facts) {
  switch (type) {
    case avc:
    case encrypted_avc: return add_avc(stream, facts);
    case hevc: return add_hevc(stream, facts);
    case aac:
    case encrypted_aac: return add_aac(stream, facts);
    case mpeg1_audio:
    case mpeg2_audio: facts.codecs.push_back("mp4a.40.34"); return true;
    case ac3:
    case encrypted_ac3: facts.codecs.push_back("ac-3"); return true;
    case eac3:
    case encrypted_eac3: facts.codecs.push_back("ec-3"); return true;
    case tables:
    case private_data:
    case metadata:
    case splices: return true;
    default: return false;
  }
}

/// Data collected from a transport stream so far.
struct Collected {
  unsigned map_pid = 0;
  std::string map;                     // the section of the program's map
  std::map<unsigned, unsigned> types;  // by PID
  std::map<unsigned, std::string> streams;

  void add(const Packet& packet) {
    if (packet.pid == 0 && packet.begins && map_pid == 0) return read_programs(section_of(packet.payload));
    if (map_pid != 0 && packet.pid == map_pid && types.empty()) return add_map(packet);
    if (types.count(packet.pid) == 0) return;
    auto& stream = streams[packet.pid];
    if (stream.empty() && !packet.begins) return;
    if (stream.size() < kMostBytes) stream.append(packet.begins ? behind_header(packet.payload) : packet.payload);
  }

 private:
  /// The first program; number 0 is the network information table.
  void read_programs(std::string_view table) {
    for (std::size_t at = 8; at + 4 <= table.size() && map_pid == 0; at += 4)
      if (short_at(table, at) != 0) map_pid = short_at(table, at + 2) & 0x1fff;
  }
  void add_map(const Packet& packet) {
    constexpr std::size_t kLongest = 3 + 0xfff;
    if (packet.begins)
      map = section_of(packet.payload);
    else if (!map.empty() && map.size() < kLongest)
      map.append(packet.payload);
    if (is_whole(map)) types = streams_of(map);
  }
};

}  // namespace

MediaFacts transport_stream_facts(std::string_view bytes) {
  Collected collected;
  for (; bytes.size() >= kPacket; bytes.remove_prefix(kPacket)) {
    const auto packet = packet_of(bytes.substr(0, kPacket));
    if (!packet) return {};
    collected.add(*packet);
  }
  MediaFacts facts;
  bool is_understood = !collected.types.empty();
  for (const auto& [pid, type] : collected.types)
    is_understood = add_stream(type, collected.streams[pid], facts) && is_understood;
  if (!is_understood) facts.codecs.clear();
  return facts;
}

}  // namespace tribune::hls
