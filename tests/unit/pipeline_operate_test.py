"""Operation: the status of a running pipeline, backups while it is written, and the doctor."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from exporters.config import Config, PipelineConfig, SpoolConfig
from exporters.service import Exporter
from pipeline.backup import backup, note_of
from pipeline.cli import pipeline
from pipeline.cli_doctor import doctor as doctor_command
from pipeline.cli_status import show_status
from pipeline.doctor import Doctor, Finding
from pipeline.errors import BackupError
from pipeline.ledger.source import HttpSource
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.pipeline_serving import Client, serving, until
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import Node, body

ASK = {"X-Popscope-Do": "backup"}


async def test_the_status_names_who_is_late_and_what_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = fresh_store(tmp_path / "store")
    start = int(time.time() * 1000) - 200_000
    whole, holey = (Node(node=f"lb{n}", stream=n, start_ms=start) for n in (1, 2))
    async with serving(store) as client:
        first, _, second = holey.frames(3)
        assert (await client.post(body([*whole.frames(2), first, second])))[0] == 200
        async with client.session.get(f"{client.url}/status") as answer:
            found = await answer.json()
    store.close()
    assert [row["exporter"] for row in found["lag"]] == ["fra1/lb1", "fra1/lb2"]
    assert all(190 < row["lag_seconds"] < 400 for row in found["lag"])
    (missing,) = found["missing"]
    assert (missing["exporter"], missing["frames"]) == ("fra1/lb2", 1)
    assert missing["oldest_seconds"] > 60
    assert found["rates"]["frames_per_second"] == pytest.approx(4 / 60)
    assert found["store"]["parts"] >= found["store"]["most_parts_in_a_partition"] >= 1
    assert found["store"]["free_bytes"] > 0
    show_status(found)
    assert "1 frames lack, since" in capsys.readouterr().out


async def _write(client: Client, node: Node, stop: asyncio.Event) -> None:
    while not stop.is_set():
        assert (await client.post(body(node.frames(2))))[0] == 200
        await asyncio.sleep(0.1)


async def _backed_up(store: EmbeddedStore) -> dict[str, Any]:
    """Back up twice while two exporters write; the second note."""
    stop = asyncio.Event()
    async with serving(store) as client:
        nodes = [Node(node=f"lb{n}", stream=n + 1, seed=n) for n in range(2)]
        writers = [asyncio.create_task(_write(client, node, stop)) for node in nodes]
        await until(lambda: client.value("frames_total", outcome="committed") > 8)
        async with client.session.post(f"{client.url}/v1/backup", headers=ASK) as answer:
            assert answer.status == 200, await answer.text()
        async with client.session.post(
            f"{client.url}/v1/backup", json={"name": "mine"}, headers=ASK
        ) as answer:
            note: dict[str, Any] = await answer.json()
        before = client.value("frames_total", outcome="committed")
        await until(lambda: client.value("frames_total", outcome="committed") > before)
        stop.set()
        await asyncio.gather(*writers)
        for headers, data, status in (
            ({}, b"", 403),
            (ASK, b"[1]", 400),
            (ASK, b'{"name": "../x"}', 500),
            (ASK, b'{"name": "mine"}', 500),
        ):
            async with client.session.post(
                f"{client.url}/v1/backup", data=data, headers=headers
            ) as answer:
                assert answer.status == status, await answer.text()
    return note


def test_a_backup_of_a_store_that_is_written_is_restored_and_proven(tmp_path: Path) -> None:
    store = fresh_store(tmp_path / "store")
    note = asyncio.run(_backed_up(store))
    late = store.query(f"SELECT count() FROM frames WHERE commit > {note['commit']}", "CSV")
    store.close()
    assert int(late) > 0
    target = Path(note["path"])
    restored = ["restore", str(target), "--store"]
    done = CliRunner().invoke(pipeline, [*restored, str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    assert "the law holds in every row: holds" in done.stdout
    again = EmbeddedStore(EmbeddedOptions(tmp_path / "new", durable=False))
    try:
        assert int(again.query("SELECT count() FROM frames", "CSV")) == note["rows"]["frames"]
        assert int(again.query("SELECT max(commit) FROM lcore_1s", "CSV")) == note["commit"]
        per_frame = "SELECT count() / uniqExact(stream, seq) FROM lcore_1s"
        assert float(again.query(per_frame, "CSV")) == 2
        with pytest.raises(BackupError, match="is there already"):
            backup(again, target.parent, "mine")
    finally:
        again.close()
    done = CliRunner().invoke(pipeline, [*restored, str(tmp_path / "new")])
    assert (done.exit_code, "not empty" in done.output) == (1, True)
    victim = max(target.rglob("*.bin"), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-40])
    done = CliRunner().invoke(pipeline, [*restored, str(tmp_path / "other")])
    assert done.exit_code == 1
    note_of(target).unlink()
    done = CliRunner().invoke(pipeline, [*restored, str(tmp_path / "third")])
    assert (done.exit_code, "only a backup that was finished" in done.output) == (1, True)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def _beat(segment: FakeSegment) -> None:
    while True:
        segment.beat()
        segment.add("node", 0, applied_configs=1)
        await asyncio.sleep(0.1)


async def test_the_doctor_looks_at_every_link(tmp_path: Path) -> None:
    store = fresh_store(tmp_path / "store")
    segment = FakeSegment(tmp_path / "run" / "a")
    async with serving(store) as client:
        config = Config(
            pop="fra1",
            node="lb1",
            run_root=tmp_path / "run",
            listen=f"127.0.0.1:{_free_port()}",
            interval_ms=200,
            spool=SpoolConfig(tmp_path / "spool"),
            pipeline=PipelineConfig(url=client.url),
        )
        sql = HttpSource(f"http://127.0.0.1:{client.running.sql_port}")
        beating = asyncio.create_task(_beat(segment))
        exporter = asyncio.create_task(Exporter(config).run())

        async def examine(config: Config = config, sql: HttpSource = sql) -> dict[str, Finding]:
            found = await asyncio.to_thread(list, Doctor(config, sql).examine())
            return {finding.check: finding for finding in found}

        await until(lambda: client.value("frames_total", outcome="committed") > 2)
        found = await examine()
        assert [f.state for f in found.values()] == ["ok"] * 6 + ["warn"], found
        assert next(iter(found)) == "segment a"
        assert "the law holds" in found["segment a"].evidence
        segment.add("lcore", 0, rx_packets=5)
        broken = await examine()
        assert broken["segment a"].state == "fail"
        assert "1 rows break the law" in broken["segment a"].evidence
        segment.add("lcore", 0, tx_packets=5)
        for task in (exporter, beating):
            task.cancel()
        await asyncio.wait([exporter, beating])
    nothing = await examine(Config(run_root=tmp_path / "none", spool=config.spool))
    assert nothing["segments"].state == "fail"
    assert nothing["ingest"].state == "skip"
    gone = await examine()
    for check in ("exporter", "ingest", "store", "watermark", "rollups"):
        assert gone[check].state == "fail", gone[check]
        assert gone[check].remedy
    store.close()


def test_the_command_says_it_to_people_and_programs(tmp_path: Path) -> None:
    path = tmp_path / "export.toml"
    path.write_text(f'run_root = "{tmp_path}/none"\nlisten = "127.0.0.1:9"\n')
    argv = ["--config", str(path), "--sql-url", "http://127.0.0.1:9"]
    read, machine = (CliRunner().invoke(doctor_command, [*argv, *m]) for m in ([], ["--json"]))
    assert read.exit_code == machine.exit_code == 1
    assert "start a core" in read.stdout
    found = json.loads(machine.stdout)
    assert found["ok"] is False
    assert {"segments", "exporter", "spool", "store"} <= {c["check"] for c in found["checks"]}
    path.write_text("pops = 1\n")
    assert CliRunner().invoke(doctor_command, argv).exit_code == 2
