"""A pipeline in the test's own event loop, over a store of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import aiohttp

from pipeline import app
from pipeline.commit import CommitOptions
from pipeline.config import Config, HttpSection, SqlSection
from pipeline.store.embedded import EmbeddedStore

CONFIG = Config(
    http=HttpSection(port=0),
    sql=SqlSection(port=0),
    commit=CommitOptions(linger_seconds=0.0, longest_linger_seconds=0.0),
)


@dataclass(slots=True)
class Client:
    """Posts frames, and reads what the pipeline says of itself."""

    session: aiohttp.ClientSession
    url: str
    running: app.Running

    @property
    def ready(self) -> bool:
        """Whether frames are taken."""
        return self.running.ready()

    async def post(
        self, data: bytes | AsyncIterator[bytes], **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer; a Retry-After is in the answer as `retry_after`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content = BytesIO(data) if isinstance(data, bytes) else data
        async with self.session.post(
            f"{self.url}/v1/frames", data=content, headers=given
        ) as answer:
            found: dict[str, Any] = await answer.json()
            if "Retry-After" in answer.headers:
                found["retry_after"] = int(answer.headers["Retry-After"])
            return answer.status, found

    def value(self, name: str, **labels: str) -> float:
        """A sample of the pipeline's metrics, without its prefix."""
        found = self.running.metrics.registry.get_sample_value(f"popscope_pipeline_{name}", labels)
        return found or 0.0


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something. Raises TimeoutError."""
    for _ in range(round(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("it did not happen")


@asynccontextmanager
async def serving(
    store: EmbeddedStore,
    config: Config = CONFIG,
    fault: Callable[[str], None] | None = None,
    **commit: Any,
) -> AsyncIterator[Client]:
    """Serve until the context ends. Keyword arguments change the options of the commit."""
    config = replace(config, commit=replace(config.commit, **commit))
    async with app.serving(store, config, fault) as running, aiohttp.ClientSession() as session:
        yield Client(session, f"http://127.0.0.1:{running.http_port}", running)
