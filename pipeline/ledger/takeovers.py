"""Check 4: counts that were lost with a spool, exactly.

A spool that is lost takes with it what it had not sent. The next one takes its boots over: the
increments begin anew with a keyframe that says so, lest counts be there twice. What is missing is
the absolute counters of that keyframe less the last level that is stored: a keyframe before it,
and the increments behind that one. Whatever else is stored of such a boot is proven as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lb.catalogue import SCOPES, Catalogue
from pipeline import schema
from pipeline.ledger.model import Check, Range
from pipeline.ledger.source import Source
from pipeline.ledger.vectors import BOOT, Vector, keys_of, vector
from pipeline.schema import ABSOLUTE, RAW
from pipeline.store import DATABASE

# A name of these may be given anew in a boot; then its sums are those of several rows.
_RENAMED = frozenset({"vip", "backend"})
_TERMS = ("rx", "originated")
_PORT_DROPS = ("rx_missed_packets", "rx_error_packets")


@dataclass(frozen=True, slots=True)
class Takeovers:
    """Where boots of the range were taken over, as SQL. Without any, nothing is to be left out."""

    asked: Range
    any: bool

    @classmethod
    def find(cls, source: Source, asked: Range) -> Takeovers:
        row = source.table(f"SELECT count() AS n FROM ({_taken(asked)})", asked.params)
        return cls(asked, bool(row.column("n")[0].as_py()))

    def without(self, seq: str) -> str:
        """A condition: the row is not of a frame that takes its boot over."""
        if not self.any:
            return "1"
        return (
            f"({BOOT}, stream, {seq}) NOT IN (SELECT {BOOT}, taker, t FROM ({_taken(self.asked)}))"
        )

    def missing(self, scope: str, values: Vector) -> str:
        """Rows at each takeover: what is missing of each counter, and whether that can be told."""
        keys = ", ".join(keys_of(scope))
        begun = (
            f"SELECT {keys}, taker, t, any(tau) AS at, sumForEach(x) AS v "
            f"FROM ({self._rows(scope, ABSOLUTE, values)}) WHERE stream = taker AND seq = t "
            f"GROUP BY {keys}, taker, t"
        )
        size = len(values.names)
        return (
            f"SELECT {keys}, taker, t, at, prev, arrayMap((x, y) -> toInt64(x) - toInt64(y), "
            f"arrayResize(a.v, {size}), arrayResize(b.v, {size})) AS m, "
            f"arrayExists(x -> x < 0, m) AS unsure FROM ({begun}) AS a "
            f"LEFT JOIN ({self._levels(scope, values)}) AS b USING ({keys}, taker, t)"
        )

    def _levels(self, scope: str, values: Vector) -> str:
        """What was stored of each row before: counters of a boot only grow, so the most counts."""
        keys = ", ".join(keys_of(scope))
        before = "((stream = taker AND seq < t) OR (stream != taker AND ts < tau))"
        absolute, raw = (self._rows(scope, level, values) for level in (ABSOLUTE, RAW))
        last = (
            f"SELECT {BOOT}, taker, t, stream, max(seq) + 1 AS behind FROM ({absolute}) "
            f"WHERE {before} GROUP BY {BOOT}, taker, t, stream"
        )
        join = f"LEFT JOIN ({last}) AS l USING ({BOOT}, taker, t, stream) WHERE {before}"
        stored = " UNION ALL ".join(
            f"SELECT {keys}, taker, t, stream, ts, x FROM ({rows}) AS r {join} AND {which}"
            for rows, which in ((absolute, "seq + 1 = behind"), (raw, "seq >= behind"))
        )
        streams = (
            f"SELECT {keys}, taker, t, max(ts) AS prev, sumForEach(x) AS v FROM ({stored}) "
            f"GROUP BY {keys}, taker, t, stream"
        )
        return (
            f"SELECT {keys}, taker, t, max(s.prev) AS prev, maxForEach(v) AS v FROM ({streams}) "
            f"AS s GROUP BY {keys}, taker, t"
        )

    def _rows(self, scope: str, level: str, values: Vector) -> str:
        table = f"{DATABASE}.{schema.table_name(scope, level)}"
        return (
            f"SELECT {', '.join(keys_of(scope))}, taker, t, tau, stream, seq, ts, "
            f"{values.sql} AS x FROM {table} INNER JOIN ({_taken(self.asked)}) AS taken "
            f"USING ({BOOT}) WHERE {self.asked.before()}"
        )


def _taken(asked: Range) -> str:
    """Frames that take a boot over which is in the range: before it, or in it."""
    inside = f"SELECT {BOOT} FROM {DATABASE}.instances WHERE {asked.where()}"
    return (
        f"SELECT DISTINCT {BOOT}, stream AS taker, seq AS t, ts AS tau FROM {DATABASE}.instances "
        f"WHERE taken_over AND {asked.before()} AND ({BOOT}) IN ({inside})"
    )


def check(source: Source, catalogue: Catalogue, asked: Range, takeovers: Takeovers) -> Check:
    """What is missing since a takeover in the range is lost; before it, a note."""
    found = Check("takeovers", "no count was lost with a spool")
    row = source.table(
        f"SELECT uniqExact({BOOT}) AS n FROM {DATABASE}.instances WHERE {asked.where()}",
        asked.params,
    )
    found.examined = row.column("n")[0].as_py()
    if not takeovers.any:
        return found
    lost: dict[tuple[Any, ...], dict[str, int]] = {}
    for scope in SCOPES:
        if catalogue.scope(scope):
            _add(source, takeovers, scope, vector(catalogue, scope), lost, found)
    for place, counts in sorted(lost.items()):
        _tell(catalogue, asked, place, counts, found)
    return found


_PLACE = ("pop", "node", "instance", "boot", "taker", "t")


def _add(
    source: Source,
    takeovers: Takeovers,
    scope: str,
    values: Vector,
    lost: dict[tuple[Any, ...], dict[str, int]],
    found: Check,
) -> None:
    """Sum what is missing of a scope by takeover."""
    place = ", ".join(_PLACE)
    rows = source.table(
        f"SELECT {place}, toUnixTimestamp64Milli(any(at)) AS ms, "
        "toUnixTimestamp64Milli(max(prev)) AS before, countIf(unsure) AS unsure_rows, "
        "sumForEachIf(m, NOT unsure) AS lack "
        f"FROM ({takeovers.missing(scope, values)}) GROUP BY {place}",
        takeovers.asked.params,
    ).to_pylist()
    for row in rows:
        counts = lost.setdefault(tuple(row[k] for k in _PLACE), {"ms": row["ms"], "before": 0})
        counts["before"] = max(counts["before"], row["before"])
        for name, lack in zip(values.names, row["lack"], strict=False):
            counts[f"{scope}.{name}"] = lack
        if not row["unsure_rows"]:
            continue
        text = f"{_name(row)}: {scope}: {row['unsure_rows']} rows have stored more than is counted"
        if scope in _RENAMED:
            found.notes.append(
                f"{text}: their name was given anew, so what is missing is not known"
            )
        else:
            found.fail(f"{text}: it is there twice", row["unsure_rows"])


def _name(row: dict[str, Any]) -> str:
    return (
        f"{row['pop']} {row['node']} {row['instance']} boot {row['boot']:016x}, "
        f"taken over by stream {row['taker']:016x} with frame {row['t']}"
    )


def _tell(
    catalogue: Catalogue,
    asked: Range,
    place: tuple[Any, ...],
    counts: dict[str, int],
    found: Check,
) -> None:
    ids = [f"lcore.{e.id}" for t in _TERMS for e in catalogue.ledger(t)]
    packets = sum(counts.get(name, 0) for name in ids)
    parts = [f"{n} {i.removeprefix('lcore.')}" for i in ids if (n := counts.get(i))]
    for term in ("tx", "drop", "consumed"):
        of = sum(counts.get(f"lcore.{e.id}", 0) for e in catalogue.ledger(term))
        parts.append(f"{of} {term}")
    parts += [f"{n} {name} of ports" for name in _PORT_DROPS if (n := counts.get(f"port.{name}"))]
    since = f"from {counts['before']} to" if counts["before"] else "from its start to"
    name = _name(dict(zip(_PLACE, place, strict=True)))
    text = f"{name}: what was counted {since} {counts['ms']} was lost with the spool before it"
    others = packets or any(counts.get(f"port.{name}") for name in _PORT_DROPS)
    if not others:
        found.notes.append(f"{name}: no packet is missing, all were sent before")
    elif counts["ms"] < asked.from_ms:
        found.notes.append(f"{text}, before this range: {packets} packets ({', '.join(parts)})")
    else:
        found.lose(f"{text}: {packets} packets are in no increment ({', '.join(parts)})", packets)
