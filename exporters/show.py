"""Segments and spools as tables for people, and as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from exporters import ledger, marks, spoolfile
from exporters.errors import SegmentError
from exporters.sampler import state_of
from exporters.segment import PREFIX, Segment
from exporters.snapshot import Rows, Snapshot, SnapshotReader
from lb.catalogue import load


def read(run_dir: Path) -> list[Snapshot]:
    """A snapshot of every segment of an instance, oldest first. Raises SegmentError for none."""
    paths = sorted(run_dir.glob(PREFIX + "*"))
    snapshots, problems = list[Snapshot](), list[str]()
    for path in paths:
        try:
            snapshots.append(SnapshotReader(Segment(path)).read())
        except SegmentError as error:
            problems.append(str(error))
    if not snapshots:
        raise SegmentError("; ".join(problems) or f"{run_dir}: no {PREFIX}* here; is it a core's?")
    return sorted(snapshots, key=lambda s: s.start_ns)


def violations(snapshot: Snapshot) -> int:
    """Rows in which the ledger law does not hold."""
    found = [rows for scope, rows in snapshot.scopes.items() if scope in ledger.SCOPES]
    return sum(int(np.count_nonzero(ledger.residual_of(r))) for r in found)


def to_json(snapshot: Snapshot) -> dict[str, Any]:
    """All of a snapshot: counters by id for every named row, and the terms of the law."""
    return {
        "instance": snapshot.instance,
        "boot": f"{snapshot.boot:016x}",
        "version": snapshot.version,
        "state": state_of(snapshot),
        "time_ms": snapshot.time_ns // 1_000_000,
        "age_ms": snapshot.age_ms,
        "unknown": list(snapshot.unknown),
        "missing": list(snapshot.missing),
        "torn_rows": snapshot.torn_rows,
        "ledger": {s: _ledger(snapshot.scopes[s]) for s in ledger.SCOPES if s in snapshot.scopes},
        "scopes": {scope: _rows(rows) for scope, rows in snapshot.scopes.items()},
    }


def _ledger(rows: Rows) -> list[dict[str, Any]]:
    terms = {t: v.tolist() for t, v in ledger.terms(rows.scope, rows.values).items()}
    terms["residual"] = ledger.residual_of(rows).tolist()
    names = rows.names
    return [
        {**_labels(rows, i), **{term: values[i] for term, values in terms.items()}}
        for i in range(len(names.labels))
    ]


def _rows(rows: Rows) -> list[dict[str, Any]]:
    out = []
    for i, cells in enumerate(rows.values.tolist()):
        counters = {
            c.id: cells[c.slot : c.slot + c.cells] if c.kind == "histogram" else cells[c.slot]
            for c in load().scope(rows.scope)
        }
        out.append({**_labels(rows, i), "active": bool(rows.names.active[i]), "counters": counters})
    return out


def _labels(rows: Rows, i: int) -> dict[str, Any]:
    return {"labels": dict(zip(rows.names.label_keys, rows.names.labels[i], strict=True))}


def print_tables(snapshots: Sequence[Snapshot], zeros: bool) -> None:
    """One table a scope, a column a row of the segment; then the law."""
    console = Console()
    for snapshot in snapshots:
        console.print(
            f"[bold]{snapshot.instance}[/bold] boot {snapshot.boot:016x}, {state_of(snapshot)}, "
            f"last sign {snapshot.age_ms} ms ago"
        )
        for rows in snapshot.scopes.values():
            if len(rows.names.rows):
                console.print(_counter_table(rows, zeros))
        for scope in ledger.SCOPES:
            if scope in snapshot.scopes:
                console.print(_ledger_table(snapshot.scopes[scope]))


def _counter_table(rows: Rows, zeros: bool) -> Table:
    table = Table(title=rows.scope, title_justify="left")
    table.add_column("counter")
    for labels in rows.names.labels:
        table.add_column(" ".join(labels) or "value", justify="right")
    for c in load().scope(rows.scope):
        cells = rows.values[:, c.slot : c.slot + c.cells]
        if zeros or cells.any():
            table.add_row(c.id, *(" ".join(map(str, row)) for row in cells.tolist()))
    return table


def _ledger_table(rows: Rows) -> Table:
    table = Table(title=f"{rows.scope}: the law", title_justify="left")
    for key in rows.names.label_keys:
        table.add_column(key)
    terms = ledger.terms(rows.scope, rows.values)
    residual = ledger.residual_of(rows)
    for term in (*terms, "residual"):
        table.add_column(term, justify="right")
    for i, labels in enumerate(rows.names.labels):
        left = f"[{'green' if residual[i] == 0 else 'bold red'}]{residual[i]}"
        table.add_row(*labels, *(str(v[i]) for v in terms.values()), left)
    return table


def inspect_spool(directory: Path, each: bool) -> dict[str, Any]:
    """What a spool holds. Raises SpoolError. Reads only; an exporter may be at work in it."""
    files, streams = list[dict[str, Any]](), set[int]()
    for path in sorted(directory.glob("*" + spoolfile.SUFFIX)):
        scan = spoolfile.scan(path)
        streams.update(e.stream for e in scan.entries)
        file: dict[str, Any] = {
            "file": path.name,
            "bytes": scan.size,
            "frames": len(scan.entries),
            "keyframes": sum(e.keyframe for e in scan.entries),
            "first_seq": scan.entries[0].first if scan.entries else None,
            "last_seq": scan.entries[-1].seq if scan.entries else None,
            "damaged": scan.damaged,
            "torn_tail": scan.torn_tail,
        }
        if each:
            file["entries"] = [
                {"seq": e.seq, "first": e.first, "ts_ms": e.ts_ms, "keyframe": e.keyframe}
                | {"bytes": e.length}
                for e in scan.entries
            ]
        known = marks.Marks.load(directory, scan.entries[-1].stream, 0) if scan.entries else None
        acked = known.acked if known else ()
        file["waiting"] = sum(e.seq not in acked for e in scan.entries)
        files.append(file)
    return {
        "directory": str(directory),
        "streams": [f"{s:016x}" for s in sorted(streams)],
        "bytes": sum(f["bytes"] for f in files),
        "frames": sum(f["frames"] for f in files),
        "waiting": sum(f["waiting"] for f in files),
        "damaged": sum(f["damaged"] for f in files),
        "files": files,
    }


def print_spool(raw: dict[str, Any]) -> None:
    """The files of a spool as a table."""
    console = Console()
    table = Table(title=f"{raw['directory']}, stream {', '.join(raw['streams']) or 'none yet'}")
    keys = ("file", "bytes", "frames", "keyframes", "first_seq", "last_seq", "waiting", "damaged")
    for key in keys:
        table.add_column(key, justify="left" if key == "file" else "right")
    for file in raw["files"]:
        table.add_row(*(str(file[key]) for key in keys))
    console.print(table)
    for file in raw["files"]:
        for e in file.get("entries", ()):
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(e["ts_ms"] / 1000))
            kind = "keyframe" if e["keyframe"] else "increments"
            console.print(f"{e['first']}..{e['seq']}  {when}  {kind}, {e['bytes']} bytes")
    console.print(f"{raw['frames']} frames, {raw['waiting']} wait, {raw['damaged']} damaged")
