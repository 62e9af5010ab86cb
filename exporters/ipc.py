"""One table as an Arrow IPC stream, without compression."""

from __future__ import annotations

import struct

import pyarrow as pa

_INT32, _UINT16, _UINT32 = struct.Struct("<i"), struct.Struct("<H"), struct.Struct("<I")
# Places of fields in the tables of Arrow's Message.fbs.
_HEADER, _BATCH_OF_DICTIONARY, _COMPRESSION = 2, 1, 3
# One of these begins a buffer that is compressed. Else there is nothing to unpack: no need to look.
_CODECS = (b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")


def write_table(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def read_table(data: memoryview) -> pa.Table:
    """Read it, and check it. Raises ArrowException, ValueError, OSError."""
    raw = pa.py_buffer(data)
    plain = bytes(data)
    if any(magic in plain for magic in _CODECS):
        _refuse_compression(raw)
    with pa.ipc.open_stream(raw) as reader:
        table = reader.read_all()
    table.validate(full=True)  # the checksum says that these are the bytes written, and no more
    return table


def _refuse_compression(raw: pa.Buffer) -> None:
    """A few bytes could unpack to any number of them, and no exporter sends such."""
    for message in pa.ipc.MessageReader.open_stream(raw):
        if message.type != "schema" and _is_compressed(message):
            raise ValueError("its buffers are compressed: compress the body of the request")


def _is_compressed(message: pa.Message) -> bool:
    """Whether a (checked) batch of records or of a dictionary says so."""
    data = memoryview(message.metadata)
    try:
        table = _child(data, _field(data, _UINT32.unpack_from(data)[0], _HEADER))
        if message.type == "dictionary":
            table = _child(data, _field(data, table, _BATCH_OF_DICTIONARY))
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
