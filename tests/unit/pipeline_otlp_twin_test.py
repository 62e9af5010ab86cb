"""OTLP in C against Protobuf's own reader and a model in Python; JSON against Protobuf."""

from __future__ import annotations

import json
import math
from typing import Any

from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

from pipeline.foreign.native import Format, Table
from tests.unit.foreign_twin import Labels, Taken, bits, key
from tests.unit.pipeline_foreign_twin_test import NOW, WINDOW, taken

STALE = 0x7FF0000000000002
words = st.one_of(st.sampled_from(["", "host", "a", "__name__", 'q"\\\n']), st.text(max_size=5))
scalars = st.one_of(
    words.map(lambda v: {"string_value": v}),
    st.booleans().map(lambda v: {"bool_value": v}),
    st.integers(-(1 << 63), (1 << 63) - 1).map(lambda v: {"int_value": v}),
    st.floats().map(lambda v: {"double_value": v}),
    st.binary(max_size=4).map(lambda v: {"bytes_value": v}),
    st.just({}),
)
any_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda v: {"array_value": {"values": v}}),
        st.lists(st.tuples(words, inner), max_size=2).map(
            lambda v: {"kvlist_value": {"values": [{"key": k, "value": x} for k, x in v]}}
        ),
    ),
    max_leaves=3,
)
attributes = st.lists(
    st.tuples(words, any_values).map(lambda kv: {"key": kv[0], "value": kv[1]}), max_size=4
)
times = st.integers(WINDOW.oldest_ms - 1, WINDOW.newest_ms + 1).map(lambda t: t * 1_000_000 + 7)
points = st.fixed_dictionaries(
    {"time_unix_nano": st.one_of(times, st.just(NOW * 10**9)), "attributes": attributes},
    optional={"flags": st.integers(0, 1)},
).flatmap(
    lambda point: st.one_of(
        st.floats().map(lambda v: point | {"as_double": v}),
        st.integers(-(1 << 63), (1 << 63) - 1).map(lambda v: point | {"as_int": v}),
        st.just(point),
    )
)
counts = st.lists(st.integers(0, 1 << 60), max_size=3)
listed = st.fixed_dictionaries(
    {
        "time_unix_nano": st.just(NOW * 10**9),
        "attributes": attributes,
        "bucket_counts": counts,
        "explicit_bounds": st.lists(st.floats(allow_nan=False), max_size=2),
    },
    optional={"sum": st.floats(), "count": st.integers(0, 9), "flags": st.integers(0, 1)},
)
sides = st.fixed_dictionaries({"offset": st.integers(-9, 9), "bucket_counts": counts})
wide = st.fixed_dictionaries(
    {"time_unix_nano": st.just(NOW * 10**9), "attributes": attributes, "positive": sides},
    optional={"negative": sides, "scale": st.integers(-10, 20), "zero_count": st.integers(0, 9)},
)
quantiles = st.fixed_dictionaries({"quantile": st.floats(0, 1), "value": st.floats()})
summaries = st.fixed_dictionaries(
    {
        "time_unix_nano": st.just(NOW * 10**9),
        "attributes": attributes,
        "quantile_values": st.lists(quantiles, max_size=2),
    },
    optional={"sum": st.floats(), "count": st.integers(0, 9)},
)


