"""The decoder in C against its twin in Python, on whole bodies and on damaged ones."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadRequest
from pipeline.foreign.native import Column as C
from pipeline.foreign.native import Decoded, Format, Table, Window, sort_samples
from tests.unit import foreign_wire as wire
from tests.unit.foreign_twin import Labels, Malformed, Taken, Twin

NOW = 1_764_300_000
WINDOW = Window(NOW, (NOW - 86400) * 1000, (NOW + 3600) * 1000)


def _texts(decoded: Decoded, column: C, ends: C) -> list[bytes]:
    places = [0, *decoded.array(ends, "<i4").tolist()]
    data = decoded.columns.get(column, b"")
    return [data[a:b] for a, b in pairwise(places)]


def _sets(decoded: Decoded, end: C, name: C, name_end: C, value: C, value_end: C) -> list[Labels]:
    names, values = _texts(decoded, name, name_end), _texts(decoded, value, value_end)
    places = [0, *decoded.array(end, "<i4").tolist()]
    pairs = list(zip(names, values, strict=True))
    return [tuple(pairs[a:b]) for a, b in pairwise(places)]


def _series(decoded: Decoded) -> dict[int, Labels]:
    names = _texts(decoded, C.SERIES_NAME, C.SERIES_NAME_END)
    labels = _sets(
        decoded, C.SERIES_LABEL_END, C.LABEL_NAME, C.LABEL_NAME_END, C.LABEL_VALUE,
        C.LABEL_VALUE_END,
    )  # fmt: skip
    ids = decoded.array(C.SERIES_ID, "<u8").tolist()
    assert len(set(ids)) == len(ids)
    return {
        i: tuple(sorted((*own, (b"__name__", name))))
        for i, name, own in zip(ids, names, labels, strict=True)
    }


def taken(decoded: Decoded) -> Taken:
    """What C made, in the twin's form."""
    series = _series(decoded)
    columns = (C.SAMPLE_SERIES, C.SAMPLE_TIME, C.SAMPLE_VALUE)
    kinds = ("<u8", "<i8", "<u8")
    triples = zip(
        *(decoded.array(c, k).tolist() for c, k in zip(columns, kinds, strict=True)), strict=True
    )
    own = _sets(
        decoded, C.EXEMPLAR_LABEL_END, C.EXEMPLAR_LABEL_NAME, C.EXEMPLAR_LABEL_NAME_END,
        C.EXEMPLAR_LABEL_VALUE, C.EXEMPLAR_LABEL_VALUE_END,
    )  # fmt: skip
    exemplars = zip(
        decoded.array(C.EXEMPLAR_SERIES, "<u8").tolist(),
        decoded.array(C.EXEMPLAR_TIME, "<i8").tolist(),
        decoded.array(C.EXEMPLAR_VALUE, "<u8").tolist(),
        own,
        strict=True,
    )
    texts = _texts(decoded, C.METADATA, C.METADATA_END)
    types = decoded.columns.get(C.METADATA_TYPE, b"")
    return Taken(
        [(series[i], t, v) for i, t, v in triples],
        _histograms(decoded, series),
        [(series[i], t, v, labels) for i, t, v, labels in exemplars],
        [(kind, *texts[3 * n : 3 * n + 3]) for n, kind in enumerate(types)],  # type: ignore[misc]
        sum(r.samples for r in decoded.rejected),
        decoded.exemplars_rejected,
    )


def _histograms(decoded: Decoded, series: dict[int, Labels]) -> list[tuple[Any, ...]]:
    buckets = list(
        zip(
            decoded.array(C.BUCKET_INDEX, "<i4").tolist(),
            decoded.array(C.BUCKET_COUNT, "<u8").tolist(),
            strict=True,
        )
    )
    positive = decoded.array(C.BUCKET_POSITIVE_END, "<i4").tolist()
    negative = [0, *decoded.array(C.BUCKET_NEGATIVE_END, "<i4").tolist()]
    bounds, ends = decoded.array(C.BOUND, "<u8").tolist(), [0]
    ends += decoded.array(C.BOUND_END, "<i4").tolist()
    numbers = decoded.array(C.HISTOGRAM_NUMBERS, "<u8").reshape(-1, 4).tolist()
    return [
        (
            series[i],
            decoded.array(C.HISTOGRAM_TIME, "<i8").tolist()[n],
            decoded.array(C.HISTOGRAM_SCHEMA, "<i4").tolist()[n],
            decoded.columns[C.HISTOGRAM_RESET][n],
            numbers[n],
            buckets[negative[n] : positive[n]],
            buckets[positive[n] : negative[n + 1]],
            bounds[ends[n] : ends[n + 1]],
        )
        for n, i in enumerate(decoded.array(C.HISTOGRAM_SERIES, "<u8").tolist())
    ]


