"""Sends frames to the pipeline and learns which are committed. Never in the way of sampling."""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import aiohttp
import pyarrow as pa

from exporters.backlog import batch
from exporters.config import PipelineConfig
from exporters.errors import ExporterError
from exporters.intervals import Intervals
from exporters.metrics import Sending
from exporters.spool import Spool, Stored

LOG = logging.getLogger(__name__)
FIRST_DELAY_S = 0.25
MAX_DELAY_S = 30.0
MAX_RETRY_AFTER_S = 300.0
PATH = "/v1/frames"
BUSY = frozenset({429, 503})


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
        self._fresh = asyncio.Event()
        self._batch: list[Stored] = []
        self._body = b""
        self._limit = config.batch_frames
        self._failures = 0

    def wake(self) -> None:
        """A frame was put in the spool."""
        self._fresh.set()

    async def run(self) -> None:
        """Send until cancelled."""
        timeout = aiohttp.ClientTimeout(total=self._config.timeout_ms / 1000)
        token = self._config.token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            while True:
                self._fresh.clear()
                try:
                    pause = await self._send(session) if await self._fill() else None
                except (ExporterError, OSError) as error:
                    pause = self._failed("spool", str(error))
                if pause is None:
                    await self._fresh.wait()
                else:
                    await asyncio.sleep(pause)

    async def _fill(self) -> bool:
        if not self._batch:
            loop = asyncio.get_running_loop()
            self._batch, self._body = await loop.run_in_executor(self._executor, self._prepare)
        return bool(self._batch)

    def _prepare(self) -> tuple[list[Stored], bytes]:
        with self._spool.mutex:  # nothing is merged between the choice and the mark
            frames = batch(self._spool, self._limit, self._config.batch_bytes)
            for frame in frames:
                self._spool.marks.attempt(frame.seq, frame.seq)
        body = b"".join(frame.data for frame in frames)
        return frames, pa.Codec("zstd").compress(body, asbytes=True) if frames else b""

    async def _send(self, session: aiohttp.ClientSession) -> float:
        """Send the batch; returns how many seconds to wait before the next."""
        headers = {"Content-Encoding": "zstd", "Content-Type": "application/vnd.popscope.frames"}
        url = self._config.url.rstrip("/") + PATH
        try:
            async with session.post(url, data=self._body, headers=headers) as response:
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
        if status == 200 and await self._acknowledge(text):
            self._batch, self._failures = [], 0
            self._limit = min(self._limit * 2, self._config.batch_frames)
            return 0.0
        if status == 400:
            await self._acknowledge(text)
            return await self._refused(text)
        if status == 413:
            return await self._too_large(text)
        if status in BUSY:
            wait = self._failed("busy", f"the pipeline is busy ({status})")
            return max(wait, parse_retry_after(retry_after, time.time()))
        reason = "unauthorized" if status in (401, 403) else "unacknowledged"
        return self._failed(reason if status < 500 else "server", f"{status}: {text[:200]}")

    async def _acknowledge(self, text: str) -> bool:
        """Take note of what an answer says is stored of this batch; whether that was anything."""
        stored = parse_stored(text, self._spool.stream)
        done = [(f.first, f.seq) for f in self._batch if f.seq in stored]
        if done:
            await self._on_disk(self._spool.acknowledge, done)
            self._sending.acked += len(done)
        return bool(done)

    async def _refused(self, text: str) -> float:
        """A frame is damaged, says the pipeline: put it aside; if it does not say which, narrow."""
        index = _parse(text).get("frame", 0 if len(self._batch) == 1 else None)
        if isinstance(index, int) and 0 <= index < len(self._batch):
            await self._quarantine(self._batch[index], text)
            return 0.0
        self._narrow()
        return self._failed("refused", text[:200])

    async def _too_large(self, text: str) -> float:
        if len(self._batch) == 1:
            await self._quarantine(self._batch[0], text)
            return 0.0
        self._narrow()
        return self._failed("too_large", "the batch is too large for the pipeline")

    async def _quarantine(self, frame: Stored, text: str) -> None:
        self._sending.failures["refused"] += 1
        LOG.error("frame %d goes to quarantine: %s", frame.seq, text[:200])
        await self._on_disk(self._spool.quarantine, frame)
        self._batch = []

    def _narrow(self) -> None:
        """Next time half as much: the answer was definite, this batch is not in doubt."""
        self._limit = max(1, len(self._batch) // 2)
        self._batch = []

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


def _parse(text: str) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except ValueError:
        return {}
    return raw if isinstance(raw, dict) else {}
