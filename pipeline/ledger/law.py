"""Check 1: rx + originated = tx + drop + consumed + held, in every stored row.

Rows hold increments, but the current value of held: a row balances when what came in less what
left is by how much held changed since the row before. Absolute rows balance as they are.
"""

from __future__ import annotations

from lb.catalogue import LEDGER_TERMS, Catalogue
from pipeline import schema
from pipeline.ledger.model import Check, Line, Range
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
    rows = source.table(
        f"SELECT {keys}, toUnixTimestamp64Milli(ts) AS ms, residual, torn, "
        "count() OVER () AS n, all FROM ("
        f"SELECT *, count() OVER () AS all FROM ({_residuals(catalogue, asked, scope, level)}) "
        f"WHERE known) WHERE residual != 0 ORDER BY torn, ms LIMIT 20",
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
    known = "1"
    if level == RAW:
        before = f"lagInFrame({held}) OVER (PARTITION BY {keys} ORDER BY ts, seq)"
        known = f"row_number() OVER (PARTITION BY {keys} ORDER BY ts, seq) > 1"
        held = f"({held} - {before})"
    balance = _balance(catalogue, scope, held)
    torn = (
        f"SELECT DISTINCT stream, seq, instance, boot FROM {DATABASE}.instances "
        f"WHERE torn_rows > 0 AND {asked.where('back')}"
    )
    return (
        f"SELECT {keys}, ts, {balance} AS residual, ({known}) AND ts >= {_lower()} AS known, "
        f"(stream, seq, instance, boot) IN ({torn}) AS torn FROM ({rows})"
    )


def _lower() -> str:
    return "fromUnixTimestamp64Milli({lo:Int64}, 'UTC')"


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
    keys = ", ".join((*schema.row_key("lcore"), "boot"))
    held = term(catalogue, "lcore", "held")
    row = source.table(
        f"SELECT sum(argMax({held}, (ts, seq)) - argMaxIf({held}, (ts, seq), ts < {_lower()})) "
        "OVER () AS n "
        f"FROM {DATABASE}.lcore_1s WHERE {asked.where('back')} GROUP BY {keys} LIMIT 1",
        asked.params,
    )
    return int(row.column(0)[0].as_py()) if row.num_rows else 0


def _what(labels: tuple[tuple[str, str], ...], name: str) -> str:
    return ", ".join(value for _, value in labels) or name