def _data(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(of, max_size=3).map(lambda found: {"data_points": found})


numbers = st.one_of(
    st.tuples(words, _data(points)).map(lambda m: {"name": m[0], "gauge": m[1]}),
    st.tuples(words, _data(points)).map(lambda m: {"name": m[0], "sum": m[1]}),
)
others = st.one_of(
    _data(listed).map(lambda d: {"name": "listed", "histogram": d}),
    _data(wide).map(lambda d: {"name": "wide", "exponential_histogram": d}),
    _data(summaries).map(lambda d: {"name": "summary", "summary": d}),
)


def _requests(
    metrics: st.SearchStrategy[Any],
) -> st.SearchStrategy[service.ExportMetricsServiceRequest]:
    scopes = st.fixed_dictionaries(
        {
            "scope": st.fixed_dictionaries({"name": words, "version": words}),
            "metrics": st.lists(metrics, max_size=3),
        }
    )
    resources = st.fixed_dictionaries(
        {
            "resource": st.fixed_dictionaries({"attributes": attributes}),
            "scope_metrics": st.lists(scopes, max_size=2),
        }
    )
    return st.lists(resources, max_size=2).map(
        lambda found: service.ExportMetricsServiceRequest(resource_metrics=found)
    )


def _take(form: Format, body: bytes) -> Taken:
    table = Table(10_000, 1 << 24)
    return taken(table.take(table.add_tenant("t", 10_000), form, body, WINDOW))


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return next(t for d in (15, 16, 17) if float(t := f"{value:.{d}g}") == value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 32 else c for c in escaped) + '"'


def _text(value: Any, nested: bool = False) -> str:
    """An AnyValue as a label's value; inside of others as JSON."""
    match value.WhichOneof("value"):
        case "string_value":
            return _quoted(value.string_value) if nested else str(value.string_value)
        case "bytes_value":
            return f'"{value.bytes_value.hex()}"' if nested else str(value.bytes_value.hex())
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return _number(value.double_value)
        case "array_value":
            return "[" + ",".join(_text(v, True) for v in value.array_value.values) + "]"
        case "kvlist_value":
            pairs = value.kvlist_value.values
            return "{" + ",".join(f"{_quoted(p.key)}:{_text(p.value, True)}" for p in pairs) + "}"
    return "null" if nested else ""


def _labels(name: str, point: Any, resource: Any, scope: Any) -> Labels | None:
    pairs = [("__name__", name)]
    for attribute in (*point.attributes, *resource.attributes):
        pairs.append((attribute.key, _text(attribute.value)))
    named = (("otel.scope.name", scope.name), ("otel.scope.version", scope.version))
    pairs += [pair for pair in named if pair[1]]
    return key([(n.encode(), v.encode()) for n, v in pairs], first_wins=True)


def _expected(asked: service.ExportMetricsServiceRequest) -> Taken:
    found = Taken()
    for of in asked.resource_metrics:
        for scope in of.scope_metrics:
            for metric in scope.metrics:
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    labels = _labels(metric.name, point, of.resource, scope.scope)
                    _point(found, labels, point)
    return found


def _point(found: Taken, labels: Labels | None, point: Any) -> None:
    time, which = point.time_unix_nano // 1_000_000, point.WhichOneof("value")
    stale = point.flags & 1
    taken_ = labels is not None and WINDOW.oldest_ms <= time <= WINDOW.newest_ms
    if not taken_ or not (which or stale):
        found.rejected += 1
        return
    assert labels is not None
    value = STALE if stale else bits(float(getattr(point, which)))
    found.samples.append((labels, time, value))


@settings(deadline=None, max_examples=200)
@given(_requests(numbers))
def test_numbers_are_what_the_model_says(asked: service.ExportMetricsServiceRequest) -> None:
    found, expected = _take(Format.OTLP, asked.SerializeToString()), _expected(asked)
    assert _quiet(found.samples) == _quiet(expected.samples)
    assert found.rejected == expected.rejected


def _quiet(samples: list[tuple[Labels, int, int]]) -> list[tuple[Labels, int, int]]:
    """NaN has many forms; Python's way through a C double may quiet one."""
    nan = 0x7FF0000000000000
    return [(n, t, nan if v & nan == nan and v & ~(1 << 63) not in (nan, STALE) else v)
            for n, t, v in samples]  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(_requests(st.one_of(numbers, others)))
def test_json_is_what_protobuf_is(asked: service.ExportMetricsServiceRequest) -> None:
    text = json_format.MessageToJson(asked, use_integers_for_enums=True)
    one = _take(Format.OTLP, asked.SerializeToString())
    two = _take(Format.OTLP_JSON, text.encode())
    three = _take(Format.OTLP_JSON, json.dumps(json.loads(text), ensure_ascii=False).encode())
    for other in (two, three):
        assert _quiet(other.samples) == _quiet(one.samples)
        assert repr(other.histograms) == repr(one.histograms)
        assert (other.metadata, other.rejected) == (one.metadata, one.rejected)
