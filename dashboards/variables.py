"""The choices at the top of a dashboard, each given those before it."""

from __future__ import annotations

from dashboards import fleet_sql
from dashboards.model import Variable
from dashboards.sql import distinct


def pops() -> Variable:
    """Several PoPs, or all."""
    return Variable("pop", "PoP", _pops(), "PoPs with data in the range.", scope="fleet")


def one_pop() -> Variable:
    """One PoP: what is read of it is read lcore by lcore, or VIP by VIP."""
    return Variable(
        "pop", "PoP", _pops(), "A PoP with data in the range.", scope="fleet", many=False
    )


def _pops() -> str:
    """From the rollups of nodes; in the first minute of a store there are none yet."""
    there = fleet_sql.rows([], narrowed=False)
    return f"""SELECT DISTINCT pop FROM (
  SELECT pop FROM {there}
  UNION ALL
  SELECT pop FROM popscope.node_1s
  WHERE $__timeFilter_ms(ts) AND (SELECT count() FROM popscope.fleet_1m WHERE $__timeFilter(ts)) = 0
    AND ts > $__toTime_ms - INTERVAL 2 MINUTE
)
ORDER BY pop"""


def nodes() -> Variable:
    return Variable(
        "node", "Node", distinct("node", "node", given=["pop"]), "Directors of the PoP."
    )


def instances() -> Variable:
    return Variable(
        "instance",
        "Instance",
        distinct("instance", "node", given=["pop", "node"]),
        "Cores on the chosen directors.",
    )


def lcores() -> Variable:
    return Variable(
        "lcore",
        "Lcore",
        distinct("lcore", "lcore", given=["pop", "node", "instance"]),
        "Worker lcores of the chosen cores.",
        scope="lcore",
    )


def vips() -> Variable:
    return Variable(
        "vip",
        "VIP",
        distinct("vip", "vip", given=["pop", "node"]),
        "VIPs that the chosen directors had traffic for.",
        scope="vip",
    )


def pools() -> Variable:
    return Variable(
        "pool",
        "Pool",
        distinct("pool", "backend", given=["pop", "node"]),
        "Pools that the chosen directors sent to.",
        scope="backend",
    )


def backends() -> Variable:
    return Variable(
        "backend",
        "Backend",
        distinct("backend", "backend", given=["pop", "node", "pool"]),
        "Backends of the chosen pools.",
        scope="backend",
    )
