"""The query of the ClickHouse datasource (4.x), which grafana-foundation-sdk does not have."""

from __future__ import annotations

from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models import common

PLUGIN = "grafana-clickhouse-datasource"
PLUGIN_VERSION = "4.0.0"
DATASOURCE = common.DataSourceRef(type_val=PLUGIN, uid="${datasource}")
PROMETHEUS = "prometheus"
PROMETHEUS_SOURCE = common.DataSourceRef(type_val=PROMETHEUS, uid="${datasource}")
TIME_SERIES, TABLE = 0, 1


class Query(variants.Dataquery):
    """One target: SQL and how its result is framed."""

    def __init__(self, ref: str, sql: str, table: bool) -> None:
        self.ref, self.sql, self.table = ref, sql, table

    def to_json(self) -> dict[str, object]:
        """The target as Grafana stores it."""
        return {
            "refId": self.ref,
            "datasource": DATASOURCE,
            "editorType": "sql",
            "queryType": "table" if self.table else "timeseries",
            "format": TABLE if self.table else TIME_SERIES,
            "pluginVersion": PLUGIN_VERSION,
            "rawSql": self.sql,
        }


class ClickHouse(cog.Builder[variants.Dataquery]):
    """Builds a target; `table` keeps the rows as they are, else they become a time series."""

    def __init__(self, ref: str, sql: str, *, table: bool) -> None:
        self.query = Query(ref, sql, table)

    def build(self) -> Query:
        """The target."""
        return self.query
