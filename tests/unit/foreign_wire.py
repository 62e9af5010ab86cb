"""Bodies of remote write, written field by field, as a sender would."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

Sample = tuple[int, float]  # unix ms, value
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def message(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def text(number: int, value: str) -> bytes:
    return message(number, value.encode())


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def fixed(number: int, value: int) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<Q", value & (1 << 64) - 1)


def labels1(labels: Mapping[str, str], number: int = 1) -> bytes:
    pairs = sorted(labels.items())
    return b"".join(message(number, text(1, n) + text(2, v)) for n, v in pairs)


def sample(time: int, value: float, number: int = 2) -> bytes:
    return message(number, double(1, value) + integer(2, time))


def series1(labels: Mapping[str, str], samples: Iterable[Sample], more: bytes = b"") -> bytes:
    return message(1, labels1(labels) + b"".join(sample(*s) for s in samples) + more)


def metadata1(name: str, kind: int, unit: str, help_text: str) -> bytes:
    return message(3, integer(1, kind) + text(2, name) + text(4, help_text) + text(5, unit))


class Symbols:
    """The list of texts of a request of remote write 2.0."""

    def __init__(self) -> None:
        self.numbers = {"": 0}

    def __call__(self, word: str) -> int:
        return self.numbers.setdefault(word, len(self.numbers))

    def refs(self, labels: Mapping[str, str]) -> bytes:
        numbers = [varint(self(w)) for pair in sorted(labels.items()) for w in pair]
        return message(1, b"".join(numbers))

    def request(self, series: Sequence[bytes]) -> bytes:
        symbols = b"".join(text(4, word) for word in self.numbers)
        return symbols + b"".join(message(5, one) for one in series)


def series2(
    symbols: Symbols, labels: Mapping[str, str], samples: Iterable[Sample], more: bytes = b""
) -> bytes:
    return symbols.refs(labels) + b"".join(sample(*s) for s in samples) + more


def snappy(plain: bytes) -> bytes:
    packed: bytes = pa.compress(plain, codec="snappy", asbytes=True)
    return packed
