"""The counter catalogue: counters.toml, read and checked. Standard library only: meson runs it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lb.errors import CatalogueError

PATH = Path(__file__).with_name("counters.toml")
SCOPES = ("lcore", "port", "port_queue", "vip", "backend", "node")
KINDS = ("counter", "gauge", "histogram")
LEDGER_TERMS = ("rx", "originated", "tx", "drop", "consumed", "held")
# Label keys of the rows of a scope, as the core writes them into the segment.
ROW_LABELS: dict[str, tuple[str, ...]] = {
    "lcore": ("lcore",),
    "port": ("port",),
    "port_queue": ("port", "queue"),
    "vip": ("vip", "address", "port", "protocol"),
    "backend": ("pool", "backend", "address"),
    "node": (),
}
MAX_BOUNDS = 16
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_REQUIRED = {"id", "scope", "slot", "kind", "unit", "help"}
_OPTIONAL = {"metric", "labels", "ledger", "peak", "bounds"}


@dataclass(frozen=True, slots=True)
class Counter:
    """One entry. `slot` is its first cell in the row; a histogram takes `len(bounds) + 2` cells."""

    id: str
    scope: str
    slot: int
    kind: str
    unit: str
    help: str
    metric: str
    labels: tuple[tuple[str, str], ...] = ()
    ledger: str = ""
    peak: bool = False
    bounds: tuple[int, ...] = field(default=())

    @property
    def cells(self) -> int:
        return len(self.bounds) + 2 if self.kind == "histogram" else 1

    @property
    def family(self) -> str:
        """Name of the metric family, without `_total`."""
        return f"popscope_{self.scope}_{self.metric}"


@dataclass(frozen=True, slots=True)
class Catalogue:
    counters: tuple[Counter, ...]

    def scope(self, name: str) -> tuple[Counter, ...]:
        """The entries of a scope, in the order of their slots."""
        return tuple(c for c in self.counters if c.scope == name)

    def cells(self, scope: str) -> int:
        """Cells of a row of the scope."""
        return sum(c.cells for c in self.scope(scope))

    def ledger(self, term: str, scope: str = "lcore") -> tuple[Counter, ...]:
        """The entries of a scope that one term of the ledger law sums."""
        return tuple(c for c in self.scope(scope) if c.ledger == term)

    @property
    def hash(self) -> int:
        """64 bits that differ whenever a reader of the cells could be misled."""
        lines = (f"{c.scope} {c.slot} {c.id} {c.kind} {c.unit} {c.bounds}" for c in self.counters)
        return int.from_bytes(hashlib.sha256("\n".join(lines).encode()).digest()[:8], "big")


def parse(text: str, source: str) -> Catalogue:
    """Read a catalogue. Raises CatalogueError, naming the entry and the rule that it breaks."""
    try:
        entries = tomllib.loads(text).get("counter", [])
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{source}: {error}") from error
    counters = tuple(_entry(raw, f"{source}: counter {i + 1}") for i, raw in enumerate(entries))
    for scope in SCOPES:
        _check_scope([c for c in counters if c.scope == scope], source)
    _check_families(counters, source)
    return Catalogue(tuple(sorted(counters, key=lambda c: (SCOPES.index(c.scope), c.slot))))


@cache
def load() -> Catalogue:
    """The catalogue that ships with this package."""
    return parse(PATH.read_text(), PATH.name)


def _entry(raw: dict[str, Any], where: str) -> Counter:
    where = f"{where} ({raw.get('scope', '?')}.{raw.get('id', '?')})"
    for problem in _problems(raw):
        raise CatalogueError(f"{where}: {problem}")
    return Counter(
        id=raw["id"],
        scope=raw["scope"],
        slot=raw["slot"],
        kind=raw["kind"],
        unit=raw["unit"],
        help=raw["help"],
        metric=raw.get("metric", raw["id"]),
        labels=tuple(sorted(raw.get("labels", {}).items())),
        ledger=raw.get("ledger", ""),
        peak=raw.get("peak", False),
        bounds=tuple(raw.get("bounds", ())),
    )


def _problems(raw: dict[str, Any]) -> Iterator[str]:
    if missing := _REQUIRED - raw.keys():
        yield f"lacks {', '.join(sorted(missing))}"
        return
    if unknown := raw.keys() - _REQUIRED - _OPTIONAL:
        yield f"has unknown keys {', '.join(sorted(unknown))}"
    if raw["scope"] not in SCOPES:
        yield f"scope must be one of {', '.join(SCOPES)}"
    if raw["kind"] not in KINDS:
        yield f"kind must be one of {', '.join(KINDS)}"
    if raw.get("ledger", "rx") not in LEDGER_TERMS:
        yield f"ledger must be one of {', '.join(LEDGER_TERMS)}"
    yield from _naming_problems(raw)
    bounds = raw.get("bounds", [])
    if (raw["kind"] == "histogram") != bool(bounds):
        yield "a histogram, and only a histogram, has bounds"
    if len(bounds) > MAX_BOUNDS or bounds != sorted(set(bounds)):
        yield f"bounds must ascend, {MAX_BOUNDS} at most"


def _naming_problems(raw: dict[str, Any]) -> Iterator[str]:
    metric = raw.get("metric", raw["id"])
    for name in (raw["id"], metric, *raw.get("labels", {})):
        if not _NAME.fullmatch(name):
            yield f"{name!r} is not lower case words joined by underscores"
    if raw["unit"] and not f"_{metric}".endswith(f"_{raw['unit']}"):
        yield f"the family {metric!r} must end with its unit {raw['unit']!r} (OpenMetrics)"
    if metric.endswith(("_total", "_sum", "_count", "_bucket", "_info", "_created")):
        yield f"the family {metric!r} ends with a suffix that OpenMetrics reserves"
    if not raw["help"].endswith("."):
        yield "help must be a sentence"


def _check_scope(counters: list[Counter], source: str) -> None:
    slot, seen = 0, set[str]()
    for c in sorted(counters, key=lambda c: c.slot):
        if c.slot != slot:
            raise CatalogueError(f"{source}: {c.scope}.{c.id}: slot is {c.slot}, must be {slot}")
        if c.id in seen:
            raise CatalogueError(f"{source}: {c.scope}.{c.id}: the id is there twice")
        seen.add(c.id)
        slot += c.cells


def _check_families(counters: tuple[Counter, ...], source: str) -> None:
    families: dict[str, Counter] = {}
    series: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for c in counters:
        first = families.setdefault(c.family, c)
        same_keys = [k for k, _ in first.labels] == [k for k, _ in c.labels]
        if (first.kind, first.unit) != (c.kind, c.unit) or not same_keys:
            raise CatalogueError(
                f"{source}: {c.scope}.{c.id}: differs in kind, unit or label keys from {first.id}, "
                f"which is of the same family {c.family}"
            )
        if (c.family, c.labels) in series:
            raise CatalogueError(f"{source}: {c.scope}.{c.id}: its family and labels are taken")
        series.add((c.family, c.labels))
