"""Check 5, on the node itself: what the segments say = what is stored.

A core that stopped is compared to the packet. One that runs counts on while its last seconds are on
their way: no counter may be stored beyond what it says.
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
from pipeline.ledger.absolutes import vector
from pipeline.ledger.model import Check
from pipeline.ledger.source import Source
from pipeline.schema import RAW
from pipeline.store import DATABASE


def check(source: Source, catalogue: Catalogue, folders: list[Path]) -> Check:
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
                _compare(source, catalogue, snapshot, scope, found)
    return found


def _compare(
    source: Source, catalogue: Catalogue, snapshot: Snapshot, scope: str, found: Check
) -> None:
    counted = _counted(catalogue, snapshot, scope)
    stored = _stored(source, catalogue, snapshot, scope)
    names = vector(catalogue, scope).names
    zeros = np.zeros(len(names), np.uint64)
    behind = 0
    for labels in sorted(counted.keys() | stored.keys()):
        here, there = counted.get(labels, zeros), stored.get(labels, zeros)
        found.examined += len(names)
        wrong = here != there if snapshot.ended else there > here
        behind += int((here != there).sum())
        for cell in np.flatnonzero(wrong)[:1]:
            found.fail(
                f"{scope}: {snapshot.instance} boot {snapshot.boot:016x} {' '.join(labels)}: "
                f"{names[cell]}: counted {here[cell]}, stored {there[cell]}"
            )
    if behind and not snapshot.ended:
        found.notes.append(f"{scope}: {snapshot.instance} runs: {behind} counters are on their way")


def _counted(
    catalogue: Catalogue, snapshot: Snapshot, scope: str
) -> dict[tuple[str, ...], np.ndarray[tuple[int], np.dtype[np.uint64]]]:
    """Counters by labels. Rows that had the same name one after the other are summed."""
    rows = snapshot.scopes[scope]
    entries = catalogue.scope(scope)
    cells = [e.slot for e in entries if e.kind == "counter"]
    for entry in entries:
        if entry.kind == "histogram":
            cells += range(entry.slot, entry.slot + entry.cells)
    values = rows.values[:, cells]
    sums: dict[tuple[str, ...], np.ndarray[tuple[int], np.dtype[np.uint64]]] = {}
    for labels, row in zip(rows.names.labels, values, strict=True):
        sums[labels] = sums[labels] + row if labels in sums else row
    return sums


def _stored(
    source: Source, catalogue: Catalogue, snapshot: Snapshot, scope: str
) -> dict[tuple[str, ...], np.ndarray[tuple[int], np.dtype[np.uint64]]]:
    labels = schema.row_key(scope)[3:]
    shown = ", ".join(f"toString({label})" for label in labels) or "''"
    table = source.table(
        f"SELECT array({shown}) AS labels, sumForEach({vector(catalogue, scope).sql}) AS v "
        f"FROM {DATABASE}.{schema.table_name(scope, RAW)} "
        "WHERE instance = {instance:String} AND boot = {boot:UInt64} GROUP BY labels",
        {"instance": snapshot.instance, "boot": str(snapshot.boot)},
    )
    rows = zip(table.column("labels").to_pylist(), table.column("v").to_pylist(), strict=True)
    return {tuple(k) if labels else (): np.array(v, np.uint64) for k, v in rows}
