"""What a body may be wrapped in: HTTP content encodings, and ClickHouse's compressed blocks."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable

import pyarrow as pa
from clickhouse_cityhash.cityhash import CityHash128  # type: ignore[import-untyped]

from pipeline.errors import BadRequest

_BLOCK = 1 << 20
_LZ4 = 0x82
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = ("String", "FixedString", "LowCardinality", "Nullable")
_CHARACTERS = {"\\": "\\", "n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}
_HEADER = struct.Struct("<BII")
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
    "lz4": lambda data: bytes(pa.compress(data, codec="lz4", asbytes=True)),
    "gzip": lambda data: gzip.compress(data, 3),
}


def accepted(header: str) -> str:
    """The encoding to answer with: the first one of ours that Accept-Encoding names, or ""."""
    offered = {}
    for item in header.lower().split(","):
        name, _, quality = item.partition(";")
        offered[name.strip()] = quality.replace(" ", "") not in ("q=0", "q=0.0")
    return next((name for name in _ENCODERS if offered.get(name)), "")


def encode(data: bytes, encoding: str) -> bytes:
    """The data in a content encoding that `accepted` returned."""
    return _ENCODERS[encoding](data) if encoding else data


def decode_lz4(data: bytes, limit: int) -> bytes:
    """The content of an LZ4 frame. Raises BadRequest if it is none or holds more than `limit`."""
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), "lz4") as stream:
            content = bytes(stream.read(limit + 1))
    except (OSError, pa.ArrowInvalid) as error:
        raise BadRequest(f"the body is not an LZ4 frame: {error}") from error
    if len(content) > limit:
        raise BadRequest(f"the body is longer than {limit} bytes")
    return content


def parameter(text: str, kind: str) -> str:
    """The value of `param_<name>` for a parameter of the type `kind`.

    A client sends it escaped as in TSV. In the quotes of an array's strings a backslash has a
    meaning of its own and stays; only a quote after one is doubled instead, which means the same.
    """
    plain = kind.startswith(_PLAIN)

    def meant(found: re.Match[str]) -> str:
        char = found[1]
        if char in _CHARACTERS:
            return _CHARACTERS[char]
        if plain and (char in "'\"`/=" or char < " "):
            return char
        return "''" if char == "'" else found[0]

    return _ESCAPE.sub(meant, text)


def blocks(data: bytes) -> bytes:
    """The data as ClickHouse's compressed blocks (LZ4), as `compress=1` asks for."""
    out = bytearray()
    for start in range(0, len(data), _BLOCK):
        piece = data[start : start + _BLOCK]
        packed = pa.compress(piece, codec="lz4_raw", asbytes=True)
        block = _HEADER.pack(_LZ4, _HEADER.size + len(packed), len(piece)) + packed
        out += _checksum(block) + block
    return bytes(out)


def _checksum(block: bytes) -> bytes:
    checksum: int = CityHash128(block)
    return struct.pack("<QQ", checksum >> 64, checksum & 0xFFFFFFFFFFFFFFFF)
