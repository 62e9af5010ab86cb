"""How much goes through, and what is lost on the way, by reason."""

from __future__ import annotations

from dashboards.model import Column, Lines, Panel, Table
from dashboards.sql import gauges, ids, rates, rows, total
from dashboards.text import quoted
from lb._counters import Lcore
from lb.catalogue import load


def packets() -> Panel:
    return Panel(
        id=20,
        title="Packets",
        question="How many packets a second come in and go out? Sent is drawn below the axis.",
        sql=rates(
            "lcore",
            {"received": f"{{{Lcore.RX_PACKETS}}}", "sent": f"{{{Lcore.TX_PACKETS}}}"},
            [Lcore.RX_PACKETS, Lcore.TX_PACKETS],
        ),
        unit="pps",
        draw=Lines(mirrored="sent"),
    )


def bits() -> Panel:
    return Panel(
        id=21,
        title="Bits",
        question="How many bits a second come in and go out, Ethernet header included?",
        sql=rates(
            "lcore",
            {"received": f"{{{Lcore.RX_BYTES}}} * 8", "sent": f"{{{Lcore.TX_BYTES}}} * 8"},
            [Lcore.RX_BYTES, Lcore.TX_BYTES],
        ),
        unit="bps",
        draw=Lines(mirrored="sent"),
    )


def _by_label(term: str, label: str) -> str:
    """Rates of a term of the law, one line a reason or kind that occurs in the range."""
    pairs = ", ".join(f"({quoted(dict(c.labels)[label])}, {c.id})" for c in load().ledger(term))
    each = rates("lcore", {i: f"{{{i}}}" for i in ids(term)}, ids(term))
    return f"""SELECT time, series, value FROM (
SELECT time, pair.1 AS series, pair.2 AS value, sum(value) OVER (PARTITION BY series) AS occurs
FROM ({each})
ARRAY JOIN [{pairs}] AS pair
)
WHERE occurs > 0
ORDER BY time, series"""


def drops() -> Panel:
    return Panel(
        id=30,
        title="Drops by reason",
        question="Which reason takes packets, and since when? Only reasons that occur are drawn.",
        sql=_by_label("drop", "reason"),
        unit="pps",
        draw=Lines(stacked=True),
        width=14,
        height=10,
    )


def drop_reasons() -> Panel:
    columns = ids("drop")
    triples = ", ".join(
        f"({quoted(dict(c.labels)['reason'])}, {c.id}, {quoted(c.help)})"
        for c in load().ledger("drop")
    )
    sums = ", ".join(f"sum({i}) AS {i}" for i in columns)
    return Panel(
        id=31,
        title="Drop reasons in the range",
        question="How many packets did each reason take, what share, and what does it mean?",
        sql=f"""SELECT each.1 AS reason, each.2 AS packets, each.2 / greatest(received, 1) AS share,
  each.3 AS meaning
FROM (SELECT sum({Lcore.RX_PACKETS}) AS received, {sums}
FROM {rows("lcore", [Lcore.RX_PACKETS, *columns])})
ARRAY JOIN [{triples}] AS each
WHERE packets > 0
ORDER BY packets DESC""",
        draw=Table(
            columns={"packets": Column("short"), "share": Column("percentunit")}, sort="packets"
        ),
        width=10,
        height=10,
    )


def drops_by_lcore() -> Panel:
    columns = ids("drop")
    summed = total([f"{{{i}}}" for i in columns])
    return Panel(
        id=32,
        title="Drops by lcore",
        question="Do all lcores lose packets, or one?",
        sql=rates(
            "lcore", {"value": summed}, columns, {"series": "concat(node, ' lcore ', lcore)"}
        ),
        unit="pps",
        draw=Lines(),
    )


def consumed() -> Panel:
    return Panel(
        id=33,
        title="Consumed here",
        question="How many packets end here on purpose: ARP, echo requests?",
        sql=_by_label("consumed", "kind"),
        unit="pps",
        draw=Lines(),
        width=6,
    )


def originated() -> Panel:
    return Panel(
        id=34,
        title="Made here",
        question="How many packets does the director itself make: ARP, echo replies?",
        sql=_by_label("originated", "kind"),
        unit="pps",
        draw=Lines(),
        width=6,
    )


def held() -> Panel:
    return Panel(
        id=35,
        title="Held for a neighbour",
        question="How many packets wait for a MAC address to resolve?",
        sql=gauges(
            "lcore",
            {"held": total([f"{{{i}}}" for i in ids("held")])},
            ids("held"),
        ),
        draw=Lines(),
        width=12,
    )
