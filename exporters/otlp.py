"""Metrics over OTLP/HTTP, for those who collect with OpenTelemetry. Off unless configured.

One observable instrument a family, read by the SDK's own thread from the latest sample. The SDK has
no observable histogram: a histogram goes out as the counters `_bucket` (cumulative, with `le`),
`_sum` and `_count`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from exporters.config import Config
from exporters.prometheus import Shown
from exporters.snapshot import Rows
from exporters.tables import Matrix
from lb.catalogue import SCOPES, Counter, load

Source = Callable[[], Sequence[Shown]]
Attributes = dict[str, str | bool | int | float]


class OtlpPush:
    """Pushes what `source` returns every interval; `close` pushes once more and ends."""

    def __init__(self, config: Config, source: Source, reader: MetricReader | None = None) -> None:
        reader = reader or PeriodicExportingMetricReader(
            OTLPMetricExporter(endpoint=config.otlp.endpoint),
            export_interval_millis=config.otlp.interval_ms,
        )
        resource = Resource.create(
            {
                "service.name": "popscope",
                "service.instance.id": f"{config.pop}/{config.node}",
                "popscope.pop": config.pop,
                "host.name": config.node,
            }
        )
        self._provider = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._meter = self._provider.get_meter("popscope.exporters")
        self._source = source
        for counters in _families().values():
            self._create(counters)

    def close(self) -> None:
        """Push the last values; returns when that was done or failed."""
        self._provider.shutdown()

    def _create(self, counters: Sequence[Counter]) -> None:
        first = counters[0]
        if first.kind == "histogram":
            for suffix in ("_bucket", "_sum", "_count"):
                self._meter.create_observable_counter(
                    first.family + suffix,
                    [self._callback(counters, suffix)],
                    unit="" if suffix != "_sum" else f"{{{first.unit}}}",
                    description=first.help,
                )
            return
        create = {
            "counter": self._meter.create_observable_counter,
            "gauge": self._meter.create_observable_gauge,
        }[first.kind]
        unit = f"{{{first.unit}}}" if first.unit else ""
        create(first.family, [self._callback(counters, "")], unit=unit, description=first.help)

    def _callback(
        self, counters: Sequence[Counter], suffix: str
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            for shown in self._source():
                for rows, values in shown.rows:
                    if rows.scope == counters[0].scope:
                        for counter in counters:
                            yield from _observations(shown.instance, rows, values, counter, suffix)

        return observe


def _families() -> dict[str, list[Counter]]:
    families: dict[str, list[Counter]] = {}
    for scope in SCOPES:
        for counter in load().scope(scope):
            families.setdefault(counter.family, []).append(counter)
    return families


def _observations(
    instance: str, rows: Rows, values: Matrix, counter: Counter, suffix: str
) -> Iterator[Observation]:
    cells = values[:, counter.slot : counter.slot + counter.cells]
    for row in rows.names.shown.tolist():
        labels = zip(rows.names.label_keys, rows.names.labels[row], strict=True)
        attributes: Attributes = {"instance": instance, **dict(labels), **dict(counter.labels)}
        if not suffix or suffix == "_sum":
            yield Observation(int(cells[row, -1]), attributes)
            continue
        counts = np.cumsum(cells[row, :-1], dtype=np.uint64).tolist()
        if suffix == "_count":
            yield Observation(counts[-1], attributes)
            continue
        for bound, count in zip((*counter.bounds, "+Inf"), counts, strict=True):
            yield Observation(count, {**attributes, "le": str(bound)})
