"""The decoder in C (`c/`): bytes of a request in, columns out, series looked up on the way.

It is not thread-safe: a table belongs to one thread at a time. Calls release the GIL.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.errors import BadRequest, NotBuilt, TooLarge
from pipeline.foreign.columns import Column, Format, Reason

__all__ = [
    "Array",
    "Column",
    "Decoded",
    "Format",
    "Reason",
    "Rejected",
    "Table",
    "Window",
    "sort_samples",
]
VARIABLE = "POPSCOPE_FOREIGN_LIBRARY"
_FILE = "libpopscope_foreign.so"
_BUILD = Path(__file__).resolve().parents[2] / "build/foreign"
_PLACES = (_BUILD, Path("/usr/local/lib"), Path("/usr/lib"))
Array = np.ndarray[tuple[int], np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Rejected:
    """`samples` were not taken, of `series` (0: not counted); `example` is the first of them."""

    reason: Reason
    samples: int
    series: int
    example: str


@dataclass(frozen=True, slots=True)
class Window:
    """The times (unix ms) that are taken, and now (unix seconds)."""

    now: int
    oldest_ms: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a request holds: columns by name as `Column` numbers them, owned by this object."""

    columns: dict[Column, bytes]
    rejected: tuple[Rejected, ...] = ()
    exemplars_rejected: int = 0
    size: int = field(default=0)

    def array(self, column: Column, dtype: str) -> Array:
        return np.frombuffer(self.columns.get(column, b""), dtype)

    @property
    def samples(self) -> int:
        return len(self.columns.get(Column.SAMPLE_TIME, b"")) // 8

    @property
    def histograms(self) -> int:
        return len(self.columns.get(Column.HISTOGRAM_TIME, b"")) // 8

    @property
    def exemplars(self) -> int:
        return len(self.columns.get(Column.EXEMPLAR_TIME, b"")) // 8


class _Request(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_uint32),
        ("tenant", ctypes.c_uint32),
        ("now", ctypes.c_uint32),
        ("oldest", ctypes.c_int64),
        ("newest", ctypes.c_int64),
        ("columns_limit", ctypes.c_uint64),
    )


class _View(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_uint64))


class _Stored(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("ids", "seen", "names", "name_ends", "label_ends")),
        ("label_names", ctypes.c_void_p),
        ("label_name_ends", ctypes.c_void_p),
        ("label_values", ctypes.c_void_p),
        ("label_value_ends", ctypes.c_void_p),
        ("count", ctypes.c_uint64),
    )


