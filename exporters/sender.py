"""Sends frames to the pipeline and learns which are committed. Never in the way of sampling."""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from io import BytesIO
from typing import Any

import aiohttp
import pyarrow as pa

from exporters.backlog import batch
from exporters.config import PipelineConfig
from exporters.credentials import Credentials
from exporters.errors import ConfigError, ExporterError
from exporters.intervals import Intervals
from exporters.metrics import Sending
from exporters.spool import Spool
from exporters.spoolfile import Stored

LOG = logging.getLogger(__name__)
FIRST_DELAY_S = 0.25
MAX_DELAY_S = 30.0
MAX_RETRY_AFTER_S = 300.0
PATH = "/v1/frames"
BUSY = frozenset({429, 503})
REFUSALS = {400: "refused", 409: "overlap", 413: "too_large"}
MAX_OVERLAPS = 3


class Sender:
    """One batch is on its way at a time.

    A batch whose outcome is unknown is sent again as it was until there is an answer: so only few
    frames are in doubt during an outage, and the rest may be merged when the disk fills.
    """

    def __init__(
        self, spool: Spool, config: PipelineConfig, sending: Sending, executor: Executor
    ) -> None:
        self._spool, self._config, self._sending = spool, config, sending
        self._executor = executor
        self._credentials = Credentials(config)
        self._fresh, self._finishing = asyncio.Event(), asyncio.Event()
        self._batch: list[Stored] = []
        self._body = b""
        self._limit = config.batch_frames
        self._failures = 0
        self._overlaps = 0

    def wake(self) -> None:
        """A frame was put in the spool."""
        self._fresh.set()

    def finish(self) -> None:
        """Let `run` end when nothing waits, or a last try fails."""
        self._finishing.set()
        self._fresh.set()

    async def run(self) -> None:
        """Send until cancelled or told to finish."""
        timeout = aiohttp.ClientTimeout(total=self._config.timeout_ms / 1000)
        tls = self._credentials.tls()
        connector = aiohttp.TCPConnector(ssl=True if tls is None else tls)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            while True:
                self._fresh.clear()
                finishing = self._finishing.is_set()
                try:
                    pause = await self._send(session) if await self._fill() else None
                except (ExporterError, OSError) as error:
                    pause = self._failed("spool", str(error))
                if finishing and pause != 0.0:
                    return
                await self._rest(pause)

    async def _rest(self, pause: float | None) -> None:
        """Wait for so many seconds, or for a fresh frame; not once it is time to finish."""
        if pause is None:
            await self._fresh.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._finishing.wait()

    async def _fill(self) -> bool:
        """Have a batch and its body; False when nothing waits."""
        if not self._body:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._executor, self._prepare)
        return bool(self._batch)

    def _prepare(self) -> None:
        with self._spool.mutex:  # nothing is merged between the choice and the mark
            if not self._batch:
                self._batch = batch(self._spool, self._limit, self._config.batch_bytes)
            for frame in self._batch:
                self._spool.marks.attempt(frame.seq, frame.seq)
        body = b"".join(frame.data for frame in self._batch)
        self._body = pa.Codec("zstd").compress(body, asbytes=True) if body else b""

    def _drop(self, frames: Iterable[Stored]) -> None:
        """These need not be sent again with this batch."""
        self._overlaps = 0
        gone = {frame.seq for frame in frames}
        self._batch = [frame for frame in self._batch if frame.seq not in gone]
        self._body = b""

    async def _send(self, session: aiohttp.ClientSession) -> float:
        """Send the batch; returns how many seconds to wait before the next."""
        headers = {"Content-Encoding": "zstd", "Content-Type": "application/vnd.popscope.frames"}
        try:
            headers |= self._credentials.headers()
        except ConfigError as error:
            return self._failed("credentials", str(error))
        url = self._config.url.rstrip("/") + PATH
        try:
            async with session.post(url, data=BytesIO(self._body), headers=headers) as response:
                status, text = response.status, await response.text()
                retry_after = response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = "timeout" if isinstance(error, TimeoutError) else "connection"
            return self._failed(reason, f"{url}: {error or type(error).__name__}")
        finally:
            self._sending.frames += len(self._batch)
            self._sending.bytes += len(self._body)
        return await self._answered(status, text, retry_after)

    async def _answered(self, status: int, text: str, retry_after: str) -> float:
        sent = self._batch
        acked = await self._acknowledge(text)
        if status == 200 and acked:
            self._drop(sent)
            self._failures = 0
            self._limit = min(self._limit * 2, self._config.batch_frames)
            return 0.0
        if status in REFUSALS and (pause := await self._refused(status, text, sent)) is not None:
            return pause
        if acked:  # the answer was definite, so newer frames may go with what it left out
            self._drop(sent)
        if status in BUSY:
            wait = self._failed("busy", f"the pipeline is busy ({status})")
            return max(wait, parse_retry_after(retry_after, time.time()))
        reason = "unauthorized" if status in (401, 403) else "unacknowledged"
        return self._failed(reason if status < 500 else "server", f"{status}: {text[:200]}")

    async def _acknowledge(self, text: str) -> bool:
        """Take note of what an answer says is stored of this batch; whether that was anything."""
        stored = parse_stored(text, self._spool.stream)
        done = [frame for frame in self._batch if frame.seq in stored]
        if done:
            await self._on_disk(self._spool.acknowledge, [(f.first, f.seq) for f in done])
            self._sending.acked += len(done)
            self._drop(done)
        return bool(done)

    async def _refused(self, status: int, text: str, sent: Sequence[Stored]) -> float | None:
        """Put aside what the pipeline refuses; None when the answer does not say what that is.

        400 is of the frames that it names; one that names none is not of this service, or of a
        body that it did not understand. 413 is of the whole batch. 409 is of what it does not
        acknowledge: frames that overlap stored ones. That passes when those are only on their way.
        """
        if status == 413 and len(sent) > 1:
            self._sending.failures[REFUSALS[status]] += 1
            self._limit = len(sent) // 2
            self._drop(sent)
            return 0.0
        if status == 409 and not isinstance(_parse(text).get("stored"), list):
            return None
        if status == 409 and self._overlaps < MAX_OVERLAPS:
            self._overlaps += 1
            return self._failed(REFUSALS[status], text[:200])
        named = [sent[i] for i in refused_places(text) if 0 <= i < len(sent)]
        refused = named if status == 400 else list(self._batch)
        if not refused:
            return None
        for frame in refused:
            LOG.error("frame %d goes to quarantine (%d): %s", frame.seq, status, text[:200])
            await self._on_disk(self._spool.quarantine, frame)
        self._sending.failures[REFUSALS[status]] += 1
        self._failures = 0
        self._drop(sent)
        return 0.0

    async def _on_disk(self, function: Callable[[Any], None], argument: Any) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, function, argument)

    def _failed(self, reason: str, message: str) -> float:
        """Count and report a failure; seconds to wait: more each time, never in step."""
        self._sending.failures[reason] += 1
        self._failures += 1
        if self._failures in (1, 10) or self._failures % 100 == 0:
            LOG.warning("sending failed %d times in a row: %s", self._failures, message)
        return random.uniform(0.5, 1) * backoff(self._failures)


