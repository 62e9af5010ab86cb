"""OTLP over HTTP: an OpenTelemetry SDK as a sender, both encodings, partial success."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from pipeline.foreign.otlp import PATH
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_remote_write_test import FAST, OPTIONS, SAMPLES, rows
from tests.unit.pipeline_serving import CONFIG, Client, serving
from tests.unit.pipeline_stores import fresh_store

NOW = int(time.time()) * 1000
NS = NOW * 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path / "store")
    yield opened
    opened.close()


def request() -> service.ExportMetricsServiceRequest:
    """A resource, a scope, and one metric of every kind."""
    asked = service.ExportMetricsServiceRequest()
    resource = asked.resource_metrics.add()
    for key, value in (("service.name", "shop"), ("host", "resource's")):
        resource.resource.attributes.add(key=key).value.string_value = value
    scope = resource.scope_metrics.add()
    scope.scope.name, scope.scope.version = "library", "1.2"
    gauge = scope.metrics.add(name="room.temperature", unit="Cel", description="How warm.")
    point = gauge.gauge.data_points.add(time_unix_nano=NS, as_double=21.5)
    point.attributes.add(key="host").value.string_value = "point's"
    point.attributes.add(key="floor").value.int_value = -3
    point.attributes.add(key="heated").value.bool_value = True
    point.attributes.add(key="share").value.double_value = 0.1
    for item in (1, 2):
        point.attributes.add(key="list").value.array_value.values.add().int_value = item
    total = scope.metrics.add(name="requests", unit="1")
    total.sum.aggregation_temporality = pb.AGGREGATION_TEMPORALITY_CUMULATIVE
    total.sum.is_monotonic = True
    total.sum.data_points.add(time_unix_nano=NS, as_int=1 << 52)
    total.sum.data_points.add(time_unix_nano=NS + 1_000_000, flags=1)
    listed = scope.metrics.add(name="latency", unit="s")
    listed.histogram.aggregation_temporality = pb.AGGREGATION_TEMPORALITY_DELTA
    had = listed.histogram.data_points.add(time_unix_nano=NS, count=7, sum=1.5)
    had.bucket_counts.extend([4, 0, 3])
    had.explicit_bounds.extend([0.1, 1.0])
    example = had.exemplars.add(time_unix_nano=NS, as_double=0.3, trace_id=b"\x01" * 16)
    example.filtered_attributes.add(key="user").value.string_value = "u1"
    wide = scope.metrics.add(name="sizes")
    spread = wide.exponential_histogram.data_points.add(
        time_unix_nano=NS, count=6, sum=9.0, scale=2, zero_count=1, zero_threshold=0.001
    )
    spread.positive.offset = -2
    spread.positive.bucket_counts.extend([1, 2])
    spread.negative.offset = 4
    spread.negative.bucket_counts.extend([2])
    summary = scope.metrics.add(name="duration")
    of = summary.summary.data_points.add(time_unix_nano=NS, count=10, sum=2.5)
    of.quantile_values.add(quantile=0.99, value=0.7)
    return asked


async def export(
    client: Client, body: bytes, kind: str = "application/x-protobuf", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    given = {"Content-Type": kind} | {n.replace("_", "-"): v for n, v in headers.items()}
    async with client.session.post(client.url + PATH, data=body, headers=given) as answer:
        return answer.status, await answer.read(), dict(answer.headers)


def as_json(asked: service.ExportMetricsServiceRequest) -> bytes:
    """As OTLP writes it: enums are numbers, ids are hexadecimal."""
    text: dict[str, Any] = json.loads(json_format.MessageToJson(asked, use_integers_for_enums=True))
    for scope in text["resourceMetrics"][0]["scopeMetrics"]:
        for metric in scope["metrics"]:
            for point in metric.get("histogram", {}).get("dataPoints", []):
                for example in point.get("exemplars", []):
                    example["traceId"] = "01" * 16
    return json.dumps(text).encode()


@pytest.mark.parametrize("kind", ["application/x-protobuf", "application/json"])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
async def test_every_kind_of_metric_is_stored(
    store: EmbeddedStore, kind: str, encoding: str
) -> None:
    asked = request()
    plain = as_json(asked) if kind.endswith("json") else asked.SerializeToString()
    pack = {"gzip": gzip.compress, "zstd": lambda b: pa.compress(b, codec="zstd", asbytes=True)}
    body = pack.get(encoding, bytes)(plain)
    async with serving(store, FAST) as client:
        status, answer, headers = await export(client, body, kind, Content_Encoding=encoding)
        assert (status, answer) == (200, b"{}" if kind.endswith("json") else b"")
        assert headers["Content-Type"].partition(";")[0] == kind
    _check_samples(store)
    _check_histograms(store)


def _check_samples(store: EmbeddedStore) -> None:
    found = {
        (r["name"], dict(r["labels"]).get("quantile", ""), r["t"]): r for r in rows(store, SAMPLES)
    }
    gauge = found["room.temperature", "", NOW]
    assert gauge["value"] == 21.5
    assert dict(gauge["labels"]) == {
        "service.name": "shop",
        "host": "point's",
        "otel.scope.name": "library",
        "otel.scope.version": "1.2",
        "floor": "-3",
        "heated": "true",
        "share": "0.1",
        "list": "[1]",  # of two attributes with one name the first
    }
    assert found["requests", "", NOW]["value"] == 1 << 52
    assert found["duration_count", "", NOW]["value"] == 10
    assert found["duration_sum", "", NOW]["value"] == 2.5
    assert found["duration", "0.99", NOW]["value"] == 0.7
    assert len(found) == 6
    sql = "SELECT count() AS n FROM samples WHERE reinterpretAsUInt64(value) = 0x7ff0000000000002"
    assert rows(store, sql) == [{"n": 1}]
    told = rows(store, "SELECT name, type, unit, help, temporality FROM metrics ORDER BY name")
    assert told[-1] == {
        "name": "sizes", "type": "histogram", "unit": "", "help": "", "temporality": ""
    }  # fmt: skip
    assert [(m["name"], m["type"], m["temporality"]) for m in told[:-1]] == [
        ("duration", "summary", ""),
        ("latency", "histogram", "delta"),
        ("requests", "counter", "cumulative"),
        ("room.temperature", "gauge", ""),
    ]


def _check_histograms(store: EmbeddedStore) -> None:
    listed, spread = rows(
        store,
        "SELECT h.* EXCEPT series, d.name AS name FROM histograms AS h JOIN series AS d "
        "USING (series) ORDER BY name",
    )
    assert (listed["count"], listed["sum"], listed["schema"]) == (7, 1.5, -53)
    assert (listed["buckets"], listed["counts"]) == ([0, 1, 2], [4, 0, 3])
    assert listed["bounds"] == [0.1, 1.0]
    assert (spread["schema"], spread["zero_count"], spread["zero_threshold"]) == (2, 1, 0.001)
    assert (spread["buckets"], spread["counts"]) == ([-1, 0], [1, 2])
    assert (spread["negative_buckets"], spread["negative_counts"]) == ([5], [2])
    (example,) = rows(
        store, "SELECT value, CAST(labels, 'Map(String, String)') AS labels FROM exemplars"
    )
    assert example["value"] == 0.3
    assert dict(example["labels"]) == {"user": "u1", "trace_id": "01" * 16}


async def test_what_is_not_taken_is_partial_success(store: EmbeddedStore) -> None:
    config = replace(CONFIG, foreign=replace(OPTIONS, tenant_series=3))
    asked = request()
    asked.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points.add(time_unix_nano=NS)
    async with serving(store, config) as client:
        status, body, _ = await export(client, asked.SerializeToString())
        assert status == 200
        answer = service.ExportMetricsServiceResponse.FromString(body).partial_success
        assert answer.rejected_data_points == 6
        assert "3 active series" in answer.error_message
        status, body, _ = await export(client, as_json(asked), "application/json")
        assert status == 200
        assert json.loads(body)["partialSuccess"]["rejectedDataPoints"] == "6"


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "status", "word"),
    [
        (b"{}", "text/plain", "identity", 415, "application/json"),
        (b"{}", "application/json", "br", 415, "gzip"),
        (b"{", "application/json", "identity", 400, "at byte 1"),
        (b'{"resourceMetrics":[{"resource":7}]}', "application/json", "identity", 400, "object"),
        (b'{"x":' + b"[" * 100, "application/json", "identity", 400, "deeper than 64"),
        (b"\x0a\xff", "application/x-protobuf", "identity", 400, "cut off"),
        (b"no gzip", "application/x-protobuf", "gzip", 400, "gzip"),
        (gzip.compress(b"\0" * (1 << 20)), "application/x-protobuf", "gzip", 413, "unpacked"),
    ],
)
async def test_what_cannot_be_read_is_said(
    store: EmbeddedStore, body: bytes, kind: str, encoding: str, status: int, word: str
) -> None:
    config = replace(CONFIG, foreign=replace(OPTIONS, plain_bytes=1 << 19, body_bytes=1 << 18))
    async with serving(store, config) as client:
        found, answer, headers = await export(client, body, kind, Content_Encoding=encoding)
        assert found == status
        assert word.encode() in answer
        if kind == "application/json":
            assert json.loads(answer)["message"]
        assert headers["Content-Type"].partition(";")[0] in (kind, "application/x-protobuf")
    assert rows(store, "SELECT * FROM series") == []
