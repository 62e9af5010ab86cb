"""Check 1: rx + originated = tx + drop + consumed + held, in every stored row.

Rows hold increments, but the current value of held: a row balances when what came in less what
left is by how much held changed since the row before. Absolute rows balance as they are.
"""

from __future__ import annotations

from lb.catalogue import LEDGER_TERMS, Catalogue
from pipeline import schema
from pipeline.ledger.model import MAX_FINDINGS, Check, Line, Range, moment
from pipeline.ledger.source import Source
from pipeline.schema import ABSOLUTE, RAW
from pipeline.store import DATABASE

SCOPES = ("lcore", "vip")
_IN = ("rx", "originated")
_SIGNED = "toInt64(0)"


def term(catalogue: Catalogue, scope: str, name: str) -> str:
    """The sum of a term, as a signed number."""
    ids = [f"toInt64({entry.id})" for entry in catalogue.ledger(name, scope)]
    return f"({' + '.join(ids)})" if ids else _SIGNED


def _balance(catalogue: Catalogue, scope: str, held: str) -> str:
    parts = [term(catalogue, scope, t) for t in _IN]
    out = [term(catalogue, scope, t) for t in LEDGER_TERMS if t not in (*_IN, "held")]
    return f"{' + '.join(parts)} - {' - '.join(out)} - {held}"


def check(source: Source, catalogue: Catalogue, asked: Range) -> Check:
    """The law in every row of the scopes that have it."""
    found = Check("law", "the law holds in every row")
    for scope in SCOPES:
        for level in (RAW, ABSOLUTE):
            _rows(source, catalogue, asked, scope, level, found)
    return found


def _rows(
    source: Source, catalogue: Catalogue, asked: Range, scope: str, level: str, found: Check
) -> None:
    table = schema.table_name(scope, level)
    keys = ", ".join((*schema.row_key(scope), "boot"))
    # So many rows as a frame says a killed core left torn; an lcore's are whole, they have drafts.
    place = "stream, seq, instance, boot"
    excused = (
        f"SELECT {place}, torn_rows FROM {DATABASE}.instances "
        f"WHERE torn_rows > 0 AND {asked.where('back')}"
    )
    torn = "0" if scope == "lcore" else f"row_number() OVER (PARTITION BY {place}) <= torn_rows"
    rows = source.table(
        f"SELECT {keys}, toUnixTimestamp64Milli(ts) AS ms, residual, {torn} AS torn "
        f"FROM ({_residuals(catalogue, asked, scope, level)}) AS r "
        f"LEFT JOIN ({excused}) AS e USING ({place}) "
        f"WHERE known AND residual != 0 ORDER BY torn, ms LIMIT {MAX_FINDINGS}",
        asked.params,
    ).to_pylist()
    counted = source.table(
        f"SELECT count() AS n FROM {DATABASE}.{table} WHERE {asked.where()}", asked.params
    )
    found.examined += counted.column("n")[0].as_py()
    for row in rows:
        place = " ".join(str(row[k]) for k in schema.row_key(scope))
        text = f"{table}: {place} at {row['ms']}: {row['residual']:+d} packets unaccounted for"
        if row["torn"]:
            found.notes.append(f"{text} (a row that a killed core left torn)")
        else:
            found.fail(text)


def _residuals(catalogue: Catalogue, asked: Range, scope: str, level: str) -> str:
    keys = ", ".join((*schema.row_key(scope), "boot"))
    table = f"{DATABASE}.{schema.table_name(scope, level)}"
    columns = [e.id for t in LEDGER_TERMS for e in catalogue.ledger(t, scope)]
    # Generations of a name that follow each other share a label: their rows count as one.
    sums = ", ".join(f"sum({c}) AS {c}" for c in columns)
    rows = (
        f"SELECT {keys}, stream, seq, any(t.ts) AS ts, {sums} FROM {table} AS t "
        f"WHERE {asked.where('back', 't')} GROUP BY {keys}, stream, seq"
    )
    held = term(catalogue, scope, "held")
    known, taken = "1", ""
    if level == RAW:
        # A clock may be set back: then what was before is told by the number, not by the time, and
        # the row before may lie outside of the range.
        over = f"OVER (PARTITION BY {keys}, stream ORDER BY seq)"
        known = (
            f"row_number() {over} > 1 AND "
            f"(lagInFrame(seq) {over} + 1 = seq OR lagInFrame(ts) {over} <= ts)"
        )
        # What a boot held when it was taken over did not come in then.
        place = "stream, seq, instance, boot"
        held = f"if(taken_over, 0, {held} - lagInFrame({held}) {over})"
        taken = (
            f" LEFT JOIN (SELECT DISTINCT {place}, taken_over FROM {DATABASE}.instances "
            f"WHERE taken_over AND {asked.where('back')}) AS taken USING ({place})"
        )
    return (
        f"SELECT {keys}, stream, seq, ts, {held} AS held, "
        f"{_balance(catalogue, scope, held)} AS residual, ({known}) AND {_inside()} AS known, "
        f"{_inside()} AS inside FROM ({rows}) AS r{taken}"
    )


def _inside() -> str:
    return f"ts >= {moment('lo')}"


def balance(source: Source, catalogue: Catalogue, asked: Range) -> list[Line]:
    """What came in and what became of it: one line a term and reason, and the residual."""
    entries = [(t, e) for t in LEDGER_TERMS for e in catalogue.ledger(t, "lcore")]
    flows = [(t, e) for t, e in entries if t != "held"]
    sums = ", ".join(f"sum({e.id}) AS {e.id}" for _, e in flows)
    table = f"{DATABASE}.lcore_1s"
    row = source.table(
        f"SELECT {sums} FROM {table} WHERE {asked.where()}", asked.params
    ).to_pylist()
    values = row[0] if row else {}
    lines = [Line(t, _what(e.labels, e.id), int(values.get(e.id) or 0)) for t, e in flows]
    change = _held_change(source, catalogue, asked)
    lines.append(Line("held", "change", change))
    sign = {"rx": 1, "originated": 1}
    lines.append(Line("residual", "", sum(sign.get(x.term, -1) * x.packets for x in lines)))
    return lines


def _held_change(source: Source, catalogue: Catalogue, asked: Range) -> int:
    """Held at the end less held before, over all lcores and boots."""
    rows = _residuals(catalogue, asked, "lcore", RAW)
    row = source.table(f"SELECT sum(held) AS n FROM ({rows}) WHERE inside", asked.params)
    return int(row.column("n")[0].as_py() or 0)


def _what(labels: tuple[tuple[str, str], ...], name: str) -> str:
    return ", ".join(value for _, value in labels) or name
