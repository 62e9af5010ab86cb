"""A spool is lost while its core lives on: the audit says how many packets are missing, exactly."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from exporters.backlog import usage
from exporters.config import PipelineConfig
from exporters.instances import Watcher
from exporters.metrics import Sending
from exporters.sampler import Sampler
from exporters.sender import Sender
from exporters.spool import Limits, Spool
from pipeline.cli import ledger
from pipeline.store.embedded import EmbeddedStore
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.pipeline_filled import change
from tests.unit.pipeline_serving import Client, serving, until
from tests.unit.pipeline_stores import fresh_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path / "store")
    yield opened
    opened.close()


@dataclass
class Host:
    """A node whose core counts, and whose exporter is started and stopped. Its time is made up."""

    folder: Path
    client: Client
    now_s: int = field(default_factory=lambda: int(time.time()) - 400)
    first: FakeSegment = field(init=False)

    def __post_init__(self) -> None:
        self.first = FakeSegment(self.folder / "run" / "a")
        self.count(1000)

    def count(self, packets: int) -> None:
        """On two lcores: one of them is dropped, the others leave; one is held back for a while."""
        for row in range(2) if packets else ():
            held = row and packets > 100
            self.first.add(
                "lcore",
                row,
                rx_packets=packets,
                tx_packets=packets - 1 - held,
                drop_tx_full=1,
                held_neighbour_queue=held,
            )
        self.first.add("vip", 0, lane=1, rx_packets=packets, tx_packets=packets)
        self.first.add("port", 0, rx_packets=2 * packets)

    async def export(self, *counts: int, send: bool = True) -> None:
        """Run an exporter: a frame for each count, then send what waits. A spool file has 4."""
        spool = Spool(self.folder / "spool", Limits(file_ms=4000))
        try:
            sampler = Sampler("fra1", "lb1", 1000, Watcher(self.folder / "run"), spool)
            sampler.clock = lambda: self.now_s * 10**9
            for packets in counts:
                self.now_s += 1
                self.count(packets)
                assert sampler.sample().header
            if send:
                await self._send(spool)
        finally:
            spool.close()

    async def _send(self, spool: Spool) -> None:
        with ThreadPoolExecutor(1) as executor:
            sender = Sender(spool, PipelineConfig(url=self.client.url), Sending(), executor)
            task = asyncio.create_task(sender.run())
            try:
                await until(lambda: usage(spool).waiting == 0)
            finally:
                task.cancel()
                await asyncio.wait([task])

    def lose_spool(self) -> None:
        shutil.rmtree(self.folder / "spool")

    async def verify(self, *more: str) -> tuple[int, dict[str, Any]]:
        url = f"http://127.0.0.1:{self.client.running.sql_port}"
        given = ["verify", "--url", url, "--json", "--segments", str(self.first.path.parent), *more]
        answer = await asyncio.to_thread(CliRunner().invoke, ledger, given)
        assert answer.output.startswith("{"), answer.output
        return answer.exit_code, json.loads(answer.output)


def texts(report: dict[str, Any], kind: str) -> str:
    return "; ".join(text for check in report["checks"] for text in check[kind])


def residual(report: dict[str, Any]) -> int:
    return sum(line["packets"] for line in report["balance"] if line["term"] == "residual")


async def test_an_exporter_that_comes_late_to_a_core_is_proven(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    async with serving(store) as client:
        host = Host(tmp_path, client)
        await host.export(10, 20, 5)
        code, report = await host.verify()
    assert code == 0, texts(report, "findings")
    assert (report["lost"], residual(report)) == (0, 0)


async def test_packets_that_a_lost_spool_had_not_sent_are_told_exactly(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    async with serving(store) as client:
        host = Host(tmp_path, client)
        await host.export(10, 20)
        await host.export(30, 300, send=False)
        host.lose_spool()
        await host.export(7, 8, 9)  # 7 came before its first frame
        code, report = await host.verify()
        assert texts(report, "findings") == ""
        assert (code, report["lost"], residual(report)) == (3, 2 * 337, 0)
        assert "674 packets are in no increment (674 rx_packets, " in texts(report, "losses")
        assert "667 tx, 6 drop" in texts(report, "losses"), "and one was held"
        host.now_s += 130
        await host.export(1, 2, 3)
        code, report = await host.verify("--from", str(host.now_s - 70))
        assert texts(report, "findings") == ""
        assert (code, report["lost"]) == (0, 0)
        assert "before this range: 674 packets" in texts(report, "notes")


async def test_a_lost_spool_that_had_sent_all_leaves_the_proof_whole(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    async with serving(store) as client:
        host = Host(tmp_path, client)
        await host.export(10, 200)
        host.lose_spool()
        await host.export(0)
        code, report = await host.verify()
    assert texts(report, "findings") == ""
    assert (code, report["lost"], residual(report)) == (0, 0, 0)
    assert "no packet is missing" in texts(report, "notes")


async def test_each_spool_that_is_lost_is_told(store: EmbeddedStore, tmp_path: Path) -> None:
    async with serving(store) as client:
        host = Host(tmp_path, client)
        await host.export(10, send=False)
        host.lose_spool()  # nothing of the boot is stored
        await host.export(1, 2)
        await host.export(4, send=False)
        host.lose_spool()
        await host.export(8, 16)
        host.now_s += 60
        await host.export(32)
        code, report = await host.verify("--pop", "fra1")
    assert texts(report, "findings") == ""
    assert (code, report["lost"]) == (3, 2 * (1000 + 10 + 1 + 4 + 8))
    assert "from its start" in texts(report, "losses")


async def test_a_row_that_goes_wrong_beside_a_takeover_is_a_fault(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    async with serving(store) as client:
        host = Host(tmp_path, client)
        await host.export(10, 20)
        host.lose_spool()
        await host.export(7, 8)
        host.now_s += 60
        await host.export(9)
        one = "rx_packets = rx_packets - 1, drop_tx_full = drop_tx_full - 1"
        change(store, "lcore_1s", f"UPDATE {one} WHERE seq = 1 AND rx_packets = 8")
        code, report = await host.verify()
    assert code == 1
    assert "rx_packets: counted 17, stored 16" in texts(report, "findings")


@pytest.mark.parametrize("harm", ["deleted", "damaged"])
async def test_sent_frames_that_the_spool_lacks_are_not_stored_twice(
    store: EmbeddedStore, tmp_path: Path, harm: str
) -> None:
    """While the exporter is down somebody deletes the newest file, or its last frame is damaged."""
    async with serving(store) as client:
        host = Host(tmp_path, client)
        await host.export(10, 20, 30, 40, send=False)
        (older,) = (tmp_path / "spool").glob("*.spool")
        kept = older.read_bytes()
        await host.export(50, 60)
        (newest,) = (tmp_path / "spool").glob("*.spool")
        if harm == "deleted":
            newest.unlink()
            older.write_bytes(kept)
        else:
            data = bytearray(newest.read_bytes())
            data[-100] ^= 1
            newest.write_bytes(data)
        await host.export(7, 8)
        host.now_s += 60
        await host.export(9)
        code, report = await host.verify()
        stored = int(store.query("SELECT sum(rx_packets) FROM lcore_1s", "TSV"))
    assert texts(report, "findings") == ""
    assert (code, report["lost"]) == (3, 14), "7 on two lcores, before the first frame"
    assert stored == 2 * (1000 + 210 + 8 + 9)
    assert "has no frames 6.." in texts(report, "notes")
    assert "spool was damaged" in texts(report, "notes")
