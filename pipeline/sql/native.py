"""Results in the format Native as a client of a newer protocol revision expects them.

The embedded engine writes Native as of revision 0. A client that sends `client_protocol_version`
wants a block header before each block, and from revision 54454 on a byte after each column's type
that says whether its serialization is a special one (here never). To know where those go, the
columns are walked by their types; nothing is decoded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from pipeline.errors import StoreError

CUSTOM_SERIALIZATION = 54454
# BlockInfo: field 1 is_overflows = 0, field 2 bucket_num = -1, end of the fields.
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_WIDTHS = {
    "Bool": 1, "Int8": 1, "UInt8": 1, "Enum8": 1, "Nothing": 1,
    "Int16": 2, "UInt16": 2, "Enum16": 2, "Date": 2, "BFloat16": 2,
    "Int32": 4, "UInt32": 4, "Float32": 4, "Date32": 4, "DateTime": 4, "IPv4": 4, "Decimal32": 4,
    "Time": 4,
    "Int64": 8, "UInt64": 8, "Float64": 8, "DateTime64": 8, "Decimal64": 8, "Time64": 8,
    "Int128": 16, "UInt128": 16, "UUID": 16, "IPv6": 16, "Decimal128": 16,
    "Int256": 32, "UInt256": 32, "Decimal256": 32,
}  # fmt: skip
_INDEX_WIDTHS = (1, 2, 4, 8)
_NAMED = re.compile(r"(`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*) (?=[A-Z])")


class NativeError(StoreError):
    """A result in Native cannot be put into the client's revision; the text names the type."""


def reframe(data: bytes, revision: int) -> bytes:
    """Blocks of revision 0 as blocks of `revision`. Raises NativeError."""
    walk, out, done = _Walk(data), bytearray(), 0
    while walk.at < len(data):
        out += _BLOCK_INFO
        columns, rows = walk.varint(), walk.varint()
        for _ in range(columns):
            walk.string()
            kind = walk.string().decode(errors="replace")
            out += data[done : walk.at]
            done = walk.at
            if revision >= CUSTOM_SERIALIZATION:
                out.append(0)
            if rows:
                walk.prefix(kind)
                walk.column(kind, rows)
        out += data[done : walk.at]
        done = walk.at
    return bytes(out)


class _Walk:
    """A place in a stream of blocks, moved forward over one thing after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self.data):
            raise NativeError("the engine's block ends too early")

    def varint(self) -> int:
        value = shift = 0
        while True:
            self.skip(1)
            byte = self.data[self.at - 1]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def string(self) -> bytes:
        size = self.varint()
        self.skip(size)
        return self.data[self.at - size : self.at]

    def uint64(self) -> int:
        self.skip(8)
        value: int = struct.unpack_from("<Q", self.data, self.at - 8)[0]
        return value

    def prefix(self, kind: str) -> None:
        """Over what stands before the data of the column: a version for each LowCardinality."""
        name, arguments = split(kind)
        if name == "LowCardinality":
            self.skip(8)
        else:
            for argument in arguments if name in _NESTED else ():
                self.prefix(argument)

    def column(self, kind: str, rows: int) -> None:
        name, arguments = split(kind)
        if name in _NESTED:
            _NESTED[name](self, arguments, rows)
        elif name == "String":
            for _ in range(rows):
                self.skip(self.varint())
        else:
            self.skip(rows * _width(name, arguments, kind))

    def nullable(self, arguments: list[str], rows: int) -> None:
        self.skip(rows)
        self.column(arguments[0], rows)

    def array(self, arguments: list[str], rows: int) -> None:
        if rows:
            self.skip(8 * (rows - 1))
            rows = self.uint64()
        self.tuple(arguments, rows)

    def tuple(self, arguments: list[str], rows: int) -> None:
        for argument in arguments:
            self.column(argument, rows)
        if not arguments:
            self.skip(rows)

    def low_cardinality(self, arguments: list[str], rows: int) -> None:
        if not rows:
            return
        flags, keys = self.uint64(), self.uint64()
        name, inner = split(arguments[0])
        self.column(inner[0] if name == "Nullable" else arguments[0], keys)
        self.skip(_INDEX_WIDTHS[flags & 0xFF] * self.uint64())


_NESTED: dict[str, Callable[[_Walk, list[str], int], None]] = {
    "Nullable": _Walk.nullable,
    "Array": _Walk.array,
    "Map": _Walk.array,
    "Tuple": _Walk.tuple,
    "LowCardinality": _Walk.low_cardinality,
}


def split(kind: str) -> tuple[str, list[str]]:
    """A type's name and its arguments: `Map(String, Array(UInt8))` is Map of String, Array(UInt8).

    Names of a Tuple's elements are left out; arguments that are no types stay as they are.
    """
    name, parenthesis, rest = kind.partition("(")
    if not parenthesis:
        return kind, []
    arguments, depth, quote, start = [], 0, "", 0
    inner = rest[:-1]
    position = 0
    while position < len(inner):
        char = inner[position]
        if quote:
            position += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'`\"":
            quote = char
        elif char == "," and not depth:
            arguments.append(inner[start:position])
            start = position + 1
        else:
            depth += (char == "(") - (char == ")")
        position += 1
    arguments.append(inner[start:])
    return name, [_unnamed(argument.strip()) for argument in arguments]


def _unnamed(argument: str) -> str:
    found = _NAMED.match(argument)
    return argument[found.end() :] if found else argument


def _width(name: str, arguments: list[str], kind: str) -> int:
    if name == "FixedString":
        return int(arguments[0])
    if name == "Decimal":
        return next(
            w for digits, w in ((9, 4), (18, 8), (38, 16), (76, 32)) if int(arguments[0]) <= digits
        )
    if name.startswith("Interval"):
        return 8
    if name not in _WIDTHS:
        raise NativeError(f"columns of the type {kind} are not served in Native to this client")
    return _WIDTHS[name]
