"""What templates of rules may use beside their own numbers: pieces of SQL and lists of reasons."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lb.catalogue import SCOPES
from lb.catalogue import load as load_catalogue

REASONS = Path(__file__).with_name("reasons.toml")
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
# The newest data of each node. A rule speaks of the time up to there, not up to the clock: data
# that is late neither hides an alert nor ends one.
WATERMARK = """(
  SELECT pop, node, max(ts) AS watermark FROM popscope.instances
  WHERE $__timeFilter(ts) GROUP BY pop, node
)"""

# How many times faster than allowed packets of our own service are lost, over a long and a short
# window; rollups are read up to the newest window that a PoP has.
BURN_SQL = """SELECT pop, least(
  sumIf(lost, ts > newest - INTERVAL {long} SECOND)
    / greatest(sumIf(lost + sent, ts > newest - INTERVAL {long} SECOND), 1),
  sumIf(lost, ts > newest - INTERVAL {short} SECOND)
    / greatest(sumIf(lost + sent, ts > newest - INTERVAL {short} SECOND), 1)
) / {budget} AS burn
FROM (
  SELECT pop, ts, sum({service_sum}) AS lost, sum(tx_packets) AS sent
  FROM popscope.{table} FINAL WHERE $__timeFilter(ts) GROUP BY pop, ts
) AS m
INNER JOIN (
  SELECT pop, max(ts) AS newest FROM popscope.{table} WHERE $__timeFilter(ts) GROUP BY pop
) AS w USING (pop)
GROUP BY pop HAVING sumIf(lost, ts > newest - INTERVAL {short} SECOND) > {lost}"""
BURN_PROMQL = """(
  {lost_share_longs} / {budget} > {factor}
and
  {lost_share_shorts} / {budget} > {factor}
and
  sum by (pop) (
    increase(popscope_lcore_dropped_packets_total{reason=~"{service}"}[{shorts}])
  ) > {lost}
)"""
LOST_SHARE = """sum by (pop) (rate(popscope_lcore_dropped_packets_total{reason=~"{service}"}[{%s}]))
  / (sum by (pop) (rate(popscope_lcore_tx_packets_total[{%s}]))
    + sum by (pop) (rate(popscope_lcore_dropped_packets_total{reason=~"{service}"}[{%s}])))"""


@dataclass(frozen=True, slots=True)
class Reason:
    """A drop reason in the runbook. `service`: a packet of our own service is lost."""

    name: str
    service: bool
    look: str
    act: str


def fill(template: str, given: Mapping[str, object]) -> str:
    """The template with every `{word}` replaced, also within pieces. KeyError for unknown words."""
    known: Mapping[str, object] = {**pieces(), **given}

    def value(match: re.Match[str]) -> str:
        return _PLACE.sub(value, str(known[match[1]]))

    return _PLACE.sub(value, template)


@cache
def reasons() -> tuple[Reason, ...]:
    """The drop reasons that the runbook explains, those of our own service first."""
    tree = tomllib.loads(REASONS.read_text())["reason"]
    found = [
        Reason(name, bool(r.get("service")), str(r["look"]), str(r["act"]))
        for name, r in tree.items()
    ]
    return tuple(sorted(found, key=lambda r: not r.service))


@cache
def pieces() -> Mapping[str, str]:
    """Pieces by name.

    `rx`, `drop`, ...: sums of the columns of a term of the ledger law; `lcore_recent`,
    `vip_recent`, ...: the rows of the last {window} seconds before each node's watermark;
    `service`, `service_list`, `service_sum`: the reasons of our own service, for PromQL and SQL;
    `burn_sql`, `burn_promql`: burn rates of the error budget.
    """
    catalogue = load_catalogue()
    terms = {
        term: " + ".join(c.id for c in catalogue.ledger(term))
        for term in ("rx", "originated", "tx", "drop", "consumed", "held")
    }
    drops = catalogue.ledger("drop")
    service = [r.name for r in reasons() if r.service]
    return {
        **terms,
        **{f"{scope}_recent": _recent(scope) for scope in SCOPES},
        **{f"lost_share_{w}": LOST_SHARE.replace("%s", w) for w in ("longs", "shorts")},
        "burn_sql": BURN_SQL,
        "burn_promql": BURN_PROMQL,
        "drop_sums": ", ".join(f"sum({c.id}) AS {c.id}" for c in drops),
        "drop_pairs": ", ".join(f"('{dict(c.labels)['reason']}', {c.id})" for c in drops),
        "service": "|".join(service),
        "service_list": ", ".join(f"'{name}'" for name in service),
        "service_sum": " + ".join(f"drop_{name}" for name in service),
        "reason_table": reason_table(),
    }


def _recent(scope: str) -> str:
    return (
        f"popscope.{scope}_1s AS r INNER JOIN {WATERMARK} AS w USING (pop, node)\n"
        "WHERE $__timeFilter(ts) AND ts > watermark - INTERVAL {window} SECOND AND ts <= watermark"
    )


def reason_table() -> str:
    """A table of Markdown: what to look at and what to do, by reason."""
    lines = ["| reason | look at | do |", "|---|---|---|"]
    lines += [f"| `{r.name}` | {r.look} | {r.act} |" for r in reasons()]
    lines.append(
        "| any other, above its floor | who sends it: `popscope lb drops`, "
        "`popscope lb top-talkers` | an attack, or a fault upstream; the node only refuses it |"
    )
    return "\n".join(lines)
