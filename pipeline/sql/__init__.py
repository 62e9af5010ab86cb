"""SQL over HTTP, for reading: ClickHouse's interface in front of the store."""

from pipeline.sql.http import sql_app
from pipeline.sql.options import SqlOptions

__all__ = ["SqlOptions", "sql_app"]
