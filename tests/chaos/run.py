"""Everything goes wrong, in an order that a seed gives, a bounded number of times.

    unshare -m python -m tests.chaos.run FOLDER --seed 1 --steps 12

Two exporters over segments that are counted into, with spools on tmpfs, a proxy that cuts, repeats,
delays and replays requests, and the real ingest. Afterwards all that was counted must be stored
once: sums as in the segments, the ledger's audit, every frame once.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from exporters.show import inspect_spool
from pipeline import rollup
from pipeline.ledger.audit import verify
from pipeline.ledger.model import Range, Report
from pipeline.ledger.source import StoreSource
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore
from tests.chaos.processes import PATIENCE, Ingest, Node
from tests.chaos.proxy import Proxy
from tests.unit.pipeline_stores import fresh_store

NODES = 2
ACTIONS = ("kill-exporter", "kill-ingest", "truncate-spool", "fill-disk", "stop-ingest")


class Chaos:
    """One run."""

    def __init__(self, folder: Path, seed: int, steps: int) -> None:
        self._chance, self._steps = random.Random(seed), steps
        self._folder = folder
        fresh_store(folder / "store").close()
        self._nodes = [Node(n, folder / f"node{n}") for n in range(NODES)]
        self._ingest, self._proxy = Ingest(folder), Proxy(seed)
        self.done: Counter[str] = Counter()

    def schedule(self) -> list[str]:
        """Every action at least once when there are steps enough, then at random."""
        chosen = [ACTIONS[i % len(ACTIONS)] for i in range(min(self._steps, len(ACTIONS)))]
        chosen += self._chance.choices(ACTIONS, k=self._steps - len(chosen))
        self._chance.shuffle(chosen)
        return chosen

    async def run(self) -> None:
        """All of it; afterwards everything that was counted should be stored."""
        await self._proxy.start()
        try:
            self._start_ingest()
            for node in self._nodes:
                node.counting.start()
                node.start(self._proxy.url)
            for action in self.schedule():
                await asyncio.sleep(self._chance.uniform(0.3, 1.0))
                await self._do(action, self._chance.choice(self._nodes))
                self.done[action] += 1
            self._proxy.calm = True
            for node in self._nodes:
                node.counting.end()
            await self._drained()
            self._ingest.end(signal.SIGTERM)
        finally:
            self._clean()
            await self._proxy.stop()

    def _start_ingest(self) -> None:
        self._ingest.start()
        self._proxy.target = self._ingest.url

    async def _do(self, action: str, node: Node) -> None:
        if action in ("kill-ingest", "stop-ingest"):
            number = signal.SIGKILL if action == "kill-ingest" else signal.SIGTERM
            await asyncio.to_thread(self._ingest.end, number)
            await asyncio.sleep(self._chance.uniform(0.0, 0.5))
            await asyncio.to_thread(self._start_ingest)
        elif action == "fill-disk":
            filler = node.spool / "filler"
            with suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(bytes(1 << 16))
            await asyncio.sleep(0.5)
            filler.unlink()
        else:
            await asyncio.to_thread(node.end, signal.SIGKILL)
            if action == "truncate-spool":
                node.truncate(self._chance)
            node.start(self._proxy.url)

    async def _drained(self) -> None:
        """The end of every boot was read; then the exporters end, and send what still waits."""
        deadline = time.monotonic() + PATIENCE
        while any(node.counting.fake.path.exists() for node in self._nodes):
            self._in_time(deadline)
            await asyncio.sleep(0.1)
        for node in self._nodes:
            await asyncio.to_thread(node.end, signal.SIGTERM)
            while self._waiting(node):
                self._in_time(deadline)
                await asyncio.to_thread(node.start_and_wait, self._proxy.url)
                await asyncio.to_thread(node.end, signal.SIGTERM)

    def _in_time(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            for process in (self._ingest.process, *(node.process for node in self._nodes)):
                if process is not None and process.poll() is None:
                    process.send_signal(signal.SIGABRT)  # it says where it is
                    process.wait()
            where = [
                f"node {node.number}: segment there: {node.counting.fake.path.exists()}, "
                f"{self._waiting(node)} frames wait; {(node.folder / 'log').read_text()[-6000:]}"
                for node in self._nodes
            ]
            log = (self._folder / "ingest.log").read_text()[-1500:]
            raise RuntimeError("\n".join([*where, f"ingest: {log}"]))

    def _waiting(self, node: Node) -> int:
        return int(inspect_spool(node.spool, each=False)["waiting"])

    def _clean(self) -> None:
        for process in (self._ingest.process, *(node.process for node in self._nodes)):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def judge(self) -> dict[str, Any]:
        """What was counted, what is stored, and what the audit says."""
        store = EmbeddedStore(EmbeddedOptions(self._folder / "store", durable=False))
        try:
            rollup.once(store, now=time.time() + 7200)
            now = int(time.time() * 1000)
            report = verify(StoreSource(store), Range(now - 3_600_000, now + 3_600_000))
            twice = store.query("SELECT count() - uniqExact(stream, seq) FROM frames", "CSV")
            return {
                "actions": dict(self.done),
                "fates": dict(self._proxy.fates),
                "frames": report.frames,
                "frames_twice": int(twice),
                "balanced": report.balanced,
                "findings": _told(report, "findings"),
                "losses": _told(report, "losses"),
                "lost": report.lost,
                "nodes": [self._sums(store, node) for node in self._nodes],
            }
        finally:
            store.close()

    def _sums(self, store: EmbeddedStore, node: Node) -> dict[str, list[int]]:
        """Packets of each lcore and of all VIPs: counted, stored as increments, as rolled up."""
        fake = node.counting.fake
        lcores = [int(n) for n in fake.words("lcore")[0, :, 1]]
        counted = [*lcores, int(fake.words("vip")[:, :, 1].sum())]
        found = {"counted": counted}
        for level in ("1s", "1m FINAL"):
            here = f"node = 'lb{node.number}'"
            rows = store.query(
                f"SELECT n FROM (SELECT lcore AS who, sum(rx_packets) AS n FROM lcore_{level} "
                f"WHERE {here} GROUP BY lcore UNION ALL SELECT 'vips', sum(rx_packets) "
                f"FROM vip_{level} WHERE {here}) ORDER BY who",
                "CSV",
            )
            found[level[:2]] = [int(n) for n in rows.split()]
        return found


def _told(report: Report, kind: str) -> list[str]:
    return [text for check in report.checks for text in getattr(check, kind)]


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--seed", default=1, show_default=True, help="Of the order and of every fate.")
@click.option("--steps", default=12, show_default=True, help="How many things go wrong.")
def main(folder: Path, seed: int, steps: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    chaos = Chaos(folder, seed, steps)
    asyncio.run(chaos.run())
    click.echo(json.dumps(chaos.judge()))


if __name__ == "__main__":
    main()
