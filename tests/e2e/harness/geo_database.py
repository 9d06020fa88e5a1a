"""Writes a MaxMind database with a few networks and their locations, by the published description of the format (MaxMind DB 2.0)."""
import ipaddress
import struct


UINT16, UINT32, UINT64 = 5, 6, 9


def control(kind, size):
    extended = kind > 7
    first = (0 if extended else kind) << 5
    more = bytes([kind - 7]) if extended else b""
    if size < 29:
        return bytes([first | size]) + more
    assert size < 285
    return bytes([first | 29]) + more + bytes([size - 29])


def encoded(value):
    if isinstance(value, str):
        data = value.encode()
        return control(2, len(data)) + data
    if isinstance(value, float):
        return control(3, 8) + struct.pack(">d", value)
    if isinstance(value, tuple):
        kind, number = value
        data = number.to_bytes(8, "big").lstrip(b"\0")
        return control(kind, len(data)) + data
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(encoded(k) + encoded(v) for k, v in value.items())
    return control(11, len(value)) + b"".join(encoded(v) for v in value)


def bits_of(network):
    """In the tree of 128 bits, where IPv4 stands under ::/96."""
    network = ipaddress.ip_network(network)
    length = network.prefixlen + (96 if network.version == 4 else 0)
    number = int(network.network_address)
    return [number >> (127 - i) & 1 for i in range(length)]


def write_geo_database(file, places):
    """`places`: network -> (latitude, longitude); None leaves the place out of the record."""
    nodes, data, ends = [[None, None]], b"", []
    for network, place in places.items():
        bits, at = bits_of(network), 0
        for bit in bits[:-1]:
            if nodes[at][bit] is None:
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        ends.append((at, bits[-1], len(data)))
        data += encoded({"location": {"latitude": place[0], "longitude": place[1]}} if place else {"city": "unknown"})
    for at, bit, offset in ends:
        nodes[at][bit] = len(nodes) + 16 + offset
    tree = b"".join((len(nodes) if side is None else side).to_bytes(3, "big") for node in nodes for side in node)
    about = {"node_count": (UINT32, len(nodes)), "record_size": (UINT16, 24), "ip_version": (UINT16, 6), "database_type": "test places", "languages": ["en"],
             "binary_format_major_version": (UINT16, 2), "binary_format_minor_version": (UINT16, 0), "build_epoch": (UINT64, 1), "description": {"en": "places for a test"}}
    passing = file.with_suffix(".new")
    passing.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encoded(about))
    passing.rename(file)   # the file in force is mapped