@cache
def _library() -> ctypes.CDLL:
    given = os.environ.get(VARIABLE)
    places = [Path(given)] if given else [folder / _FILE for folder in _PLACES]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise NotBuilt(
            f"{_FILE} is not at {places[0]}: run `make setup` in a checkout, or set {VARIABLE}"
        )
    lib = ctypes.CDLL(str(found))
    u32, u64, pointer = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
    signatures: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "fm_table_new": (pointer, (u32, u64, u64, u64)),
        "fm_table_delete": (None, (pointer,)),
        "fm_batch_new": (pointer, ()),
        "fm_batch_delete": (None, (pointer,)),
        "fm_take": (ctypes.c_int, (pointer, pointer, pointer, pointer, u64)),
        "fm_batch_columns": (None, (pointer, pointer)),
        "fm_batch_all_rejected": (u64, (pointer,)),
        "fm_batch_error": (ctypes.c_char_p, (pointer,)),
        "fm_batch_rejected": (ctypes.c_char_p, (pointer, u32, pointer)),
        "fm_batch_exemplars_rejected": (u64, (pointer,)),
        "fm_tenant_add": (ctypes.c_int, (pointer, ctypes.c_char_p, ctypes.c_size_t, u32)),
        "fm_table_series": (u32, (pointer, u32)),
        "fm_table_count": (u32, (pointer, pointer)),
        "fm_table_saved": (None, (pointer, pointer, u64, u32)),
        "fm_table_doubt": (None, (pointer,)),
        "fm_table_load": (ctypes.c_int64, (pointer, u32, pointer)),
        "fm_series_forget": (ctypes.c_int64, (pointer, u32)),
        "fm_sort": (ctypes.c_int, (pointer, pointer, pointer, u64)),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class Table:
    """The series that are known, and the decoding against them.

    `limit` series and `key_bytes` of their labels, of all tenants together. Raises NotBuilt.
    """

    def __init__(self, limit: int, key_bytes: int) -> None:
        lib = _library()
        secret = secrets.randbits(64), secrets.randbits(64)
        self._table = lib.fm_table_new(limit, key_bytes, *secret)
        self._batch = lib.fm_batch_new()
        self._views = (_View * len(Column))()
        if not self._table or not self._batch:
            raise MemoryError("there is no memory for a table of series")

    def __del__(self) -> None:
        if getattr(self, "_batch", None):
            _library().fm_batch_delete(self._batch)
            _library().fm_table_delete(self._table)

    def add_tenant(self, name: str, limit: int) -> int:
        """The number of a new tenant that may have `limit` series."""
        data = name.encode()
        number = int(_library().fm_tenant_add(self._table, data, len(data), limit))
        if number < 0:
            raise MemoryError("there is no memory for a tenant")
        return number

    def series(self, tenant: int) -> int:
        """How many a tenant has."""
        return int(_library().fm_table_series(self._table, tenant))

    def size(self) -> tuple[int, int]:
        """How many series there are, and the bytes of memory that they take."""
        size = ctypes.c_uint64()
        count = int(_library().fm_table_count(self._table, ctypes.byref(size)))
        return count, size.value

    def take(
        self,
        tenant: int,
        form: Format,
        body: bytes | pa.Buffer,
        window: Window,
        columns_limit: int = 1 << 28,
    ) -> Decoded:
        """Decode an unpacked body; columns that are empty are left out.

        Raises BadRequest (nothing of it was taken then), TooLarge.
        """
        lib = _library()
        request = _Request(
            form, tenant, window.now, window.oldest_ms, window.newest_ms, columns_limit
        )
        data = pa.py_buffer(body)
        code = lib.fm_take(self._table, self._batch, ctypes.byref(request), data.address, data.size)
        if code == -errno.EBADMSG:
            raise BadRequest(lib.fm_batch_error(self._batch).decode(errors="replace"))
        if code == -errno.E2BIG:
            raise TooLarge(
                f"the request is more than {columns_limit} bytes as rows: send less at once"
            )
        if code:
            raise MemoryError(os.strerror(-code))
        lib.fm_batch_columns(self._batch, self._views)
        columns = {
            column: ctypes.string_at(view.data, view.size)
            for column, view in zip(Column, self._views, strict=True)
            if view.size
        }
        return Decoded(
            columns,
            self._rejected(),
            int(lib.fm_batch_exemplars_rejected(self._batch)),
            sum(map(len, columns.values())),
        )

    def _rejected(self) -> tuple[Rejected, ...]:
        if not _library().fm_batch_all_rejected(self._batch):
            return ()
        counts, found = (ctypes.c_uint64 * 2)(), []
        for reason in Reason:
            example = _library().fm_batch_rejected(self._batch, reason, counts)
            if counts[0] or counts[1]:
                text = example.decode(errors="replace")
                found.append(Rejected(reason, counts[0], counts[1], text))
        return tuple(found)

    def saved(self, ids: Array, now: int) -> None:
        """The store has these series (u64) since `now` (unix seconds)."""
        ids = np.ascontiguousarray(ids, np.uint64)
        _library().fm_table_saved(self._table, ids.ctypes.data, len(ids), now)

    def doubt(self) -> None:
        """A commit failed: metadata is handed on again with the next samples."""
        _library().fm_table_doubt(self._table)

    def forget(self, before: int) -> int:
        """Forget the series without a sample since `before` (unix seconds); returns how many."""
        forgotten = int(_library().fm_series_forget(self._table, before))
        if forgotten < 0:
            raise MemoryError(os.strerror(-forgotten))
        return forgotten

    def load(
        self, tenant: int, ids: Array, seen: Array, names: pa.StringArray, labels: pa.MapArray
    ) -> int:
        """Take series from the store: ids u64, seen u32 (unix seconds); returns how many."""
        ids, seen = np.ascontiguousarray(ids, np.uint64), np.ascontiguousarray(seen, np.uint32)
        texts = [_text(names), _text(labels.keys), _text(labels.items)]
        ends = np.frombuffer(labels.buffers()[1], np.int32)[labels.offset :]
        stored = _Stored(
            ids.ctypes.data, seen.ctypes.data, texts[0][1], texts[0][0].ctypes.data,
            ends.ctypes.data, texts[1][1], texts[1][0].ctypes.data, texts[2][1],
            texts[2][0].ctypes.data, len(ids),
        )  # fmt: skip
        taken = int(_library().fm_table_load(self._table, tenant, ctypes.byref(stored)))
        if taken < 0:
            raise MemoryError(os.strerror(-taken))
        return taken


def sort_samples(series: Array, times: Array, values: Array) -> None:
    """Sort columns of 8 bytes by series (u64), in place; the rest keeps its order in a series."""
    columns = (series, times, values)
    assert all(c.flags.c_contiguous and c.itemsize == 8 and len(c) == len(series) for c in columns)
    code = _library().fm_sort(*(column.ctypes.data for column in columns), len(series))
    if code:
        raise MemoryError(os.strerror(-code))


_NOTHING = ctypes.create_string_buffer(1)


def _text(array: pa.StringArray) -> tuple[Array, int]:
    """Offsets (i32) and the address of the bytes of strings. The array must outlive it."""
    _, offsets, data = array.buffers()
    if offsets is None or offsets.size == 0:
        return np.zeros(1, np.int32), ctypes.addressof(_NOTHING)
    address = data.address if data is not None else ctypes.addressof(_NOTHING)
    return np.frombuffer(offsets, np.int32)[array.offset :], address
