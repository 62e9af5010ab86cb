"""The decoder's thread: tenants, series, and the decoding of bodies against them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import pyarrow as pa

from pipeline.errors import BadRequest
from pipeline.foreign.native import Array, Decoded, Format, Table, Window
from pipeline.foreign.options import ForeignOptions
from pipeline.store import DATABASE, Store

TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_CHUNK = 200_000
T = TypeVar("T")


class Decoder:
    """Owns the table of series; everything that touches it happens in one thread."""

    def __init__(self, options: ForeignOptions, clock: Callable[[], float] = time.time) -> None:
        self._options, self._clock = options, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="foreign")
        self._table = Table(options.all_series, options.series_bytes)
        self._tenants: dict[str, int] = {}

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    async def start(self, store: Store) -> None:
        """Learn the series that were active lately from the store. Raises QueryError."""
        await self._run(self._load, store)

    async def take(
        self, tenant: str, form: Format, unpack: Callable[[], bytes | pa.Buffer]
    ) -> Decoded:
        """Unpack and decode a body. Raises BadRequest, TooLarge."""
        return await self._run(self._take, tenant, form, unpack)

    async def saved(self, ids: Sequence[Array], now: int) -> None:
        """The store has these series since `now`."""
        if ids:
            await self._run(self._table.saved, np.concatenate(ids), now)

    async def doubt(self) -> None:
        """A commit failed."""
        await self._run(self._table.doubt)

    async def forget(self) -> int:
        """Forget idle series; returns how many."""
        before = int(self._clock()) - self._options.idle_hours * 3600
        return await self._run(self._table.forget, before)

    async def size(self) -> tuple[dict[str, int], int]:
        """Series of each tenant, and the bytes that they take."""
        return await self._run(self._size)

    async def _run(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    def _take(self, tenant: str, form: Format, unpack: Callable[[], bytes | pa.Buffer]) -> Decoded:
        plain, options = unpack(), self._options
        now = int(self._clock())
        window = Window(
            now, (now - options.oldest_days * 86400) * 1000, (now + options.newest_seconds) * 1000
        )
        return self._table.take(self._number(tenant), form, plain, window, options.row_bytes)

    def _number(self, tenant: str) -> int:
        if tenant not in self._tenants:
            if len(self._tenants) >= self._options.tenants:
                raise BadRequest(
                    f"the tenant {tenant!r} is new, and there are {len(self._tenants)} already: "
                    "send as one of them, or raise [foreign] tenants"
                )
            self._tenants[tenant] = self._table.add_tenant(tenant, self._options.tenant_series)
        return self._tenants[tenant]

    def _size(self) -> tuple[dict[str, int], int]:
        _, size = self._table.size()
        return {name: self._table.series(n) for name, n in self._tenants.items()}, size

    def _load(self, store: Store) -> None:
        since = int(self._clock()) - self._options.idle_hours * 3600
        where = f"FROM {DATABASE}.series FINAL WHERE seen >= toDateTime({since}, 'UTC')"
        found = store.query_arrow(f"SELECT tenant, count() AS n {where} GROUP BY tenant")
        for row in found.to_pylist():
            tenant = self._tenants[row["tenant"]] = self._table.add_tenant(
                row["tenant"], self._options.tenant_series
            )
            last = 0
            for _ in range(0, row["n"], _CHUNK):
                rows = store.query_arrow(
                    "SELECT series, name, CAST(labels, 'Map(String, String)') AS labels, "
                    "toUnixTimestamp(seen) AS at "
                    f"{where} AND tenant = {{tenant:String}} AND series > {{last:UInt64}} "
                    f"ORDER BY series LIMIT {_CHUNK}",
                    {"tenant": row["tenant"], "last": str(last)},
                ).combine_chunks()
                last = self._load_rows(tenant, rows)

    def _load_rows(self, tenant: int, rows: pa.Table) -> int:
        ids = rows.column("series").to_numpy()
        names = rows.column("name").combine_chunks().cast(pa.string())
        labels = rows.column("labels").combine_chunks()
        self._table.load(tenant, ids, rows.column("at").to_numpy(), names, labels)
        return int(ids[-1])
