"""Where the data is kept: one interface, whatever engine of ClickHouse is behind it.

Every call blocks: asyncio code runs it in a thread. A store may be used from any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

DATABASE = "popscope"


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one read-only query may cost; 0 is without limit. A query that exceeds one fails."""

    execution_seconds: float = 30.0
    memory_bytes: int = 1 << 30
    result_rows: int = 1_000_000
    result_bytes: int = 256 << 20
    rows_to_read: int = 0

    def settings(self) -> dict[str, str]:
        """The limits as settings of ClickHouse."""
        return {
            "max_execution_time": f"{self.execution_seconds:g}",
            "max_memory_usage": str(self.memory_bytes),
            "max_result_rows": str(self.result_rows),
            "max_result_bytes": str(self.result_bytes),
            "max_rows_to_read": str(self.rows_to_read),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a query in the format that was asked for, and what it cost."""

    data: bytes
    rows_read: int
    bytes_read: int
    seconds: float


class ReadOnly(Protocol):
    """A session that cannot write (`readonly=1`), with its own `USE`, `SET` and limits."""

    def query(
        self, sql: str, fmt: str = "ArrowStream", params: Mapping[str, str] | None = None
    ) -> bytes:
        """The result of one statement, in a format of ClickHouse. Raises QueryError."""
        ...

    def answer(
        self, sql: str, fmt: str = "ArrowStream", params: Mapping[str, str] | None = None
    ) -> Answer:
        """As `query`, with what it cost. Raises QueryError."""
        ...

    def stream(
        self, sql: str, fmt: str = "ArrowStream", params: Mapping[str, str] | None = None
    ) -> Iterator[bytes]:
        """As `query`, in pieces as they are computed. Raises QueryError, also between pieces."""
        ...


class Store(Protocol):
    """ClickHouse, with the database `popscope` as the default one.

    `folder`: where it lies on this machine; `backup_folder`: the only one for backups.
    """

    folder: Path
    backup_folder: Path

    def query(
        self,
        sql: str,
        fmt: str = "ArrowStream",
        params: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> bytes:
        """The result of one statement; parameters are `{name:Type}`. Raises QueryError."""
        ...

    def query_arrow(self, sql: str, params: Mapping[str, str] | None = None) -> pa.Table:
        """The result of one SELECT as an Arrow table, strings as strings. Raises QueryError."""
        ...

    def insert(self, table: str, data: pa.Table | Iterable[pa.RecordBatch], token: str = "") -> int:
        """Insert rows in one commit; returns how many went in. Raises QueryError: then none did.

        `token` names the insert: a table with a deduplication window ignores the same token again.
        """
        ...

    def read_only(self, limits: QueryLimits) -> AbstractContextManager[ReadOnly]:
        """A fresh session that cannot write; it ends with the context."""
        ...

    def close(self) -> None:
        """Give the store back; every later call raises StoreUnavailable."""
        ...
