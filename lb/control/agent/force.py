"""Puts documents in force on the core, and knows what is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from lb.control.agent.core import Core
from lb.control.agent.events import Events
from lb.errors import ConfigError, ControlError, Problem

log = logging.getLogger(__name__)


class Force:
    """`generation` is in force, 0 for none; `problems`: why the wanted document is not."""

    def __init__(self, core: Core, events: Events) -> None:
        self.generation = 0
        self.alive = False
        self.problems: list[Problem] = []
        self._core = core
        self._events = events
        self._boot = 0
        self._lock = asyncio.Lock()
        self._in_force: Mapping[str, Any] | None = None
        self._refused: Mapping[str, Any] | None = None

    def look(self) -> bool:
        """See whether the core lives, and is the one that was; True when that changed."""
        alive, boot = self._core.alive(), self._core.boot()
        if (alive, boot) == (self.alive, self._boot):
            return False
        if alive != self.alive:
            state = "up" if alive else "down"
            self._events.tell("core", "core", state, "seen" if alive else "lost")
        self.alive, self._boot = alive, boot
        self._in_force = self._refused = None
        self.generation = 0
        return True

    async def bare(self) -> bool:
        """Whether the core lives and has no configuration: then there is nothing to disturb."""
        async with self._lock:
            if self.alive and self._in_force is None:
                try:
                    await self._learn()
                except ControlError as error:
                    self.problems = [Problem("", str(error))]
            return self.alive and self._in_force is None

    async def put(self, document: Mapping[str, Any]) -> bool:
        """Put a document in force unless it is; whether it is afterwards.

        What the core refused is not tried again, before something changes.
        """
        async with self._lock:
            return await self._put(document)

    async def _put(self, document: Mapping[str, Any]) -> bool:
        if not self.alive or document == self._refused:
            return False
        if document == self._in_force:
            self._refused, self.problems = None, []
            return True
        try:
            if self._in_force is None:
                await self._learn()
            if document != self._in_force:
                await self._apply(document)
            self.problems = []
            return True
        except ConfigError as error:
            self._refused, self.problems = document, error.problems
            self._events.tell("config", str(self.generation + 1), "rejected", "core", str(error))
        except ControlError as error:
            self._in_force = None
            self.problems = [Problem("", str(error))]
        return False

    async def _learn(self) -> None:
        state = await self._core.show()
        self.generation = state["generation"]
        config = state["config"]
        self._in_force = {**config, "generation": 0} if config is not None else None

    async def _apply(self, document: Mapping[str, Any]) -> None:
        self.generation = await self._core.apply({**document, "generation": self.generation + 1})
        self._in_force = document
        self._refused = None
        self._events.tell("config", str(self.generation), "applied", "changed")
