"""The counters of a row as one array, and the columns that name the row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lb.catalogue import SCOPES, Catalogue
from pipeline import schema

BOOT = "pop, node, instance, boot"


@dataclass(frozen=True, slots=True)
class Vector:
    """The counters of a scope as one array: its expression, and a name for each element."""

    scope: str
    sql: str
    names: tuple[str, ...]


def vector(catalogue: Catalogue, scope: str) -> Vector:
    """Counters first, then the cells of the histograms; gauges do not add up."""
    counters = [e for e in catalogue.scope(scope) if e.kind == "counter"]
    histograms = [e for e in catalogue.scope(scope) if e.kind == "histogram"]
    parts = [f"[{', '.join(e.id for e in counters)}]"] if counters else ["emptyArrayUInt64()"]
    parts += [f"arrayResize({e.id}, {e.cells})" for e in histograms]
    cells = [f"{e.id}[{i + 1}]" for e in histograms for i in range(e.cells)]
    return Vector(scope, f"arrayConcat({', '.join(parts)})", (*(e.id for e in counters), *cells))


def scopes(catalogue: Catalogue) -> Iterator[tuple[str, Vector]]:
    """Scopes that have counters, and their vectors."""
    vectors = ((scope, vector(catalogue, scope)) for scope in SCOPES)
    return ((scope, values) for scope, values in vectors if values.names)


def keys_of(scope: str) -> list[str]:
    """The columns that name a row of a scope in all boots."""
    return [*schema.row_key(scope), "boot"]
