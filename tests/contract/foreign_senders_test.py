"""Real senders of foreign metrics: Prometheus, vmagent and an OpenTelemetry SDK.

The pipeline is killed under them and comes back over the same store; they are restarted too. What
their target gave away must be in the store afterwards, each value once.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore
from tests.unit.foreign_target import Target, target

POPSCOPE = Path(sys.executable).with_name("popscope")
PATIENCE = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE} s: {what}"
        time.sleep(0.2)


class Program:
    """A process that can be ended and started again; its output goes to a file."""

    def __init__(self, folder: Path, name: str, *command: str) -> None:
        self.command, self.log = command, folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._file: IO[bytes] = self.log.open("ab")

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=self._file, stderr=self._file)

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._file.close()


class Pipeline(Program):
    """`popscope pipeline run` on a port that stays the same."""

    def __init__(self, folder: Path) -> None:
        self.port, self.store = free_port(), folder / "store"
        super().__init__(
            folder, "pipeline", str(POPSCOPE), "pipeline", "run", "--store", str(self.store),
            "--http", str(self.port), "--sql", "0",
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        super().start()
        until(self._is_ready, f"the pipeline is ready: {self.log.read_text()[-500:]}")

    def _is_ready(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/healthz").close()
        except OSError:
            return False
        return True

    def value(self, name: str) -> float:
        with urllib.request.urlopen(f"{self.url}/metrics") as answer:
            text = answer.read().decode()
        lines = (line.split() for line in text.splitlines() if line.startswith(name))
        return sum(float(line[-1]) for line in lines)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path)
    made.start()
    yield made
    made.close()


@pytest.fixture
def scraped() -> Iterator[Target]:
    with target() as made:
        yield made


def scrape_config(folder: Path, scraped: Target, more: str = "") -> Path:
    path = folder / "scrape.yml"
    path.write_text(
        "global: {scrape_interval: 250ms, scrape_timeout: 200ms}\n"
        "scrape_configs:\n"
        f"  - {{job_name: t, static_configs: [{{targets: ['127.0.0.1:{scraped.port}']}}]}}\n{more}"
    )
    return path


def prometheus(folder: Path, pipeline: Pipeline, scraped: Target) -> Program:
    # It gives up a queue's retries never, and cuts a batch after half a second.
    config = scrape_config(
        folder,
        scraped,
        "remote_write:\n"
        f"  - url: {pipeline.url}/api/v1/write\n"
        "    queue_config: {batch_send_deadline: 500ms, min_backoff: 100ms, max_backoff: 500ms}\n"
        "    metadata_config: {send: true, send_interval: 1s}\n",
    )
    return Program(
        folder, "prometheus", "prometheus", f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{free_port()}",
    )  # fmt: skip


def vmagent(folder: Path, pipeline: Pipeline, scraped: Target) -> Program:
    return Program(
        folder, "vmagent", "vmagent", f"-promscrape.config={scrape_config(folder, scraped)}",
        f"-remoteWrite.url={pipeline.url}/api/v1/write", "-remoteWrite.flushInterval=500ms",
        f"-remoteWrite.tmpDataPath={folder / 'vmagent'}",
        f"-httpListenAddr=127.0.0.1:{free_port()}",
    )  # fmt: skip


SENDERS = {"prometheus": prometheus, "vmagent": vmagent}


@pytest.mark.parametrize("name", SENDERS)
def test_an_outage_loses_nothing(
    tmp_path: Path, pipeline: Pipeline, scraped: Target, name: str
) -> None:
    if shutil.which(name) is None:
        pytest.fail(f"{name} is not installed: run `make setup-test`")
    sender = SENDERS[name](tmp_path, pipeline, scraped)
    try:
        sender.start()
        until(lambda: pipeline.value("popscope_pipeline_foreign_samples_total") > 20, "samples")
        for number in (signal.SIGKILL, signal.SIGTERM):  # the pipeline goes, and comes back
            pipeline.end(number)
            seen = len(scraped.served)
            until(lambda seen=seen: len(scraped.served) > seen + 8, "scrapes in the outage")
            pipeline.start()
            until(lambda: pipeline.value("popscope_pipeline_foreign_samples_total") > 40, "retries")
        sender.end()  # the sender restarts: while the pipeline is there, nothing is lost
        between = len(scraped.served)
        sender.start()
        until(lambda: len(scraped.served) > between + 8, "scrapes after the restart")
        until(lambda: _stored_since(pipeline, between), "samples after the restart")
        assert sender.end() == 0
    finally:
        sender.close()
    assert pipeline.end() == 0
    _check(pipeline.store, scraped, name)


def _stored_since(pipeline: Pipeline, number: int) -> bool:
    return pipeline.value("popscope_pipeline_foreign_samples_total") > number


def _check(folder: Path, scraped: Target, name: str) -> None:
    store = EmbeddedStore(EmbeddedOptions(folder))
    try:
        sql = (
            "SELECT value FROM samples FINAL WHERE series IN (SELECT series FROM series "
            "WHERE name = '{}' AND labels['job'] = 't') AND NOT isNaN(value) ORDER BY value"
        )
        ticks = store.query_arrow(sql.format("foreign_ticks_total")).column(0).to_pylist()
        assert len(ticks) == len(set(ticks))
        # The scrape that a stop cuts off was never a sample of the sender.
        missing = set(scraped.served) - {int(t) for t in ticks}
        assert len(missing) <= 2, sorted(missing)
        counts = store.query_arrow(sql.format("foreign_latency_seconds_count")).column(0)
        assert counts.to_pylist() == [2 * t for t in ticks]
        stale = "SELECT count() FROM samples WHERE reinterpretAsUInt64(value) = 0x7ff0000000000002"
        assert int(store.query(stale, "TSV")) > 0
        if name == "prometheus":
            told = store.query_arrow("SELECT * FROM metrics FINAL WHERE name LIKE 'foreign_%'")
            assert {r["name"]: (r["type"], r["help"]) for r in told.to_pylist()} == {
                "foreign_ticks_total": ("counter", "Scrapes of this target."),
                "foreign_latency_seconds": ("histogram", "Nothing real."),
            }
    finally:
        store.close()


def test_an_opentelemetry_sdk_sends_through_an_outage(pipeline: Pipeline) -> None:
    exporter = OTLPMetricExporter(f"{pipeline.url}/v1/metrics", timeout=PATIENCE)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=60_000)
    resource = Resource({"service.name": "shop"})
    provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    counter = provider.get_meter("tests").create_counter("orders", unit="1", description="Sold.")
    latency = provider.get_meter("tests").create_histogram("latency", unit="s")
    try:
        for round_ in range(4):
            counter.add(5, {"region": "eu"})
            latency.record(0.2)
            if round_ == 2:  # the collection fails until the pipeline is back
                pipeline.end(signal.SIGKILL)
                pipeline.start()
            assert provider.force_flush(PATIENCE * 1000)
    finally:
        provider.shutdown()
    assert pipeline.end() == 0
    store = EmbeddedStore(EmbeddedOptions(pipeline.store))
    try:
        which = "(SELECT series FROM series WHERE name = 'orders')"
        sql = f"SELECT value FROM samples FINAL WHERE series IN {which} ORDER BY ts"
        values = store.query_arrow(sql).column(0).to_pylist()
        assert values[:4] == [5.0, 10.0, 15.0, 20.0]
        assert set(values[4:]) <= {20.0}  # the last collection, at the shutdown
        found = store.query_arrow(
            "SELECT max(count) AS n, max(length(bounds)) AS b FROM histograms"
        )
        assert found.to_pylist() == [{"n": 4.0, "b": 15}]
        told = store.query_arrow("SELECT * EXCEPT seen FROM metrics FINAL WHERE name = 'orders'")
        assert told.to_pylist()[0] == json.loads(
            '{"tenant": "default", "name": "orders", "type": "counter", "unit": "1", '
            '"help": "Sold.", "temporality": "cumulative"}'
        )
    finally:
        store.close()
