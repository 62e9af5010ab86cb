"""The whole exporter in one process: HTTP, the beat, the pipeline, OTLP, the commands."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporters import cli
from exporters.config import Config, OtlpConfig, PipelineConfig, SpoolConfig, load
from exporters.errors import ConfigError, ExporterError
from exporters.otlp import OtlpPush
from exporters.prometheus import Shown
from exporters.segment import Segment
from exporters.service import Exporter, next_tick
from exporters.snapshot import SnapshotReader
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.exporters_pipeline import pipeline
from tests.unit.exporters_spooled import sums

Get = Callable[..., "asyncio.Future[tuple[int, str, str]]"]


def config(folder: Path, url: str = "") -> Config:
    return Config(
        pop="fra1",
        node="lb-1",
        run_root=folder / "run",
        listen="127.0.0.1:0",
        interval_ms=100,
        spool=SpoolConfig(folder / "spool"),
        pipeline=PipelineConfig(url=url),
    )


class Running:
    """An exporter at work, and a client of it."""

    def __init__(self, exporter: Exporter, session: aiohttp.ClientSession) -> None:
        self.exporter, self._session = exporter, session

    async def get(self, path: str, accept: str = "") -> tuple[int, str, str]:
        url = f"http://127.0.0.1:{self.exporter.port}{path}"
        async with self._session.get(url, headers={"Accept": accept}) as response:
            return response.status, response.headers["Content-Type"], await response.text()

    async def metrics(self) -> dict[tuple[str, str], float]:
        """Values by name and instance."""
        _, _, text = await self.get("/metrics")
        return {
            (s.name, s.labels.get("instance", "") + s.labels.get("state", "")): s.value
            for f in parse_text(text)
            for s in f.samples
        }

    async def until(self, name: str, which: str, value: float) -> None:
        async with asyncio.timeout(20):
            while (await self.metrics()).get((name, which)) != value:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def reach(self, name: str, value: float) -> None:
        async with asyncio.timeout(20):
            while (await self.metrics())[name, ""] < value:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(settings: Config) -> AsyncIterator[Running]:
    exporter, started = Exporter(settings), asyncio.Event()
    task = asyncio.create_task(exporter.run(started))
    try:
        await asyncio.wait_for(started.wait(), 20)
        async with aiohttp.ClientSession() as session:
            yield Running(exporter, session)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, 20)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_core_comes_restarts_and_dies_and_all_of_it_is_seen(tmp_path: Path) -> None:
    async with pipeline() as fake, running(config(tmp_path, fake.url)) as r:
        await r.until("popscope_exporter_spool_waiting_frames", "", 0)
        segment = FakeSegment(tmp_path / "run" / "a")
        segment.add("lcore", 0, rx_packets=7, tx_packets=7)
        await r.until("popscope_instance_up", "a", 1)
        await r.until("popscope_exporter_segments", "alive", 1)
        await r.until("popscope_instance_stopped", "a", 0)
        segment.stop()
        await r.until("popscope_instance_up", "a", 0)
        await r.until("popscope_instance_stopped", "a", 1)
        again = FakeSegment(tmp_path / "run" / "a", boot=2)
        await r.until("popscope_instance_up", "a", 1)
        again.add("lcore", 1, rx_packets=3)
        again.stop()
        await r.until("popscope_instance_up", "a", 0)
        await r.until("popscope_exporter_spool_waiting_frames", "", 0)
        total = sums(fake.frames(), "lcore")
        assert {key: row[0] for key, row in total.items()} == {
            ("a", "1", "0"): 7,
            ("a", "2", "1"): 3,
        }
        assert list((tmp_path / "run" / "a").glob("segment-*")) == []


async def test_metrics_in_both_formats_and_the_law(tmp_path: Path) -> None:
    segment = FakeSegment(tmp_path / "run" / "a")
    segment.add("lcore", 0, rx_packets=7, tx_packets=7)
    segment.add("lcore", 1, rx_packets=7, tx_packets=5)
    async with running(config(tmp_path)) as r:
        await r.until("popscope_instance_up", "a", 1)
        status, kind, text = await r.get("/metrics", "application/openmetrics-text")
        assert (status, kind.split(";")[0]) == (200, "application/openmetrics-text")
        families = {f.name: f for f in parse_openmetrics(text)}
        status, kind, text = await r.get("/metrics")
        assert (status, kind.split(";")[0]) == (200, "text/plain")
        plain = {f.name for f in parse_text(text)}
    assert set(families) - plain == {"popscope_instance"}, "an info is a gauge in the old format"
    residual = families["popscope_lcore_ledger_residual_packets"].samples
    assert {s.labels["lcore"]: s.value for s in residual} == {"0": 0, "1": 2}
    assert _value(families["popscope_instance_ledger_violations"], scope="lcore") == 1
    info = families["popscope_instance"].samples[0].labels
    assert (info["boot"], info["version"], info["pop"]) == (f"{1:016x}", "fake", "fra1")
    assert _value(families["popscope_exporter_samples"]) >= 1


def _value(family: Metric, **labels: str) -> float:
    return next(s.value for s in family.samples if labels.items() <= s.labels.items())


async def test_health_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(config(tmp_path)) as r:
        await r.reach("popscope_exporter_spool_waiting_frames", 2)
        status, _, text = await r.get("/healthz")
        assert (status, json.loads(text)["ok"]) == (200, True)

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.fdatasync", full)
            async with asyncio.timeout(20):
                while (await r.get("/healthz"))[0] == 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert "spool" in (await r.get("/healthz"))[2]


async def test_a_port_that_is_taken_is_an_error_that_names_it(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as r:
        listen = f"127.0.0.1:{r.exporter.port}"
        other = dataclasses.replace(config(tmp_path / "other"), listen=listen)
        with pytest.raises(ExporterError, match=listen):
            await Exporter(other).run()


@pytest.mark.parametrize(
    ("now", "tick", "missed"),
    [(10.2, 11, 0), (9.99, 11, 0), (11.0, 12, 1), (13.5, 14, 3), (2.5, 3, 0)],
)
def test_the_beat_keeps_to_the_interval(now: float, tick: int, missed: int) -> None:
    assert next_tick(10, now) == (tick, missed)


def test_otlp_sees_what_the_segment_holds(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path)
    fake.add("lcore", 0, rx_packets=7, burst_packets__2=3, drop_tx_full=2)
    snapshot = SnapshotReader(Segment(fake.path)).read()
    rows = tuple((r, r.values) for r in snapshot.scopes.values())
    reader = InMemoryMetricReader()
    settings = Config(pop="fra1", node="lb-1", otlp=OtlpConfig("http://127.0.0.1:1"))
    push = OtlpPush(settings, lambda: [Shown("a", rows)], reader)
    data = reader.get_metrics_data()
    assert data
    resource = data.resource_metrics[0]
    assert resource.resource.attributes["popscope.pop"] == "fra1"
    found = {
        (metric.name, *sorted(dict(point.attributes).items())): point.value
        for metric in resource.scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    where = (("instance", "a"), ("lcore", "0"))
    assert found["popscope_lcore_rx_packets", *where] == 7
    assert found["popscope_lcore_burst_packets_count", *where] == 3
    assert found["popscope_lcore_burst_packets_bucket", where[0], where[1], ("le", "2")] == 0
    assert found["popscope_lcore_dropped_packets", *where, ("reason", "tx_full")] == 2
    push.close()


def test_a_configuration_file_and_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "export.toml"
    path.write_text(
        'pop = "fra1"\nnode = "lb-1"\nrun_dirs = ["/a", "/b"]\ninterval_ms = 250\n'
        '[spool]\ndirectory = "/spool"\n[pipeline]\nurl = "http://[::1]:8080"\n'
    )
    settings = load(path, {"POPSCOPE_EXPORT_POP": "ams2", "POPSCOPE_EXPORT_PIPELINE_TOKEN": "t"})
    assert (settings.pop, settings.node, settings.interval_ms) == ("ams2", "lb-1", 250)
    assert settings.run_dirs == (Path("/a"), Path("/b"))
    assert settings.pipeline == PipelineConfig(url="http://[::1]:8080", token="t")
    assert settings.spool.directory == Path("/spool")
    assert load(None, {"POPSCOPE_EXPORT_RUN_DIRS": "/x:/y"}).run_dirs == (Path("/x"), Path("/y"))
    assert load(None, {"POPSCOPE_EXPORT_LISTEN": "[::1]:9109"}).address == ("::1", 9109)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "colour is not known"),
        ("[spool]\nsize = 1", r"spool\.size is not known"),
        ("spool = 1", "spool must be a table"),
        ("interval_ms = 99", "at least 100"),
        ("interval_ms = true", "interval_ms: True is not a whole number"),
        ("interval_ms = -5", "interval_ms: -5"),
        ("pop = 5", "pop: 5 is not a string"),
        ('pop = "a/b"', "pop must be"),
        ('listen = "9109"', "host:port"),
        ('listen = "127.0.0.1:99999"', "a port from 0 to 65535"),
        ('[pipeline]\nurl = "pipeline:8080"', "http://"),
        ("[pipeline]\nbatch_bytes = 0", r"pipeline\.batch_bytes must be at least"),
        ('[spool]\ndirectory = ""', r"spool\.directory: '' is not a path"),
        ('[pipeline]\nurl = "http://[::1"', r"pipeline\.url must be http://"),
        ('[pipeline]\nurl = "http://host:abc"', r"pipeline\.url must be http://"),
        ('[pipeline]\ntoken = "a\\nb"', r"pipeline\.token must be one line"),
        ('pop = ""\ninterval_ms = 1', "pop must be 1 to 63.*interval_ms must be at least 100"),
        ("run_dirs = 5", "not a list of paths"),
        ("pop = ", "Invalid value"),
    ],
)
def test_what_is_wrong_in_a_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "export.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load(path, {})
    assert str(path) in str(caught.value)


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.export, [str(a) for a in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_show_prints_the_counters_and_judges_the_law(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "a")
    fake.add("lcore", 0, rx_packets=12345, tx_packets=12345)
    code, out, _ = run("show", tmp_path / "a")
    assert code == 0
    assert "12345" in out
    code, out, _ = run("show", tmp_path / "a", "--json")
    shown = json.loads(out)[0]
    assert shown["scopes"]["lcore"][0]["counters"]["rx_packets"] == 12345
    assert shown["ledger"]["lcore"][0]["residual"] == 0
    fake.add("lcore", 0, rx_packets=1)
    code, _, err = run("show", tmp_path / "a")
    assert code == cli.EXIT_LAW
    assert "law does not hold" in err


def test_show_says_when_there_is_nothing_to_read(tmp_path: Path) -> None:
    code, _, err = run("show", tmp_path)
    assert code == cli.EXIT_FAILED
    assert str(tmp_path) in err


async def test_spool_looks_in_without_touching(tmp_path: Path) -> None:
    FakeSegment(tmp_path / "run" / "a")
    async with running(config(tmp_path)) as r:
        await r.reach("popscope_exporter_spool_waiting_frames", 3)
        command = ("spool", tmp_path / "spool", "--json", "--frames")
        code, out, _ = await asyncio.to_thread(run, *command)
    raw = json.loads(out)
    assert code == 0
    assert raw["frames"] == raw["waiting"] == len(raw["files"][0]["entries"]) >= 3
    path = next((tmp_path / "spool").glob("*.spool"))
    path.write_bytes(path.read_bytes()[:100] + b"x" + path.read_bytes()[101:])
    code, out, _ = run("spool", tmp_path / "spool")
    assert code == cli.EXIT_FAILED
    assert "1 damaged" in out


def test_check_prints_what_would_be_used_but_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "export.toml"
    path.write_text('[pipeline]\nurl = "http://h"\ntoken = "secret"\n')
    code, out, _ = run("check", "--config", path, "--json")
    assert (code, json.loads(out)["pipeline"]["token"]) == (0, "***")
    assert run("run", "--check", "--config", path)[0] == 0
    path.write_text("colour = 1")
    code, _, err = run("check", "--config", path)
    assert code == cli.EXIT_CONFIG
    assert "colour" in err


def test_the_group_alone_shows_its_help() -> None:
    result = CliRunner().invoke(cli.export, [])
    assert "Commands:" in result.output
