"""Check 6, on the node itself: what the segments say = what is stored.

A core that stopped is compared to the packet. One that runs counts on while its last seconds are on
their way: no counter may be stored beyond what it says. What a takeover says is missing, is known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from exporters.errors import ExporterError
from exporters.segment import Segment
from exporters.snapshot import Snapshot, SnapshotReader
from lb.catalogue import SCOPES, Catalogue
from pipeline import schema
from pipeline.errors import LedgerError
from pipeline.ledger.model import Check
from pipeline.ledger.source import Source
from pipeline.ledger.takeovers import Takeovers
from pipeline.ledger.vectors import Vector, vector
from pipeline.schema import RAW
from pipeline.store import DATABASE

Sums = dict[tuple[str, ...], np.ndarray[tuple[int], np.dtype[np.uint64]]]


def check(source: Source, catalogue: Catalogue, folders: list[Path], takeovers: Takeovers) -> Check:
    """Every boot whose segment lies in one of the run directories. Raises LedgerError."""
    found = Check("segments", "segments = what is stored")
    paths = sorted(p for folder in folders for p in folder.glob("segment-*"))
    if not paths:
        raise LedgerError(f"no segment in {', '.join(map(str, folders))}")
    for path in paths:
        try:
            snapshot = SnapshotReader(Segment(path), catalogue).read()
        except ExporterError as error:
            raise LedgerError(str(error)) from error
        for scope in SCOPES:
            if scope in snapshot.scopes:
                values = vector(catalogue, scope)
                stored = _stored(source, values, snapshot, scope, takeovers)
                _compare(_counted(catalogue, snapshot, scope), stored, values, snapshot, found)
    return found


def _compare(counted: Sums, stored: Sums, values: Vector, snapshot: Snapshot, found: Check) -> None:
    names, instance = values.names, snapshot.instance
    zeros = np.zeros(len(names), np.uint64)
    behind = 0
    for labels in sorted(counted.keys() | stored.keys()):
        here, there = counted.get(labels, zeros), stored.get(labels, zeros)
        found.examined += len(names)
        wrong = here != there if snapshot.ended else there > here
        behind += int((here != there).sum())
        for cell in np.flatnonzero(wrong)[:1]:
            found.fail(
                f"{values.scope}: {instance} boot {snapshot.boot:016x} {' '.join(labels)}: "
                f"{names[cell]}: counted {here[cell]}, stored {there[cell]}"
            )
    if behind and not snapshot.ended:
        found.notes.append(
            f"{values.scope}: {snapshot.instance} runs: {behind} counters are on their way"
        )


def _counted(catalogue: Catalogue, snapshot: Snapshot, scope: str) -> Sums:
    """Counters by labels. Rows that had the same name one after the other are summed."""
    rows = snapshot.scopes[scope]
    entries = catalogue.scope(scope)
    cells = [e.slot for e in entries if e.kind == "counter"]
    for entry in entries:
        if entry.kind == "histogram":
            cells += range(entry.slot, entry.slot + entry.cells)
    values = rows.values[:, cells]
    sums: Sums = {}
    for labels, row in zip(rows.names.labels, values, strict=True):
        sums[labels] = sums[labels] + row if labels in sums else row
    return sums


def _stored(
    source: Source, values: Vector, snapshot: Snapshot, scope: str, takeovers: Takeovers
) -> Sums:
    labels = schema.row_key(scope)[3:]
    shown = ", ".join(f"toString({label})" for label in labels) or "''"
    where = "WHERE instance = {instance:String} AND boot = {boot:UInt64}"
    rows = (
        f"SELECT array({shown}) AS labels, {values.sql} AS v "
        f"FROM {DATABASE}.{schema.table_name(scope, RAW)} {where}"
    )
    if takeovers.any:
        missing = takeovers.missing(scope, values)
        rows += (
            f" UNION ALL SELECT array({shown}) AS labels, arrayMap(x -> toUInt64(x), m) AS v "
            f"FROM ({missing}) {where} AND NOT unsure"
        )
    table = source.table(
        f"SELECT labels, sumForEach(v) AS v FROM ({rows}) GROUP BY labels",
        takeovers.asked.params | {"instance": snapshot.instance, "boot": str(snapshot.boot)},
    )
    found = zip(table.column("labels").to_pylist(), table.column("v").to_pylist(), strict=True)
    return {tuple(k) if labels else (): np.array(v, np.uint64) for k, v in found}
