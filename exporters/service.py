"""The exporter: samples on the beat, sends, and serves /metrics and /healthz.

The event loop only waits. Sampling has a thread of its own, sending and tidying the disk have two,
rendering has one; so a slow pipeline, disk or scraper is never in the way of the next sample.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporters import prometheus, retention
from exporters.badhttp import server_logger
from exporters.config import Config
from exporters.errors import ExporterError
from exporters.events import MARK, EventFile, Teller
from exporters.instances import Watcher
from exporters.metrics import Own, Sending, describe
from exporters.prometheus import OPENMETRICS, TEXT, Renderer, Shown
from exporters.sampler import Reading, Sample, Sampler
from exporters.sender import Sender
from exporters.spool import Spool

LOG = logging.getLogger(__name__)
STALE_TICKS = 5
LAST_SEND_S = 5.0


class Exporter:
    """One exporter process. Raises SpoolError when its spool cannot be used."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.spool = Spool(config.spool.directory, config.spool.limits)
        watcher = Watcher(config.run_root, config.run_dirs)
        self.sampler = Sampler(config.pop, config.node, config.interval_ms, watcher, self.spool)
        self.sending = Sending()
        self.own = Own(self.sampler, self.sending)
        self._renderer = Renderer(config.pop, config.node)
        self._sampling = ThreadPoolExecutor(1, "sample")
        self._disk = ThreadPoolExecutor(2, "disk")
        self._rendering = ThreadPoolExecutor(1, "render")
        self._tidying: asyncio.Future[None] | None = None
        self._sender = Sender(self.spool, config.pipeline, self.sending, self._disk)
        self._said: frozenset[str] = frozenset()
        self._untidy = ""
        self._sampled_at = time.monotonic()
        self.port = 0

    async def run(self, started: asyncio.Event | None = None) -> None:
        """Serve until cancelled or told to stop by SIGTERM or SIGINT; then close the spool."""
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=server_logger(self.own.count_bad_request),
        )
        stop_otlp = self._start_otlp()
        try:
            await runner.setup()
            await self._listen(runner)
            if started:
                started.set()
            await self._work()
        finally:
            await runner.cleanup()
            await asyncio.to_thread(stop_otlp)
            for executor in (self._sampling, self._disk, self._rendering):
                executor.shutdown()
            self.spool.close()

    def _start_otlp(self) -> Callable[[], None]:
        if not self.config.otlp.endpoint:
            return lambda: None
        from exporters.otlp import OtlpPush  # costs a second to import, and most do without

        return OtlpPush(self.config, self._shown).close

    async def _listen(self, runner: web.AppRunner) -> None:
        host, port = self.config.address
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ExporterError(f"cannot listen on {self.config.listen}: {error}") from error
        self.port = runner.addresses[0][1]
        LOG.info("listening on %s:%d", host, self.port)

    async def _work(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with asyncio.TaskGroup() as group:
            beat = group.create_task(self._beat())
            sending = group.create_task(self._sender.run()) if self.config.pipeline.url else None
            telling = self._start_telling(group)
            await stop.wait()
            beat.cancel()
            telling.cancel()
            await asyncio.wait([beat])
            await asyncio.to_thread(self._sampling.shutdown)  # a sample at work ends as a frame
            if sending:
                self._sender.finish()
                await asyncio.wait([sending], timeout=LAST_SEND_S)
                sending.cancel()

    def _start_telling(self, group: asyncio.TaskGroup) -> asyncio.Task[None]:
        config = self.config.pipeline
        if not (config.url and config.events):
            return group.create_task(asyncio.sleep(0))
        file = EventFile(Path(config.events), self.config.spool.directory / MARK)
        return group.create_task(Teller(file, config, self.sending).run())

    async def _beat(self) -> None:
        """Sample at every multiple of the interval; pass over those that came too late."""
        loop, interval = asyncio.get_running_loop(), self.config.interval_ms / 1000
        tick = int(time.time() / interval)
        while True:
            sample = await loop.run_in_executor(self._sampling, self.sampler.sample)
            self._note(sample)
            self._sender.wake()
            if self._tidying is None or self._tidying.done():
                self._tidying = loop.run_in_executor(self._disk, self._enforce)
            tick, missed = next_tick(tick, time.time() / interval)
            self.own.missed_ticks += missed
            await asyncio.sleep(tick * interval - time.time())

    def _note(self, sample: Sample) -> None:
        self.own.observe(sample)
        self._sampled_at = time.monotonic()
        said = frozenset(describe(sample))
        for message in said - self._said:
            LOG.warning("%s", message)
        self._said = said

    def _enforce(self) -> None:
        try:
            self.sampler.coarse = not retention.enforce(self.spool)
        except (ExporterError, OSError) as error:
            self.sampler.totals.spool_failures += 1
            if str(error) != self._untidy:
                LOG.warning("the spool cannot be tidied: %s", error)
            self._untidy = str(error)

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._healthz)
        return application

    def _shown(self) -> Sequence[Shown]:
        return [shown(reading) for reading in self.own.shown]

    def _text(self, openmetrics: bool) -> bytes:
        body = self._renderer.render(self._shown(), openmetrics)
        if openmetrics:
            own: bytes = generate_openmetrics(self.own.registry)  # type: ignore[no-untyped-call]
            return body + own
        return body + generate_latest(self.own.registry)

    async def _metrics(self, request: web.Request) -> web.Response:
        openmetrics = prometheus.negotiate(request.headers.get("Accept", ""))
        render = partial(self._text, openmetrics)
        body = await asyncio.get_running_loop().run_in_executor(self._rendering, render)
        kind = OPENMETRICS if openmetrics else TEXT
        response = web.Response(body=body, headers={"Content-Type": kind})
        response.enable_compression()
        return response

    async def _healthz(self, request: web.Request) -> web.Response:
        """200 while samples are taken and land in the spool; else 503 and why."""
        age = time.monotonic() - self._sampled_at
        problem = ""
        if age * 1000 > STALE_TICKS * self.config.interval_ms + 1000:
            problem = f"no sample for {age:.1f} s"
        elif not self.own.sample.header and self.sampler.totals.samples and not self.sampler.coarse:
            problem = "frames cannot be written to the spool"
        body = {"ok": not problem, "problem": problem, "samples": self.sampler.totals.samples}
        return web.json_response(body, status=503 if problem else 200)


def next_tick(tick: int, now: float) -> tuple[int, int]:
    """The tick to sleep to after `tick`, and how many were missed; `now` in ticks.

    A clock that was set back begins a new count: nobody sleeps longer than a tick.
    """
    if now < tick - 1:
        return int(now) + 1, 0
    following = max(tick + 1, int(now) + 1)
    return following, following - tick - 1


def shown(reading: Reading) -> Shown:
    """A reading as /metrics shows it: whole rows only, and counters that never fall."""
    rows = reading.snapshot.scopes
    return Shown(
        reading.snapshot.instance,
        tuple((rows[s], c.after.values[: c.after.live]) for s, c in reading.changes.items()),
    )
