"""One table as an Arrow IPC stream of one batch of records, without compression.

Its columns are the names of the rows and `cells`, a list of fixed size: a row's counters side by
side, which the schema's metadata name in their order. One column and not a hundred: a frame has few
rows, and a column costs more to read than the cells in it.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
import pyarrow as pa

from exporters.tables import Layout, Table

CELLS = "cells"
_INT32, _UINT16, _UINT32 = struct.Struct("<i"), struct.Struct("<H"), struct.Struct("<I")
# Places of fields in the tables of Arrow's Message.fbs.
_HEADER, _COMPRESSION = 2, 3
_MAX_SCHEMA = 1 << 15


def write_table(table: Table) -> bytes:
    layout, names = table.layout, table.names
    cells = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(table.values).reshape(-1)), layout.cells
    )
    columns = {**names, CELLS: cells}
    schema = pa.schema(
        [pa.field(name, column.type, nullable=False) for name, column in columns.items()],
        metadata={CELLS: layout.text},
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(list(columns.values()), schema=schema))
    return bytes(sink.getvalue())


def read_table(data: memoryview) -> Table:
    """Read it, and check it. The cells stay where they are in `data`.

    Raises ArrowException, ValueError, OSError.
    """
    messages = pa.ipc.MessageReader.open_stream(pa.py_buffer(data))
    try:
        first, second = messages.read_next_message(), messages.read_next_message()
    except StopIteration:
        raise ValueError("it has no batch of records") from None
    if (first.type, second.type) != ("schema", "record batch"):
        raise ValueError(f"it begins with a {first.type} and a {second.type}")
    if _is_compressed(second):  # a few bytes could unpack to any number of them
        raise ValueError("its buffers are compressed: compress the body of the request")
    head = first.metadata.to_pybytes()
    if len(head) > _MAX_SCHEMA:
        raise ValueError(f"its schema has {len(head)} bytes, {_MAX_SCHEMA} at most")
    schema, layout = _schema(head)
    batch = pa.ipc.read_record_batch(second, schema)
    batch.validate(full=True)  # the checksum says that these are the bytes written, and no more
    columns = dict(zip(schema.names, batch.columns, strict=True))
    for name, column in columns.items():
        if column.null_count:
            raise ValueError(f"{name}: has a null")
    validity, buffer = columns.pop(CELLS).buffers()[1:]
    if validity is not None:
        raise ValueError(f"{CELLS}: has a null")
    count = batch.num_rows * layout.cells
    cells = np.frombuffer(buffer, np.uint64, count) if count else np.empty(0, np.uint64)
    return Table(columns, layout, cells.reshape(batch.num_rows, layout.cells))


@lru_cache(maxsize=64)  # all frames of a version have the same few
def _schema(metadata: bytes) -> tuple[pa.Schema, Layout]:
    schema = pa.ipc.read_schema(pa.ipc.read_message(_stream(metadata)))
    text = (schema.metadata or {}).get(CELLS.encode())
    if text is None or not schema.names or schema.names[-1] != CELLS:
        raise ValueError(f"it lacks the column {CELLS}, as the last, or the names of its counters")
    layout = Layout.parse(text.decode())
    if schema.field(CELLS).type != pa.list_(pa.uint64(), layout.cells):
        raise ValueError(
            f"{CELLS}: is {schema.field(CELLS).type}, must be {layout.cells} uint64 a row"
        )
    if len(set(schema.names)) < len(schema.names):
        raise ValueError("a column is there twice")
    return schema, layout


def _stream(metadata: bytes) -> bytes:
    """A message of metadata alone, as it stands in a stream."""
    padded = metadata + bytes(-len(metadata) % 8)
    return _UINT32.pack(0xFFFFFFFF) + _INT32.pack(len(padded)) + padded


def _is_compressed(message: pa.Message) -> bool:
    """Whether a (checked) batch of records says so."""
    data = memoryview(message.metadata)
    try:
        table = _child(data, _field(data, _UINT32.unpack_from(data)[0], _HEADER))
        return _field(data, table, _COMPRESSION) > 0
    except struct.error as error:
        raise ValueError(f"a message of it is cut off: {error}") from error


def _field(data: memoryview, table: int, place: int) -> int:
    """Where a field of a flatbuffers table lies; 0 when it is not there."""
    fields = table - _INT32.unpack_from(data, table)[0]
    entry = 4 + 2 * place
    if entry >= _UINT16.unpack_from(data, fields)[0]:
        return 0
    offset = _UINT16.unpack_from(data, fields + entry)[0]
    return int(table + offset) if offset else 0


def _child(data: memoryview, field: int) -> int:
    """The table that a field points to."""
    return int(field + _UINT32.unpack_from(data, field)[0])
