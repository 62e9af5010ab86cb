"""Native as newer clients expect it, read back by clickhouse-driver's own readers."""

from __future__ import annotations

import contextlib
import io
import string
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from clickhouse_driver.bufferedreader import BufferedReader
from clickhouse_driver.context import Context
from clickhouse_driver.errors import ChecksumDoesntMatchError
from clickhouse_driver.streams.compressed import CompressedBlockInputStream
from clickhouse_driver.streams.native import BlockInputStream
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sql.native import NativeError, reframe, split
from pipeline.sql.wire import blocks
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_stores import fresh_store

REVISIONS = [0, 51903, 54405, 54453, 54454, 54460, 54468]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = fresh_store(tmp_path_factory.mktemp("store"))
    yield store
    store.close()


class Reader(BufferedReader):  # type: ignore[misc]
    """The driver's reader over bytes."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)
        super().__init__(len(data) + 1)

    def read_into_buffer(self) -> None:
        piece = self._stream.read(len(self.buffer))
        self.buffer[: len(piece)] = piece
        self.position, self.current_buffer_size = 0, len(piece)
        if not piece:
            raise EOFError


def decode(data: bytes, revision: int, kind: Any = BlockInputStream) -> list[tuple[Any, ...]]:
    """The rows of all blocks of a stream, with a row of the columns' types before them."""
    context = Context()
    context.client_settings = {
        "use_numpy": False, "strings_as_bytes": False, "strings_encoding": "utf-8",
        "opentelemetry_traceparent": None, "opentelemetry_tracestate": "", "quota_key": "",
        "input_format_null_as_default": False, "namedtuple_as_json": True,
        "server_side_params": False,
    }  # fmt: skip
    context.settings = {}
    context.server_info = SimpleNamespace(used_revision=revision, get_timezone=lambda: "UTC")
    stream = kind(Reader(data), context)
    rows: list[tuple[Any, ...]] = []
    while True:
        try:
            block = stream.read()
        except EOFError:
            assert rows
            return rows
        if not rows:
            rows.append(tuple(block.columns_with_types))
        rows += block.get_rows() if block.num_rows else []


QUERIES = [
    "select 1",
    "select number, toString(number) as s from numbers(200000)",
    "select toLowCardinality(toString(number % 300)) as a from numbers(70000)",
    "select toLowCardinality(toNullable(toString(number % 3))) from numbers(5)",
    "select CAST(if(number % 2, NULL, 'x'), 'LowCardinality(Nullable(String))') from numbers(9)",
    "select [number, 1], [[toString(number)], []], emptyArrayString() from numbers(7)",
    "select arrayMap(x -> toLowCardinality(toString(x)), range(number)) from numbers(9)",
    "select map('a', number), map(toString(number), [number]) from numbers(4)",
    "select (number, 'a', [1]), tuple('x') from numbers(3)",
    "select CAST((1, 'a'), 'Tuple(x UInt8, `odd name` String)') from numbers(3)",
    "select if(number % 2, NULL, number), if(number % 2, NULL, toString(number)) from numbers(9)",
    "select toDate('2026-01-01'), toDateTime('2026-01-01 00:00:00', 'UTC'), now64(6, 'UTC')",
    "select toInt8(-1), toInt16(-2), toInt32(-3), toInt64(-4), toInt128(-5), toInt256(-6)",
    "select toUInt8(1), toUInt16(2), toUInt32(3), toUInt64(4), toUInt128(5), toUInt256(6)",
    "select toFloat32(1.5), toFloat64(2.5), true, toUUID('00000000-0000-0000-0000-000000000001')",
    "select toDecimal32(1.5, 2), toDecimal64(1.5, 4), toDecimal128(1.5, 6), toDecimal256(1.5, 8)",
    "select CAST('b', 'Enum8(\\'a,(\\' = 1, \\'b\\' = 2)'), CAST('c', 'Enum16(\\'c\\' = 300)')",
    "select toFixedString('abc', 5), toIPv4('10.0.0.1'), toIPv6('::1'), toDate32('1960-01-01')",
    "select repeat('x', number * 100) from numbers(300)",
    "select NULL, interval 3 day",
    "select name, type from system.columns limit 500",
]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("sql", QUERIES)
def test_reframed_blocks_say_the_same(store: EmbeddedStore, sql: str, revision: int) -> None:
    # Without any setting that would change types on the way.
    plain = store.query(sql, "Native")
    assert decode(reframe(plain, revision), max(revision, 51903)) == decode(plain, 0)


@pytest.mark.parametrize("sql", QUERIES)
def test_compressed_blocks_say_the_same(store: EmbeddedStore, sql: str) -> None:
    data = reframe(store.query(sql, "Native"), 54468)
    packed = blocks(data)
    assert decode(packed, 54468, CompressedBlockInputStream) == decode(data, 54468)


def test_no_rows_are_no_bytes(store: EmbeddedStore) -> None:
    assert reframe(store.query("select number from numbers(0)", "Native"), 54468) == b""


def test_a_flipped_bit_breaks_the_checksum(store: EmbeddedStore) -> None:
    packed = bytearray(blocks(reframe(store.query("select 1", "Native"), 54468)))
    packed[-1] ^= 1
    with pytest.raises(ChecksumDoesntMatchError):
        decode(bytes(packed), 54468, CompressedBlockInputStream)


@pytest.mark.parametrize(
    "sql",
    ["select sumState(number) from numbers(3)", "select CAST('{\"a\": 1}', 'JSON') as j",
     "select CAST(1, 'Variant(UInt8, String)')", "select CAST(1, 'Dynamic')"],
)  # fmt: skip
def test_types_of_an_unknown_layout_are_refused(store: EmbeddedStore, sql: str) -> None:
    with pytest.raises(NativeError, match="type"):
        reframe(store.query(sql, "Native"), 54468)


@given(st.binary(max_size=60))
def test_a_damaged_stream_raises_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(NativeError):
        reframe(data, 54468)


NAMES = st.text(string.ascii_letters, min_size=1, max_size=6)
TYPES = st.recursive(
    NAMES,
    lambda inner: st.tuples(NAMES, st.lists(inner, min_size=1, max_size=3)),
    max_leaves=10,
)


def written(kind: Any) -> str:
    return kind if isinstance(kind, str) else f"{kind[0]}({', '.join(map(written, kind[1]))})"


@given(TYPES)
def test_types_are_split_as_they_are_written(kind: Any) -> None:
    name, arguments = split(written(kind))
    assert name == (kind if isinstance(kind, str) else kind[0])
    assert arguments == ([] if isinstance(kind, str) else [written(k) for k in kind[1]])


def test_names_of_a_tuples_elements_are_left_out() -> None:
    assert split("Tuple(a UInt8, `b, (` Array(String))") == ("Tuple", ["UInt8", "Array(String)"])
    assert split("Enum8('a, (' = 1, 'b\\'' = 2)")[0] == "Enum8"
