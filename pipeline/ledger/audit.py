"""The audit: all checks over one range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lb.catalogue import Catalogue, load
from pipeline import schema
from pipeline.errors import LedgerError
from pipeline.ledger import absolutes, frames, law, rollups, segments, takeovers
from pipeline.ledger.model import RAW_LIFE_MS, Check, Range, Report
from pipeline.ledger.source import Source

# Without these nothing is proven. A boot may have begun before the raw rows that are kept; a minute
# may still run.
_NEEDED = ("rows", "law", "keyframes")


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
    if asked.from_ms < int(asked.params["oldest"]):
        raise LedgerError(
            "raw rows are kept for a week, and the range begins before: ask for the last "
            f"{RAW_LIFE_MS // 86_400_000} days at most"
        )
    taken = takeovers.Takeovers.find(source, asked)
    steps: list[tuple[str, Callable[[], Check]]] = [
        ("frames", lambda: frames.check_sequence(source, catalogue, asked)),
        ("rows", lambda: frames.check_rows(source, asked)),
        ("law", lambda: law.check(source, catalogue, asked)),
        ("keyframes", lambda: absolutes.check_intervals(source, catalogue, asked, taken)),
        ("takeovers", lambda: takeovers.check(source, catalogue, asked, taken)),
        ("boots", lambda: absolutes.check_boots(source, catalogue, asked, taken)),
        ("rollups", lambda: rollups.check(source, catalogue, asked)),
    ]
    if run_dirs:
        steps.append(("segments", lambda: segments.check(source, catalogue, run_dirs, taken)))
    checks = []
    for name, step in steps:
        progress(name)
        checks.append(step())
        if name in _NEEDED and not checks[-1].examined:
            checks[-1].unknown = checks[-1].unknown or "the frames of this range hold no rows of it"
    return Report(asked, count, nodes, law.balance(source, catalogue, asked), checks)


def _stored_catalogue(source: Source) -> Catalogue:
    """The entries that the store has columns for."""
    rows = source.table(schema.COLUMNS_SQL, {}).to_pylist()
    there = {(row["table"], row["name"]) for row in rows}
    if not there:
        raise LedgerError("the store has no tables: no pipeline ever ran on it")
    return schema.with_columns(load(), there)
