"""From decoded requests to rows of the store: columns are joined, never looped over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.foreign.native import Array, Column, Decoded, sort_samples

DAY_MS = 86_400_000
TYPES = ("", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")
TEMPORALITIES = ("", "delta", "cumulative")
_MS = pa.timestamp("ms", tz="UTC")
_SECONDS = pa.timestamp("s", tz="UTC")
C = Column


@dataclass(frozen=True, slots=True)
class Request:
    """A decoded request of a tenant."""

    tenant: str
    decoded: Decoded


@dataclass(frozen=True, slots=True)
class Family:
    """What a sender says of a metric."""

    tenant: str
    name: str
    type: str
    unit: str
    help: str
    temporality: str


def samples(requests: Sequence[Request]) -> pa.Table | None:
    """(series, ts, value) in the order of the store, or None without any."""
    kinds = ((C.SAMPLE_SERIES, "<u8"), (C.SAMPLE_TIME, "<i8"), (C.SAMPLE_VALUE, "<f8"))
    series_, times, values = (_joined(requests, column, kind) for column, kind in kinds)
    sort_samples(series_, times, values)
    return _table({"series": series_, "ts": times, "value": values})


def series(requests: Sequence[Request], now: int) -> pa.Table | None:
    """New series and those that are due, each once."""
    told = [r for r in requests if C.SERIES_ID in r.decoded.columns]
    if not told:
        return None
    counts = [len(r.decoded.columns[C.SERIES_ID]) // 8 for r in told]
    names = pa.array([r.tenant for r in told]).dictionary_encode()
    tenants = names.take(pa.array(np.repeat(np.arange(len(told)), counts)))
    ids = _joined(told, C.SERIES_ID, "<u8")
    columns = {
        "tenant": tenants,
        "name": pa.concat_arrays([_names(r.decoded) for r in told]).dictionary_encode(),
        "series": ids,
        "labels": pa.concat_arrays([_labels(r.decoded, _SERIES_LABELS) for r in told]),
        "seen": pa.array(np.full(len(ids), now)).cast(_SECONDS),
    }
    _, first = np.unique(ids, return_index=True)
    return pa.table(columns).take(pa.array(first))


def families(requests: Sequence[Request]) -> Iterator[Family]:
    """The metadata of the requests; senders repeat it, so that it is a few rows."""
    for request in requests:
        decoded = request.decoded
        if C.METADATA_TYPE not in decoded.columns:
            continue
        texts = _text(decoded, C.METADATA, C.METADATA_END).to_pylist()
        for at, packed in enumerate(decoded.columns[C.METADATA_TYPE]):
            name, unit, text = texts[3 * at : 3 * at + 3]
            kind, temporality = TYPES[packed & 15], TEMPORALITIES[packed >> 4]
            yield Family(request.tenant, name, kind, unit, text, temporality)


def metrics(found: Sequence[Family], now: int) -> pa.Table:
    """Families as rows."""
    fields = ("tenant", "name", "type", "unit", "help", "temporality")
    columns = {f: pa.array([getattr(family, f) for family in found], pa.string()) for f in fields}
    return pa.table(columns | {"seen": pa.array(np.full(len(found), now)).cast(_SECONDS)})


def histograms(requests: Sequence[Request]) -> pa.Table | None:
    """One row a histogram."""
    had = [r.decoded for r in requests if C.HISTOGRAM_TIME in r.decoded.columns]
    return pa.concat_tables([_histograms(d) for d in had]) if had else None


def _histograms(decoded: Decoded) -> pa.Table:
    positive = decoded.array(C.BUCKET_POSITIVE_END, "<i4")
    negative = decoded.array(C.BUCKET_NEGATIVE_END, "<i4")
    ends = np.column_stack([positive, negative]).ravel()
    index = pa.array(decoded.array(C.BUCKET_INDEX, "<i4"))
    count = pa.array(decoded.array(C.BUCKET_COUNT, "<f8"))
    buckets, counts = _lists(ends, index), _lists(ends, count)
    even = pa.array(np.arange(0, len(ends), 2))
    odd = pa.array(np.arange(1, len(ends), 2))
    numbers = decoded.array(C.HISTOGRAM_NUMBERS, "<f8").reshape(-1, 4)
    bounds = _lists(decoded.array(C.BOUND_END, "<i4"), pa.array(decoded.array(C.BOUND, "<f8")))
    table = _table(
        {
            "series": decoded.array(C.HISTOGRAM_SERIES, "<u8"),
            "ts": decoded.array(C.HISTOGRAM_TIME, "<i8"),
            "count": numbers[:, 0],
            "sum": numbers[:, 1],
            "schema": decoded.array(C.HISTOGRAM_SCHEMA, "<i4"),
            "reset_hint": decoded.array(C.HISTOGRAM_RESET, "u1"),
            "zero_threshold": numbers[:, 2],
            "zero_count": numbers[:, 3],
            "buckets": buckets.take(even),
            "counts": counts.take(even),
            "negative_buckets": buckets.take(odd),
            "negative_counts": counts.take(odd),
            "bounds": bounds,
        }
    )
    assert table is not None
    return table


def exemplars(requests: Sequence[Request]) -> pa.Table | None:
    """One row an exemplar."""
    had = [r for r in requests if C.EXEMPLAR_TIME in r.decoded.columns]
    if not had:
        return None
    return _table(
        {
            "series": _joined(had, C.EXEMPLAR_SERIES, "<u8"),
            "ts": _joined(had, C.EXEMPLAR_TIME, "<i8"),
            "value": _joined(had, C.EXEMPLAR_VALUE, "<f8"),
            "labels": pa.concat_arrays([_labels(r.decoded, _EXEMPLAR_LABELS) for r in had]),
        }
    )


def by_day(rows: pa.Table) -> Iterator[pa.Table]:
    """One table a day: a partition each, so that one insert is one part."""
    days = rows.column("ts").cast(pa.int64()).to_numpy() // DAY_MS
    first, last = int(days.min()), int(days.max())
    if first == last:
        yield rows
        return
    for day in np.unique(days):
        yield rows.filter(pa.array(days == day))


def _table(columns: dict[str, Array | pa.Array]) -> pa.Table | None:
    if not len(columns["ts"]):
        return None
    return pa.table(columns | {"ts": pa.array(columns["ts"]).cast(_MS)})


def _joined(requests: Sequence[Request], column: Column, dtype: str) -> Array:
    return np.concatenate([r.decoded.array(column, dtype) for r in requests])


_SERIES_LABELS = (
    C.SERIES_LABEL_END,
    C.LABEL_NAME,
    C.LABEL_NAME_END,
    C.LABEL_VALUE,
    C.LABEL_VALUE_END,
)
_EXEMPLAR_LABELS = (
    C.EXEMPLAR_LABEL_END,
    C.EXEMPLAR_LABEL_NAME,
    C.EXEMPLAR_LABEL_NAME_END,
    C.EXEMPLAR_LABEL_VALUE,
    C.EXEMPLAR_LABEL_VALUE_END,
)


def _names(decoded: Decoded) -> pa.StringArray:
    return _text(decoded, C.SERIES_NAME, C.SERIES_NAME_END)


def _labels(decoded: Decoded, columns: tuple[Column, ...]) -> pa.MapArray:
    end, name, name_end, value, value_end = columns
    names, values = _text(decoded, name, name_end), _text(decoded, value, value_end)
    return pa.MapArray.from_arrays(_offsets(decoded.array(end, "<i4")), names, values)


def _text(decoded: Decoded, column: Column, ends: Column) -> pa.StringArray:
    offsets = _offsets(decoded.array(ends, "<i4"))
    data = pa.py_buffer(decoded.columns.get(column, b""))
    return pa.StringArray.from_buffers(len(offsets) - 1, offsets.buffers()[1], data)


def _lists(ends: Array, values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(_offsets(ends), values)


def _offsets(ends: Array) -> pa.Int32Array:
    return pa.array(np.concatenate([np.zeros(1, np.int32), ends.astype(np.int32)]))
