"""One table as an Arrow IPC stream."""

from __future__ import annotations

import pyarrow as pa


def write_table(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def read_table(data: memoryview) -> pa.Table:
    """Read it, and check it. Raises ArrowException, ValueError, OSError."""
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        table = reader.read_all()
    table.validate(full=True)  # the checksum says that these are the bytes written, and no more
    return table
