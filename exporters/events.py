"""Tells the pipeline what an agent writes into its file of events, each line until it is stored.

Where it has got to is kept beside the spool; losing that tells all again, which the pipeline knows.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

from exporters.config import PipelineConfig
from exporters.credentials import Credentials
from exporters.errors import ConfigError
from exporters.metrics import Sending
from exporters.sender import backoff

LOG = logging.getLogger(__name__)
PATH = "/v1/events"
MARK = "events.json"
LOOK_S = 1.0
MOST_BYTES, MOST_LINES = 256 << 10, 1_000
REFUSALS = frozenset({400, 413})


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file. `head` is of its first line: that stays when it is renamed, while a number
    of an inode comes again.
    """

    head: str = ""
    offset: int = 0


class EventFile:
    """A file that grows, and is renamed to FILE.1 when it is long."""

    def __init__(self, path: Path, mark: Path) -> None:
        self._path, self._mark = path, mark
        self.at = _load(mark)

    def read(self, most: int) -> tuple[bytes, Place]:
        """At most so many whole lines, and the place after them; none when there are no more."""
        old = self._path.with_name(self._path.name + ".1")
        for path in (old, self._path):
            try:
                with path.open("rb") as file:
                    head = hashlib.sha256(file.readline()).hexdigest()
                    if path == old and head != self.at.head:
                        continue  # read to its end before it was renamed
                    start = self.at.offset if head == self.at.head else 0
                    file.seek(start)
                    lines = file.read(MOST_BYTES).splitlines(keepends=True)[:most]
            except FileNotFoundError:
                continue
            whole = b"".join(line for line in lines if line.endswith(b"\n"))
            if whole:
                return whole, Place(head, start + len(whole))
        return b"", self.at

    def done(self, place: Place) -> None:
        """All before it is stored. Raises OSError."""
        temporary = self._mark.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(place)))
        temporary.replace(self._mark)
        self.at = place


def _load(mark: Path) -> Place:
    try:
        raw = json.loads(mark.read_text())
        return Place(str(raw["head"]), int(raw["offset"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Place()


class Teller:
    """One request at a time; a line that the pipeline refuses is counted and left out."""

    def __init__(self, file: EventFile, config: PipelineConfig, sending: Sending) -> None:
        self._file, self._config, self._sending = file, config, sending
        self._credentials = Credentials(config)
        self._lines = MOST_LINES
        self._failures = 0

    async def run(self) -> None:
        """Until cancelled."""
        timeout = aiohttp.ClientTimeout(total=self._config.timeout_ms / 1000)
        tls = self._credentials.tls()
        connector = aiohttp.TCPConnector(ssl=True if tls is None else tls)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            while True:
                try:
                    pause = await self._tell(session)
                except (aiohttp.ClientError, TimeoutError, OSError, ConfigError) as error:
                    pause = self._failed(f"{error or type(error).__name__}")
                await asyncio.sleep(pause)

    async def _tell(self, session: aiohttp.ClientSession) -> float:
        """Tell some lines; returns how many seconds to wait before the next."""
        data, after = await asyncio.to_thread(self._file.read, self._lines)
        if not data:
            return LOOK_S
        url, headers = self._config.url.rstrip("/") + PATH, self._credentials.headers()
        async with session.post(url, data=data, headers=headers) as response:
            status, text = response.status, await response.text()
        count = data.count(b"\n")
        if status in REFUSALS and count > 1:
            self._lines = count // 2
            return 0.0
        if status in REFUSALS:
            LOG.error("the pipeline refuses an event: %s: %s", text[:200], data[:200])
            self._sending.events_refused += 1
        elif status != 200:
            return self._failed(f"{status}: {text[:200]}")
        else:
            self._sending.events += count
        await asyncio.to_thread(self._file.done, after)
        self._failures, self._lines = 0, min(self._lines * 2, MOST_LINES)
        return 0.0

    def _failed(self, message: str) -> float:
        self._sending.failures["events"] += 1
        self._failures += 1
        if self._failures in (1, 10) or self._failures % 100 == 0:
            LOG.warning("telling events failed %d times in a row: %s", self._failures, message)
        return random.uniform(0.5, 1) * backoff(self._failures)
