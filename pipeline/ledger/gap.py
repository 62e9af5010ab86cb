"""Numbers of a stream without frames, and whether a count is missing with them.

An exporter that finds damage at the end of its spool leaves out the numbers that may have lain
there. What those frames had counted comes with its next one, as the increments are what the spool
lacks. So a gap is harmless when the increments around it sum to the absolute counters, and every
boot that was there before it is there behind it: the end of a boot does not come again.
"""

from __future__ import annotations

from dataclasses import replace

from lb.catalogue import Catalogue
from pipeline.ledger.absolutes import check_intervals
from pipeline.ledger.model import Range
from pipeline.ledger.source import Source
from pipeline.ledger.takeovers import Takeovers
from pipeline.store import DATABASE

_OF = f"FROM {DATABASE}.frames WHERE stream = {{stream:UInt64}} AND commit <= {{commit:UInt64}}"


def is_harmless(
    source: Source, catalogue: Catalogue, asked: Range, stream: int, gap: dict[str, int]
) -> bool:
    """Whether nothing is missing in the gap low..high."""
    bounds = {"stream": stream, "low": gap["low"], "high": gap["high"]}
    params = asked.params | {name: str(number) for name, number in bounds.items()}
    around = source.table(
        "SELECT any(pop) AS pop, any(node) AS node, "
        "countIf(before AND keyframe) * countIf(after AND keyframe) AS enclosed, "
        "maxIf(seq, before) AS left, minIf(seq, after) AS right, "
        "toUnixTimestamp64Milli(argMaxIf(ts, seq, before AND keyframe)) AS begin, "
        "toUnixTimestamp64Milli(argMinIf(ts, seq, after AND keyframe)) AS end FROM (SELECT *, "
        f"seq < {{low:UInt64}} AS before, first > {{high:UInt64}} AS after {_OF})",
        params,
    ).to_pylist()[0]
    if not around["enclosed"] or _ended(source, params | {k: str(around[k]) for k in _SIDES}):
        return False
    place = {"pop": around["pop"], "node": around["node"]}
    range_ = replace(asked, from_ms=around["begin"], to_ms=around["end"] + 1, **place)
    check = check_intervals(source, catalogue, range_, Takeovers.find(source, range_))
    return bool(check.examined) and not check.failed and not check.notes


_SIDES = ("left", "right")


def _ended(source: Source, params: dict[str, str]) -> bool:
    """Whether a boot of the last frame before the gap may have had its end in it."""
    of = f"FROM {DATABASE}.instances WHERE stream = {{stream:UInt64}} AND seq ="
    row = source.table(
        f"SELECT count() AS n {of} {{left:UInt64}} AND NOT final AND (instance, boot) NOT IN "
        f"(SELECT instance, boot {of} {{right:UInt64}})",
        params,
    )
    return bool(row.column("n")[0].as_py())
