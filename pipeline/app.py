"""The pipeline's process: ingest, rollups, live page, SQL, over one store."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from exporters.badhttp import server_logger
from lb import catalogue as lb_catalogue
from pipeline import limits, migrate, rollup, schema
from pipeline.access.guard import Access
from pipeline.commit import Committer
from pipeline.config import Config
from pipeline.errors import PipelineError
from pipeline.foreign.service import Foreign
from pipeline.frames import Reader
from pipeline.ingest import Ingest
from pipeline.live import LiveOptions, add_routes
from pipeline.metrics import Metrics
from pipeline.operate import Operations
from pipeline.rollup import Rollup
from pipeline.sql import SqlOptions, sql_app
from pipeline.store import QueryLimits, Store
from pipeline.store.embedded import EmbeddedStore
from pipeline.told import Told

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A pipeline that takes requests. `failed` is done when a part of it ended by itself."""

    http_port: int
    sql_port: int
    metrics: Metrics
    failed: asyncio.Future[None]
    ready: Callable[[], bool]


@asynccontextmanager
async def serving(
    store: Store, config: Config, fault: Callable[[str], None] | None = None
) -> AsyncIterator[Running]:
    """Migrate the store, then serve until the context ends; queued frames are committed then.

    Nothing uses the store afterwards: it may be closed.
    """
    await asyncio.to_thread(migrate.migrate, store, report=log.info)
    await asyncio.to_thread(limits.keep, store, config.capacity)
    metrics = Metrics()
    if isinstance(store, EmbeddedStore):
        metrics.watch_disk(store.folder)
    catalogue = await asyncio.to_thread(schema.in_store, store, lb_catalogue.load())
    rollups = Rollup(store, catalogue)
    committer = Committer(store, config.commit, metrics, rollups.note, fault)
    await committer.start()
    access = Access(config.access, config.ingest.token, metrics.registry)
    ingest = Ingest(committer, Reader(catalogue), config.ingest, metrics, access)
    foreign = Foreign(store, config.foreign, metrics.registry, access, fault)
    await foreign.start()
    runners = [
        web.AppRunner(
            _app(store, ingest, committer, metrics, foreign, access),
            auto_decompress=False,
            access_log=None,
            logger=server_logger(metrics.bad_requests.labels("http").inc),
        ),
        web.AppRunner(
            sql_app(store, _sql_options(config, metrics, access)),
            access_log=None,
            logger=server_logger(metrics.bad_requests.labels("sql").inc),
        ),
    ]
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tasks = [
        asyncio.create_task(committer.run(), name="commit"),
        asyncio.create_task(foreign.run(), name="foreign commit"),
        asyncio.create_task(rollup.serve(rollups, config.rollup, metrics), name="rollup"),
        asyncio.create_task(foreign.watch(), name="foreign watch"),
    ]
    for task in tasks:
        task.add_done_callback(lambda task: _ended(task, failed))
    try:
        _say_who_comes_in(config)
        tls = config.tls.context()
        ports = [
            await _listen(runners[0], config.http.host, config.http.port, tls),
            await _listen(runners[1], config.sql.host, config.sql.port, tls),
        ]
        yield Running(ports[0], ports[1], metrics, failed, lambda: committer.ready)
    finally:
        await _stop(committer, foreign, tasks, runners)
        ingest.close()
        foreign.close()


async def run(store: Store, config: Config, ready: Callable[[Running], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises PipelineError when a part of it fails."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(store, config) as running:
        ready(running)
        stopped = asyncio.create_task(stop.wait())
        both: list[asyncio.Future[Any]] = [stopped, running.failed]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if running.failed.done():
            running.failed.result()


def _say_who_comes_in(config: Config) -> None:
    """A port that anybody reaches and nobody guards is worth a word."""
    loopback = ("127.0.0.1", "::1", "localhost")
    if config.http.host not in loopback and not config.access.tokens:
        log.warning(
            "whoever reaches %s:%d may read%s: [access] tokens asks for tokens",
            config.http.host,
            config.http.port,
            "" if config.ingest.token else " and send",
        )


def _app(
    store: Store,
    ingest: Ingest,
    committer: Committer,
    metrics: Metrics,
    foreign: Foreign,
    access: Access,
) -> web.Application:
    app = web.Application(middlewares=[access.reading])
    ingest.add_routes(app)
    foreign.add_routes(app)
    Operations(store, committer, metrics, access).add_routes(app)
    Told(store, access, metrics.registry).add_routes(app)
    add_routes(app, store, LiveOptions(registry=metrics.registry))
    return app


def _sql_options(config: Config, metrics: Metrics, access: Access) -> SqlOptions:
    sql = config.sql
    limits = QueryLimits(sql.execution_seconds, sql.memory_bytes, sql.result_rows, 64 << 20)
    return SqlOptions(sql.users, limits, sql.concurrency, registry=metrics.registry, access=access)


async def _listen(runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None) -> int:
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        raise PipelineError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return int(runner.addresses[0][1])


def _ended(task: asyncio.Task[None], failed: asyncio.Future[None]) -> None:
    if task.cancelled() or failed.done():
        return
    if error := task.exception():
        log.error("the task %s failed", task.get_name(), exc_info=error)
        failed.set_exception(PipelineError(f"the task {task.get_name()} failed: {error}"))
        failed.exception()


async def _stop(
    committer: Committer,
    foreign: Foreign,
    tasks: list[asyncio.Task[None]],
    runners: list[web.AppRunner],
) -> None:
    """Refuse what is new, commit what is queued, let its requests be answered."""
    committer.stop()
    foreign.stop()
    commits, others = tasks[:2], tasks[2:]
    await asyncio.wait(commits)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for runner in runners:
        await runner.cleanup()
