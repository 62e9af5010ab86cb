"""Waiting for an event or a time, whichever comes first."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Not asyncio.wait_for: of Python 3.11, it loses a cancellation that comes with the event."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