def _same(form: Format, body: bytes) -> None:
    table = Table(10_000, 1 << 24)
    tenant = table.add_tenant("t", 10_000)
    twin = Twin(WINDOW.oldest_ms, WINDOW.newest_ms)
    try:
        expected: Taken | None = twin.rw1(body) if form is Format.RW1 else twin.rw2(body)
    except Malformed:
        expected = None
    try:
        found: Taken | None = taken(table.take(tenant, form, body, WINDOW))
    except BadRequest:
        found = None
        assert table.size()[0] == 0
    assert found == expected
    if found is not None and found.samples:  # known series: the other way through the table
        again = table.take(tenant, form, body, WINDOW)
        ids = again.array(C.SAMPLE_SERIES, "<u8")
        assert len(ids) == len(found.samples)
        assert len(np.unique(ids)) == len({labels for labels, _, _ in found.samples})


words = st.one_of(
    st.sampled_from(["", "__name__", "job", "a", "ä", "zone"]),
    st.text(max_size=6),
    st.binary(max_size=4).map(lambda b: b.decode("latin-1")),
)
names = st.fixed_dictionaries({"__name__": st.sampled_from(["up", "x", ""])})
label_sets = st.tuples(names, st.dictionaries(words, words, max_size=5)).map(
    lambda two: {**two[1], **two[0]}
)
times = st.one_of(
    st.integers(WINDOW.oldest_ms - 2, WINDOW.newest_ms + 2), st.just(NOW * 1000), st.just(-1)
)
values = st.floats(width=64)
junk = st.one_of(
    st.just(b""),
    st.integers(17, 400).map(lambda n: wire.integer(n, 7)),
    st.integers(17, 400).map(lambda n: wire.message(n, b"xyz")),
)


@st.composite
def samples(draw: st.DrawFn) -> bytes:
    inner = [wire.double(1, draw(values)), wire.integer(2, draw(times)), draw(junk)]
    return wire.message(2, b"".join(draw(st.permutations(inner))))


@st.composite
def histograms(draw: st.DrawFn, number: int = 4) -> bytes:
    parts = [
        wire.integer(15, draw(times)),
        wire.double(3, draw(values)),
        wire.integer(4, draw(st.integers(0, 40))),
        draw(st.sampled_from([wire.integer(1, 9), wire.double(2, 2.5), b""])),
        draw(st.sampled_from([wire.integer(6, 1), wire.double(7, 0.5), b""])),
        draw(st.sampled_from([wire.double(5, 1e-9), wire.integer(14, 2), b""])),
    ]
    for spans in (8, 11):
        counts = 0
        for _ in range(draw(st.integers(0, 3))):
            length = draw(st.integers(0, 3))
            counts += length
            offset = draw(st.integers(0, 20))
            parts.append(wire.message(spans, wire.integer(1, offset) + wire.integer(2, length)))
        counts += draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
        if draw(st.booleans()):
            deltas = [wire.varint(draw(st.integers(0, 9))) for _ in range(counts)]
            parts.append(wire.message(spans + 1, b"".join(deltas)))
        else:
            parts += [wire.double(spans + 2, draw(values)) for _ in range(counts)]
    parts += [wire.double(16, 0.5 * n) for n in range(draw(st.integers(0, 2)))]
    return wire.message(number, b"".join(parts))


@st.composite
def labels1(draw: st.DrawFn) -> list[bytes]:
    pairs = list(draw(label_sets).items())
    pairs = draw(st.permutations(pairs)) if draw(st.booleans()) else sorted(pairs)
    pairs += draw(st.sampled_from([[], [], [], [("job", "again")]]))
    return [wire.message(1, wire.text(1, n) + wire.text(2, v)) for n, v in pairs]


@st.composite
def exemplars1(draw: st.DrawFn) -> bytes:
    own = b"".join(draw(labels1()))
    return wire.message(3, own + wire.double(2, draw(values)) + wire.integer(3, draw(times)))


@st.composite
def bodies1(draw: st.DrawFn) -> bytes:
    body = []
    for _ in range(draw(st.integers(0, 4))):
        rest = draw(st.lists(st.one_of(samples(), samples(), exemplars1(), histograms(), junk)))
        parts = [*draw(labels1()), *rest]
        parts = draw(st.permutations(parts)) if draw(st.integers(0, 9)) == 0 else parts
        body.append(wire.message(1, b"".join(parts)))
    if draw(st.booleans()):
        body.append(wire.metadata1(draw(words), draw(st.integers(0, 9)), draw(words), draw(words)))
    body.append(draw(junk))
    return b"".join(draw(st.permutations(body)))


@st.composite
def bodies2(draw: st.DrawFn) -> bytes:
    symbols, series = wire.Symbols(), []
    for _ in range(draw(st.integers(0, 4))):
        parts = [symbols.refs(draw(label_sets))]
        parts += draw(st.lists(st.one_of(samples(), histograms(3), junk), max_size=4))
        if draw(st.booleans()):
            own = symbols.refs(draw(label_sets))
            point = wire.double(2, draw(values)) + wire.integer(3, draw(times))
            parts.append(wire.message(4, own + point))
        if draw(st.booleans()):
            help_ref, unit_ref = symbols(draw(words)), symbols(draw(words))
            kind = wire.integer(1, draw(st.integers(0, 9)))
            told = kind + wire.integer(3, help_ref) + wire.integer(4, unit_ref)
            parts.append(wire.message(5, told))
        if draw(st.integers(0, 9)) == 0:  # references one by one
            parts.insert(0, b"".join(wire.integer(1, symbols(w)) for w in ("a", "b")))
        series.append(b"".join(draw(st.permutations(parts))))
    return symbols.request(series)


