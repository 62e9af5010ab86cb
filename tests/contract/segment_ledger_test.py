"""From a segment through sampler, frames and store to the audit: the numbers stay the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporters.instances import Watcher
from exporters.sampler import Sampler
from exporters.spool import Spool
from pipeline.ledger.audit import verify
from pipeline.ledger.model import Check, Range, Report
from pipeline.ledger.source import StoreSource
from pipeline.store.embedded import EmbeddedStore
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.pipeline_filled import change, commit, prepare
from tests.unit.pipeline_stores import fresh_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path / "store")
    prepare(opened)
    yield opened
    opened.close()


def _count(fake: FakeSegment, packets: int) -> None:
    """Some of it is sent, some dropped, on two lcores and for a listener."""
    for row in range(2):
        fake.add("lcore", row, rx_packets=packets, tx_packets=packets - 1, drop_tx_full=1)
    fake.add("vip", 0, lane=1, rx_packets=packets, tx_packets=packets)


def _verify(store: EmbeddedStore, fake: FakeSegment) -> tuple[Report, Check]:
    now = time.time_ns() // 1_000_000
    report = verify(StoreSource(store), Range(now - 600_000, now + 1000), [fake.path.parent])
    return report, next(check for check in report.checks if check.name == "segments")


def test_what_the_segment_counts_is_what_the_audit_proves(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    fake = FakeSegment(tmp_path / "run" / "a")
    spool = Spool(tmp_path / "spool")
    try:
        sampler = Sampler("fra1", "lb1", 1000, Watcher(tmp_path / "run"), spool)
        for packets in (5, 0, 17, 3):
            _count(fake, packets + 1)
            assert sampler.sample().faults == ()
        commit(store, list(spool.replay()))
    finally:
        spool.close()
    report, check = _verify(store, fake)
    assert report.proven, [c.findings for c in report.checks]
    assert check.examined > 100
    assert not check.notes
    lines = {line.what: line.packets for line in report.balance}
    assert lines["rx_packets"] == 2 * 29
    assert lines["tx_full"] == 8
    _count(fake, 10)  # it counts on: the store may be behind, but not ahead
    report, check = _verify(store, fake)
    assert report.proven
    assert "on their way" in check.notes[0]
    change(store, "lcore_1s", "UPDATE rx_packets = rx_packets + 100 WHERE lcore = '1' AND seq = 1")
    report, check = _verify(store, fake)
    assert check.failed == 1
    assert "rx_packets: counted" in check.findings[0]
    fake.stop()
    assert _verify(store, fake)[1].failed > 1
