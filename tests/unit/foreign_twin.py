"""What the decoder in C must make of a body, written again in plain Python, field by field.

It shares nothing with the C: property tests hold one against the other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MOST_LABELS, MOST_KEY = 128, 16384
Labels = tuple[tuple[bytes, bytes], ...]


class Malformed(Exception):
    """The body cannot be read; nothing of it is taken."""


class NoHistogram(Exception):
    """A message that is whole, but no histogram."""


@dataclass(slots=True)
class Taken:
    """What a body holds, in its order."""

    samples: list[tuple[Labels, int, int]] = field(default_factory=list)  # value as its bits
    histograms: list[tuple[Any, ...]] = field(default_factory=list)
    exemplars: list[tuple[Labels, int, int, Labels]] = field(default_factory=list)
    metadata: list[tuple[int, bytes, bytes, bytes]] = field(default_factory=list)
    rejected: int = 0
    exemplars_rejected: int = 0


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(10):
        if at >= len(data):
            raise Malformed
        byte = data[at]
        at += 1
        value |= (byte & 127) << (7 * n)
        if byte < 128:
            if value >> 64:
                raise Malformed
            return value, at
    raise Malformed


def fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """(number, wire type, value), checked to the end before the first is given."""
    found, at = [], 0
    while at < len(data):
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        if tag >> 32 or number == 0:
            raise Malformed
        value: Any
        if kind == VARINT:
            value, at = varint(data, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
            if at + size > len(data):
                raise Malformed
            value = int.from_bytes(data[at : at + size], "little")
            at += size
        elif kind == BYTES:
            size, at = varint(data, at)
            if at + size > len(data):
                raise Malformed
            value = data[at : at + size]
            at += size
        else:
            raise Malformed
        found.append((number, kind, value))
    yield from found


def known(data: bytes, kinds: dict[int, int]) -> Iterator[tuple[int, Any]]:
    """The fields with these numbers, which must have these types."""
    for number, kind, value in fields(data):
        if number in kinds:
            if kinds[number] != kind:
                raise Malformed
            yield number, value


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def zigzag(value: int) -> int:
    return value >> 1 ^ -(value & 1)


def number(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _size(n: int) -> int:
    return max(1, -(-n.bit_length() // 7))


def key(
    pairs: list[tuple[bytes, bytes]], nameless: bool = False, first_wins: bool = False
) -> Labels | None:
    """The sorted label set, or None when it is none."""
    if len(pairs) > MOST_LABELS:
        return None
    firsts = dict(reversed(pairs))
    if len(firsts) < len(pairs) and not first_wins:
        return None
    ordered = sorted(firsts.items())
    if not all(n and is_text(n) and is_text(v) for n, v in ordered):
        return None
    kept = tuple((n, v) for n, v in ordered if v)
    size = 0
    for name, value in kept:
        inner = 2 + _size(len(name)) + len(name) + _size(len(value)) + len(value)
        size += 1 + _size(inner) + inner
    if size > MOST_KEY or not (nameless or any(n == b"__name__" for n, _ in kept)):
        return None
    return kept


class Twin:
    """Decodes bodies; `oldest` and `newest` bound the times that are taken."""

    def __init__(self, oldest: int, newest: int) -> None:
        self.oldest, self.newest = oldest, newest
        self.taken = Taken()

    def rw1(self, body: bytes) -> Taken:
        for which, data in known(body, {1: BYTES, 3: BYTES}):
            if which == 1:
                self._series1(data)
            else:
                self._metadata1(data)
        return self.taken

    def rw2(self, body: bytes) -> Taken:
        parts = list(known(body, {4: BYTES, 5: BYTES}))
        symbols = [data for which, data in parts if which == 4]
        for which, data in parts:
            if which == 5:
                self._series2(data, symbols)
        return self.taken

    def _takes(self, labels: Labels | None, time: int) -> bool:
        if labels is None or not self.oldest <= time <= self.newest:
            self.taken.rejected += 1
            return False
        return True

    def _sample(self, labels: Labels | None, data: bytes) -> None:
        found = dict(known(data, {1: FIXED64, 2: VARINT}))
        time = signed(found.get(2, 0))
        if self._takes(labels, time):
            assert labels is not None
            self.taken.samples.append((labels, time, found.get(1, 0)))

    def _exemplar(
        self, labels: Labels | None, data: bytes, pairs: list[tuple[bytes, bytes]]
    ) -> None:
        found = dict(known(data, {2: FIXED64, 3: VARINT}))
        time = signed(found.get(3, 0))
        own = key(pairs, nameless=True, first_wins=True)
        if labels is None or own is None or not self.oldest <= time <= self.newest:
            self.taken.exemplars_rejected += 1
        else:
            self.taken.exemplars.append((labels, time, found.get(2, 0), own))

    def _labels1(self, data: bytes) -> list[tuple[bytes, bytes]]:
        pairs = []
        for _, message in known(data, {1: BYTES}):
            found = dict(known(message, {1: BYTES, 2: BYTES}))
            pairs.append((found.get(1, b""), found.get(2, b"")))
        return pairs

    def _series1(self, data: bytes) -> None:
        labels = key(self._labels1(data))
        for which, message in known(data, {1: BYTES, 2: BYTES, 3: BYTES, 4: BYTES}):
            if which == 2:
                self._sample(labels, message)
            elif which == 3:
                self._exemplar(labels, message, self._labels1(message))
            elif which == 4:
                self._histogram(labels, message)

    def _metadata1(self, data: bytes) -> None:
        found = dict(known(data, {1: VARINT, 2: BYTES, 4: BYTES, 5: BYTES}))
        texts = (found.get(2, b""), found.get(5, b""), found.get(4, b""))
        self._tell(found.get(1, 0), *texts)

    def _tell(self, kind: int, name: bytes, unit: bytes, text: bytes) -> None:
        if name and len(name) <= MOST_KEY and is_text(name):
            valid = [t if is_text(t) else b"" for t in (unit, text)]
            self.taken.metadata.append((kind if kind < 8 else 0, name, *valid))

    def _labels2(self, data: bytes, symbols: list[bytes]) -> list[tuple[bytes, bytes]]:
        refs = list(_numbers(data, 1, VARINT))
        if len(refs) % 2 or any(r >= len(symbols) for r in refs):
            raise Malformed
        return [(symbols[a], symbols[b]) for a, b in zip(refs[::2], refs[1::2], strict=True)]

    def _series2(self, data: bytes, symbols: list[bytes]) -> None:
        pairs = self._labels2(data, symbols)
        name = next((v for n, v in pairs[:MOST_LABELS] if n == b"__name__"), b"")
        labels = key(pairs)
        for which, message in known(data, {2: BYTES, 3: BYTES, 4: BYTES, 5: BYTES}):
            if which == 2:
                self._sample(labels, message)
            elif which == 3:
                self._histogram(labels, message)
            elif which == 4:
                self._exemplar(labels, message, self._labels2(message, symbols))
            else:
                self._metadata2(labels, name, message, symbols)

    def _metadata2(
        self, labels: Labels | None, name: bytes, data: bytes, symbols: list[bytes]
    ) -> None:
        parts = list(known(data, {1: VARINT, 3: VARINT, 4: VARINT}))
        if any(value >= len(symbols) for which, value in parts if which > 1):
            raise Malformed
        found = dict(parts)
        kind = found.get(1, 0)
        kind = kind if kind < 8 else 0
        text, unit = (symbols[found[n]] if n in found else b"" for n in (3, 4))
        if labels is not None and (kind or text or unit):
            self._tell(kind, name, unit, text)

    def _histogram(self, labels: Labels | None, data: bytes) -> None:
        scalar = {1: VARINT, 2: FIXED64, 3: FIXED64, 4: VARINT, 5: FIXED64, 6: VARINT}
        parts = list(known(data, scalar | {7: FIXED64, 14: VARINT, 15: VARINT}))
        found = dict(parts)
        time = signed(found.get(15, 0))
        if not self._takes(labels, time):
            return
        try:
            positive, negative = _side(data, 11), _side(data, 8)
        except NoHistogram:
            self.taken.rejected += 1
            return
        bounds = list(_numbers(data, 16, FIXED64))
        count = _last(parts, {1: float, 2: number})
        zero = _last(parts, {6: float, 7: number})
        schema = zigzag(found.get(4, 0) & 0xFFFFFFFF)
        numbers = [bits(count), found.get(3, 0), found.get(5, 0), bits(zero)]
        reset = found.get(14, 0) & 255
        self.taken.histograms.append(
            (labels, time, schema, reset, numbers, positive, negative, bounds)
        )


def _last(parts: list[tuple[int, Any]], read: dict[int, Callable[[int], float]]) -> float:
    """Of fields that exclude each other the last one."""
    values = [read[n](value) for n, value in parts if n in read]
    return values[-1] if values else 0.0


def _numbers(data: bytes, which: int, wire: int) -> Iterator[int]:
    """A repeated field, packed or one by one."""
    for field_number, kind, value in fields(data):
        if field_number != which:
            continue
        if kind == wire:
            yield value
            continue
        if kind != BYTES:
            raise Malformed
        at = 0
        while at < len(value):
            if wire == VARINT:
                one, at = varint(value, at)
            else:
                if at + 8 > len(value):
                    raise Malformed
                one = int.from_bytes(value[at : at + 8], "little")
                at += 8
            yield one


def _side(data: bytes, spans: int) -> list[tuple[int, int]]:
    """Buckets of one sign: (index, count as bits)."""
    counts, absolute = [], 0
    places = _places(data, spans)
    for delta in _numbers(data, spans + 1, VARINT):
        absolute = (absolute + zigzag(delta)) % (1 << 64)
        if absolute >> 63:
            raise NoHistogram
        counts.append((next(places), bits(float(absolute))))
    for value in _numbers(data, spans + 2, FIXED64):
        counts.append((next(places), value))
    try:
        next(places)
    except NoHistogram:
        return counts
    raise NoHistogram


def _places(data: bytes, spans: int) -> Iterator[int]:
    """Indexes that the spans name, then NoHistogram."""
    index = 0
    for which, kind, value in fields(data):
        if which != spans:
            continue
        if kind != BYTES:
            raise Malformed
        left = 0
        for part, number_of in known(value, {1: VARINT, 2: VARINT}):
            if part == 1:
                index += zigzag(number_of & 0xFFFFFFFF)
            else:
                left = number_of & 0xFFFFFFFF
        for _ in range(left):
            if not -(1 << 31) <= index < 1 << 31:
                raise NoHistogram
            yield index
            index += 1
    raise NoHistogram