def backoff(failures: int) -> float:
    """The longest wait in seconds after so many failures in a row."""
    return float(min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** min(failures - 1, 20)))


def parse_retry_after(text: str, now: float) -> float:
    """Seconds that a Retry-After asks for, in either of its forms; 0 for none."""
    try:
        wait = float(text)
    except ValueError:
        try:
            wait = email.utils.parsedate_to_datetime(text).timestamp() - now
        except ValueError:
            return 0.0
    return min(max(wait, 0.0), MAX_RETRY_AFTER_S) if wait == wait else 0.0


def parse_stored(text: str, stream: int) -> Intervals:
    """The sequence numbers of a stream that an answer calls stored."""
    stored = Intervals()
    try:
        for item in _parse(text).get("stored") or ():
            if int(item["stream"], 16) == stream:
                for first, last in item["ranges"]:
                    stored.add(int(first), int(last))
    except (KeyError, TypeError, ValueError) as error:
        LOG.warning("the pipeline's answer cannot be understood: %r", error)
    return stored


def refused_places(text: str) -> list[int]:
    """Which frames of a batch a refusal calls bad."""
    raw = _parse(text)
    errors = raw.get("errors") if isinstance(raw.get("errors"), list) else []
    named = [raw, *(e for e in errors or () if isinstance(e, dict))]
    places = {item.get("frame") for item in named}
    return sorted(p for p in places if isinstance(p, int) and not isinstance(p, bool))


def _parse(text: str) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except ValueError:
        return {}
    return raw if isinstance(raw, dict) else {}
