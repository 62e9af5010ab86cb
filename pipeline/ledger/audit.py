"""The audit: all checks over one range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lb.catalogue import Catalogue, load
from pipeline import schema
from pipeline.errors import LedgerError
from pipeline.ledger import absolutes, frames, law, rollups, segments
from pipeline.ledger.model import Check, Range, Report
from pipeline.ledger.source import Source


def verify(
    source: Source,
    asked: Range,
    run_dirs: list[Path] | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Report:
    """Prove the range, or say what is not so. Raises LedgerError when nothing can be said."""
    catalogue = _stored_catalogue(source)
    asked = replace(asked, commit=frames.last_commit(source))
    count, nodes = frames.count(source, asked)
    if not count:
        raise LedgerError("no frame is stored in this range: nothing can be proven about it")
    steps: list[tuple[str, Callable[[], Check]]] = [
        ("frames", lambda: frames.check_sequence(source, asked)),
        ("rows", lambda: frames.check_rows(source, asked)),
        ("law", lambda: law.check(source, catalogue, asked)),
        ("keyframes", lambda: absolutes.check_intervals(source, catalogue, asked)),
        ("boots", lambda: absolutes.check_boots(source, catalogue, asked)),
        ("rollups", lambda: rollups.check(source, catalogue, asked)),
    ]
    if run_dirs:
        steps.append(("segments", lambda: segments.check(source, catalogue, run_dirs)))
    checks = []
    for name, step in steps:
        progress(name)
        checks.append(step())
    return Report(asked, count, nodes, law.balance(source, catalogue, asked), checks)


def _stored_catalogue(source: Source) -> Catalogue:
    """The entries that the store has columns for."""
    rows = source.table(schema.COLUMNS_SQL, {}).to_pylist()
    there = {(row["table"], row["name"]) for row in rows}
    if not there:
        raise LedgerError("the store has no tables: no pipeline ever ran on it")
    return schema.with_columns(load(), there)
