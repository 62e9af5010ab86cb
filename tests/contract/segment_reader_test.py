"""The contract of lb/api/segment.h: a C program writes a segment, the exporter reads it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from exporters import ledger
from exporters.errors import SegmentNotReadyError
from exporters.segment import Segment, State
from exporters.snapshot import Snapshot, SnapshotReader
from lb.catalogue import SCOPES, load
from tests.contract.conftest import Run

START_NS = 1_700_000_000_123_456_789
LANES = {"vip": 3, "backend": 3}


def read(path: Path, ended: bool = False) -> Snapshot:
    return SnapshotReader(Segment(path)).read(ended)


def test_the_header_is_read(written: Run) -> None:
    path = written()
    snapshot = read(path)
    assert path.name == f"segment-{snapshot.boot:016x}"
    assert (snapshot.instance, snapshot.version) == ("contract", "0.0-contract")
    assert (snapshot.start_ns, snapshot.heartbeat_ns) == (START_NS, START_NS)
    assert (snapshot.tsc_hz, snapshot.state) == (2_500_000_000, State.READY)
    assert (snapshot.catalogue_hash, snapshot.retries) == (load().hash, 0)
    assert (snapshot.unknown, snapshot.missing) == ((), ())


def test_the_directory_is_the_catalogue(written: Run) -> None:
    blocks = Segment(written()).blocks
    assert tuple(blocks) == SCOPES
    for scope, block in blocks.items():
        described = [
            (f.id, f.cell, f.kind, f.bounds, f.metric, f.unit, f.labels, f.ledger, f.help)
            for f in block.fields
        ]
        assert described == [
            (c.id, c.slot, c.kind, c.bounds, c.metric, c.unit, c.labels, c.ledger, c.help)
            for c in load().scope(scope)
        ]


def test_names_are_read_with_their_generations(written: Run) -> None:
    names = {scope: rows.names for scope, rows in read(written()).scopes.items()}
    assert names["lcore"].labels == (("1",), ("2",), ("5",))
    assert names["port"].labels == (("0",), ("1",))
    assert names["port_queue"].labels == tuple((p, q) for p in "01" for q in "012")
    assert names["vip"].labels == (
        ("web-80", "198.51.100.1", "80", "tcp"),
        ("dns-53", "198.51.100.2", "53", "udp"),
        ("web-443", "198.51.100.1", "443", "tcp"),
    )
    assert names["vip"].generations.tolist() == [13, 14, 15]
    assert names["vip"].active.tolist() == [True, False, True]
    assert names["backend"].labels[3] == ("new", "b9", "10.77.1.29")
    assert names["backend"].generations.tolist() == [16, 17, 18, 20]
    assert names["node"].labels == ((),)


@pytest.mark.parametrize("scope", SCOPES)
def test_every_cell_is_read_and_summed_over_lanes(written: Run, scope: str) -> None:
    rows, lanes = read(written()).scopes[scope], LANES.get(scope, 1)
    for i, row in enumerate(rows.names.rows.tolist()):
        if scope == "lcore" and row in (0, 2):
            continue
        base = 1_000_000 * SCOPES.index(scope) + 1000 * row
        want = [
            sum(base + 10_000 * lane + cell for lane in range(lanes))
            for cell in range(load().cells(scope))
        ]
        assert rows.values[i].tolist() == want


def test_all_64_bits_are_read(written: Run) -> None:
    values = read(written()).scopes["lcore"].values[2].tolist()
    for counter in load().scope("lcore"):
        if counter.kind != "histogram":
            assert values[counter.slot] == (1 << 63) + counter.slot


def test_the_law_holds_where_the_writer_keeps_it(written: Run) -> None:
    residual = ledger.residual("lcore", read(written()).scopes["lcore"].values).tolist()
    assert residual[0] == 0
    assert residual[1] != 0


def test_a_segment_that_is_being_written_is_waited_for(written: Run) -> None:
    with pytest.raises(SegmentNotReadyError, match="laying it out"):
        Segment(written("--state", "writing"))


def test_a_stopped_segment_says_so(written: Run) -> None:
    snapshot = read(written("--state", "stopped"))
    assert snapshot.state == State.STOPPED
    assert snapshot.ended


def test_a_row_that_its_killed_worker_left_torn_is_read_from_its_draft(written: Run) -> None:
    path = written("--torn")
    assert read(path).scopes["lcore"].torn.tolist() == [1]
    ended = read(path, ended=True)
    assert not len(ended.scopes["lcore"].torn)
    assert ended.scopes["lcore"].values[1].tolist() == list(
        range(1000, 1000 + load().cells("lcore"))
    )


@pytest.mark.parametrize("delay", [0.002 * n for n in range(1, 21)])
def test_a_worker_killed_at_any_moment_leaves_a_whole_row(
    running: subprocess.Popen[str], delay: float
) -> None:
    """The writer is inside a row most of the time: most kills tear at least one."""
    assert running.stdout
    reader = SnapshotReader(Segment(Path(running.stdout.readline().strip())))
    while not is_whole(reader.read()):  # until every worker has begun
        time.sleep(0.001)
    time.sleep(delay)
    running.kill()
    running.wait()
    ended = reader.read(ended=True)
    assert not len(ended.scopes["lcore"].torn)
    assert is_whole(ended)


def is_whole(snapshot: Snapshot) -> bool:
    """Each lcore row holds one number in all its cells."""
    values = snapshot.scopes["lcore"].values
    return bool((values == values[:, :1]).all())


@pytest.fixture
def running(writer: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [writer, tmp_path, "--seconds", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_no_copy_is_torn_while_the_writer_never_pauses(running: subprocess.Popen[str]) -> None:
    """All cells of a publication hold one number, and the numbers of a row only grow."""
    assert running.stdout
    reader = SnapshotReader(Segment(Path(running.stdout.readline().strip())))
    seen, copies, snapshot = dict[int, int](), 0, reader.read()
    while snapshot.state == State.READY:
        snapshot = reader.read()
        rows = snapshot.scopes["lcore"]
        for i in set(range(3)) - set(rows.torn.tolist()):
            numbers = np.unique(rows.values[i]).tolist()
            if i not in seen and len(numbers) > 1:
                continue  # its writer has not begun
            assert len(numbers) == 1
            assert numbers[0] >= seen.get(i, 0)
            seen[i] = numbers[0]
            copies += 1
    last = [int(n) for n in running.stdout.read().split(":")[1].split()]
    final = reader.read(ended=True)
    assert copies > 100
    assert final.scopes["lcore"].values[:, 5].tolist() == last
    assert final.scopes["vip"].values[0].tolist() == [sum(last)] * load().cells("vip")