def _damage(draw: st.DrawFn, body: bytes) -> bytes:
    data = bytearray(body)
    for _ in range(draw(st.integers(1, 3))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                data[at] = draw(st.integers(0, 255))
            case 1:
                del data[at:]
            case 2:
                del data[at : at + draw(st.integers(1, 4))]
            case _:
                data[at:at] = draw(st.binary(min_size=1, max_size=4))
    return bytes(data)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Format, bytes]:
    form = draw(st.sampled_from([Format.RW1, Format.RW2]))
    return form, _damage(draw, draw(bodies1() if form is Format.RW1 else bodies2()))


@settings(deadline=None, max_examples=300)
@given(bodies1())
def test_remote_write_1(body: bytes) -> None:
    _same(Format.RW1, body)


@settings(deadline=None, max_examples=300)
@given(bodies2())
def test_remote_write_2(body: bytes) -> None:
    _same(Format.RW2, body)


@settings(deadline=None, max_examples=600)
@given(damaged())
def test_damage_is_seen_alike(case: tuple[Format, bytes]) -> None:
    _same(*case)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(list(Format)), st.binary(max_size=200))
def test_noise_is_refused_or_empty(form: Format, body: bytes) -> None:
    table = Table(100, 1 << 20)
    tenant = table.add_tenant("t", 100)
    with suppress(BadRequest):
        table.take(tenant, form, body, WINDOW)
        return
    assert table.size()[0] == 0


@pytest.mark.parametrize("size", [0, 1, 5])
def test_a_table_that_is_full_takes_what_it_knows(size: int) -> None:
    table = Table(size, 1 << 20)
    tenant = table.add_tenant("t", 100)
    body = b"".join(wire.series1({"__name__": f"m{n}"}, [(NOW * 1000, 1.0)]) for n in range(9))
    for _ in range(2):
        decoded = table.take(tenant, Format.RW1, body, WINDOW)
        assert decoded.samples == size
        assert decoded.rejected[0].samples == decoded.rejected[0].series == 9 - size


def test_idle_series_are_forgotten_and_come_back_as_they_were() -> None:
    table = Table(100, 1 << 20)
    tenant = table.add_tenant("t", 100)
    bodies = [wire.series1({"__name__": f"m{n}"}, [(NOW * 1000, 1.0)]) for n in range(20)]
    first = table.take(tenant, Format.RW1, b"".join(bodies), WINDOW)
    ids = first.array(C.SERIES_ID, "<u8").tolist()
    later = Window(NOW + 500, WINDOW.oldest_ms, WINDOW.newest_ms)
    table.take(tenant, Format.RW1, b"".join(bodies[::2]), later)
    assert table.forget(NOW + 1) == 10
    assert (table.size()[0], table.series(tenant)) == (10, 10)
    again = table.take(tenant, Format.RW1, b"".join(bodies), later)
    assert again.array(C.SAMPLE_SERIES, "<u8").tolist() == ids
    assert table.series(tenant) == 20


def test_a_fingerprint_that_is_taken_is_passed_over() -> None:
    one = Table(100, 1 << 20)
    body = wire.series1({"__name__": "m", "n": "1"}, [(NOW * 1000, 1.0)])
    wanted = one.take(one.add_tenant("t", 9), Format.RW1, body, WINDOW).array(C.SERIES_ID, "<u8")
    two = Table(100, 1 << 20)
    tenant = two.add_tenant("t", 9)
    labels = pa.array([[("n", "other")]], pa.map_(pa.string(), pa.string()))
    seen = np.array([NOW], np.uint32)
    assert two.load(tenant, wanted, seen, pa.array(["m"]), labels) == 1
    given_id = two.take(tenant, Format.RW1, body, WINDOW).array(C.SAMPLE_SERIES, "<u8")
    assert given_id.tolist() == [int(wanted[0]) + 1]


@given(st.lists(st.one_of(st.integers(0, 9), st.integers(0, (1 << 64) - 1)), max_size=300))
def test_samples_are_sorted_by_series_and_else_stay(ids: list[int]) -> None:
    series = np.array(ids, np.uint64)
    times, values = np.arange(len(ids), dtype=np.int64), np.arange(len(ids)) / 2
    order = np.argsort(series, kind="stable")
    expected = series[order], times[order], values[order]
    sort_samples(series, times, values)
    for found, wanted in zip((series, times, values), expected, strict=True):
        assert found.tolist() == wanted.tolist()
