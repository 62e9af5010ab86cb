"""The way of foreign metrics as one part of the pipeline's process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry

from pipeline.access.guard import Access
from pipeline.foreign.commit import ForeignCommitter
from pipeline.foreign.decoder import Decoder
from pipeline.foreign.intake import Intake
from pipeline.foreign.metrics import ForeignMetrics
from pipeline.foreign.options import ForeignOptions
from pipeline.foreign.otlp import Otlp
from pipeline.foreign.remote_write import RemoteWrite
from pipeline.store import Store

log = logging.getLogger(__name__)
_SWEEP_SECONDS = 600
_SHOW_SECONDS = 5


class Foreign:
    """Routes and tasks. Raises NotBuilt when the decoder is not built."""

    def __init__(
        self,
        store: Store,
        options: ForeignOptions,
        registry: CollectorRegistry,
        access: Access,
        fault: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self._metrics = ForeignMetrics(registry)
        self._decoder = Decoder(options)
        self._committer = ForeignCommitter(store, self._decoder, options, self._metrics, fault)
        intake = Intake(self._decoder, self._committer, options, self._metrics, access)
        self._handlers = (
            RemoteWrite(intake, options, self._metrics),
            Otlp(intake, options, self._metrics),
        )

    def add_routes(self, app: web.Application) -> None:
        for handler in self._handlers:
            handler.add_routes(app)

    async def start(self) -> None:
        """Learn the active series from the store. Raises QueryError."""
        await self._decoder.start(self._store)

    async def run(self) -> None:
        """Commit until `stop`, and then what is still queued."""
        await self._committer.run()

    async def watch(self) -> None:
        """Show the table of series, and forget idle ones now and then, until cancelled."""
        passed = 0
        while True:
            self._metrics.table(*await self._decoder.size())
            await asyncio.sleep(_SHOW_SECONDS)
            passed += _SHOW_SECONDS
            if passed >= _SWEEP_SECONDS:
                passed = 0
                if forgotten := await self._decoder.forget():
                    log.info("%d idle series are forgotten", forgotten)

    def stop(self) -> None:
        """Take no more requests."""
        self._committer.stop()

    def close(self) -> None:
        self._decoder.close()
