"""Capture files: pcapng (a comment a packet, an interface a port) and the classic pcap."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

ETHERNET = 1
SNAP_LENGTH = 65535
_NS = 1_000_000_000


class Writer(Protocol):
    """Takes packets. `interface`: where it came in; `comment`: what is to be said of it."""

    def write(
        self, time_ns: int, data: bytes, length: int, interface: str, comment: str
    ) -> None: ...


@dataclass
class Pcap:
    """The classic format, with nanoseconds. It has no place for interfaces and comments."""

    file: BinaryIO

    def __post_init__(self) -> None:
        self.file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, SNAP_LENGTH, ETHERNET))

    def write(self, time_ns: int, data: bytes, length: int, interface: str, comment: str) -> None:
        head = struct.pack("<IIII", time_ns // _NS, time_ns % _NS, len(data), length)
        self.file.write(head + data)


@dataclass
class PcapNg:
    """draft-ietf-opsawg-pcapng: a section, an interface description at first use, packets."""

    file: BinaryIO
    _interfaces: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        head = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._block(0x0A0D0D0A, head + _options((4, b"popscope")))

    def write(self, time_ns: int, data: bytes, length: int, interface: str, comment: str) -> None:
        if interface not in self._interfaces:
            self._interfaces[interface] = len(self._interfaces)
            head = struct.pack("<HHI", ETHERNET, 0, SNAP_LENGTH)
            self._block(1, head + _options((2, interface.encode()), (9, b"\x09")))  # name, ns
        number = self._interfaces[interface]
        head = struct.pack("<IIIII", number, time_ns >> 32, time_ns & 0xFFFFFFFF, len(data), length)
        self._block(6, head + _padded(data) + _options((1, comment.encode())))

    def _block(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", 12 + len(body))
        self.file.write(struct.pack("<I", kind) + length + body + length)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _options(*options: tuple[int, bytes]) -> bytes:
    parts = (struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options)
    return b"".join(parts) + bytes(4)
