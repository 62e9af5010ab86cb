"""One answer for the live page: what a range of seconds holds, as columns over equal buckets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.live import sql
from pipeline.live.options import LiveOptions
from pipeline.store import ReadOnly, Store

_SETTLED_SECONDS = 2  # what is older than this has come in, when all is well
_KEYFRAME_SECONDS = 130  # at least one keyframe of every instance lies in this
_STATES_SECONDS = 7200  # every state was told at least once in this
_ALERTS_SECONDS = 7 * 86400
Column = npt.NDArray[np.float64]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """The nodes that a page looks at: one of them, or all with `node` empty."""

    pop: str = ""
    node: str = ""

    @property
    def selected(self) -> bool:
        return bool(self.node)


@dataclass(frozen=True, slots=True)
class Span:
    """Buckets of `step` seconds; the first one is that of Unix time `start`."""

    start: int
    step: int
    count: int

    @property
    def since_ms(self) -> int:
        return self.start * 1000 - self.step * 500

    @property
    def until_ms(self) -> int:
        return (self.start + self.count * self.step) * 1000 - self.step * 500


Part = Callable[[Store, View, Span, LiveOptions], Json]


def span(now: float, seconds: int) -> Span:
    """The last `seconds` up to `now`, in at most 600 buckets."""
    step = max(1, -(-seconds // 600))
    last = math.floor(now / step + 0.5)
    count = max(1, seconds // step)
    return Span((last - count + 1) * step, step, count)


def affordable(store: Store, view: View, now: float, seconds: int, options: LiveOptions) -> int:
    """How many of the last seconds can be shown within the budget of rows. Blocks."""
    with store.read_only(options.limits) as session:
        found = _first(session, sql.size(view.selected), _range(span(now, 10), view))
    return max(30, min(seconds, int(options.rows_budget / max(found["rows"] / 10, 1))))


def parts(tables: bool = True) -> list[Part]:
    """What an answer is made of. Each asks in a session of its own: they may run at once."""
    return [_charts, _judged, *([_tables] if tables else [])]


def collect(
    store: Store, view: View, over: Span, options: LiveOptions, tables: bool = True
) -> Json:
    """What the page draws from counters, with or without its tables. Blocks; raises QueryError."""
    found: Json = {}
    for part in parts(tables):
        found |= part(store, view, over, options)
    return found


def _charts(store: Store, view: View, over: Span, options: LiveOptions) -> Json:
    chosen, asked = view.selected, _range(over, view)
    with store.read_only(options.limits) as session:
        size = _first(session, sql.size(chosen), asked)
        # Choosing the busiest costs as much again, and is not needed where all of them fit.
        series = options.series if size["nodes"] > options.series else 0
        rows = options.lcores if size["lcores"] > options.lcores else 0
        return {
            "start": over.start,
            "step": over.step,
            "count": over.count,
            "nodes": _series(_ask(session, sql.traffic(chosen, series), asked), over),
            "lcores": _series(_ask(session, sql.lcores(chosen, rows), asked), over),
        }


def _judged(store: Store, view: View, over: Span, options: LiveOptions) -> Json:
    chosen, asked = view.selected, _range(over, view)
    with store.read_only(options.limits) as session:
        events = _ask(session, sql.events(chosen, options.table_rows), asked)
        return {
            "residual": _residual(_ask(session, sql.residual(chosen), asked), over),
            "drops": _reasons(_ask(session, sql.drops(chosen), asked), over),
            "events": events.to_pylist(),
        }


def _tables(store: Store, view: View, over: Span, options: LiveOptions) -> Json:
    end = over.until_ms
    asked = _range(over, view) | {
        "since": str(end - _KEYFRAME_SECONDS * 1000),
        "rate_since": str(end - (sql.TABLE_SECONDS + _SETTLED_SECONDS) * 1000),
        "rate_until": str(end - _SETTLED_SECONDS * 1000),
    }
    queries = {"vips": sql.vips, "backends": sql.backends}
    told = asked | {
        "since": str(end - _ALERTS_SECONDS * 1000),
        "recent": str(end - _STATES_SECONDS * 1000),
    }
    with store.read_only(options.limits) as session:
        troubles = _ask(session, sql.troubles(view.selected, options.table_rows), told)
        return {
            name: _ask(session, query(view.selected, options.table_rows), asked).to_pylist()
            for name, query in queries.items()
        } | {"troubles": troubles.to_pylist()}


def ask_range(
    store: Store, text: str, since_ms: int, until_ms: int, options: LiveOptions
) -> pa.Table:
    """The result of a query that is bounded by time alone. Blocks; raises QueryError."""
    with store.read_only(options.limits) as session:
        return _ask(session, text, {"since": str(since_ms), "until": str(until_ms)})


def _ask(session: ReadOnly, text: str, parameters: Mapping[str, str]) -> pa.Table:
    data = session.query(text, "ArrowStream", parameters)
    return pa.ipc.open_stream(data).read_all() if data else pa.table({})


def _first(session: ReadOnly, text: str, parameters: Mapping[str, str]) -> dict[str, int]:
    row: dict[str, int] = _ask(session, text, parameters).to_pylist()[0]
    return row


def _range(over: Span, view: View) -> dict[str, str]:
    return {
        "since": str(over.since_ms),
        "until": str(over.until_ms),
        "width": str(over.step * 1000),
        "pop": view.pop,
        "node": view.node,
    }


def _places(table: pa.Table, over: Span) -> npt.NDArray[np.int64]:
    buckets: npt.NDArray[np.int64] = table["bucket"].to_numpy() - over.start // over.step
    return buckets


def _dense(values: pa.ChunkedArray, places: npt.NDArray[np.int64], over: Span) -> list[Any]:
    """The values at their buckets, null in between; whole numbers stay whole."""
    out = np.full(over.count, None, dtype=object)
    inside = (places >= 0) & (places < over.count)
    numbers = values.to_numpy()[inside]
    out[places[inside]] = (numbers if numbers.dtype.kind in "iu" else np.round(numbers, 1)).tolist()
    listed: list[Any] = out.tolist()
    return listed


def _series(table: pa.Table, over: Span) -> list[Json]:
    """One object a name, with a dense list for every other column."""
    if table.num_rows == 0:
        return []
    names = table["name"].to_pylist()
    starts = [i for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    places = _places(table, over)
    found = []
    for start, end in zip(starts, [*starts[1:], len(names)], strict=True):
        part, where = table.slice(start, end - start), places[start:end]
        columns = (c for c in table.column_names if c not in ("bucket", "name"))
        found.append({"name": names[start]} | {c: _dense(part[c], where, over) for c in columns})
    return found


def _reasons(table: pa.Table, over: Span) -> dict[str, list[Any]]:
    """The reasons that dropped anything; the others are left out."""
    if table.num_rows == 0:
        return {}
    places = _places(table, over)
    return {
        reason: _dense(table[reason], places, over)
        for reason in table.column_names
        if reason != "bucket" and table[reason].to_numpy().any()
    }


def _residual(table: pa.Table, over: Span) -> Json:
    if table.num_rows == 0:
        empty = [None] * over.count
        return {"packets": empty, "unjudged": empty}
    places = _places(table, over)
    return {
        "packets": _dense(table["residual"], places, over),
        "unjudged": _dense(table["unjudged"], places, over),
    }
