"""The controller: one catalog in memory, one data base behind it, the agents in front of it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lb.control.controller import store, tokens
from lb.control.controller.catalog import Catalog
from lb.control.controller.changes import Staged, Wanted, stage
from lb.control.controller.documents import check_nodes
from lb.control.controller.hub import Hub
from lb.control.controller.store import Answer, Author
from lb.control.controller.tokens import Identity
from lb.control.errors import RefusedError, StoreError
from lb.control.waiting import wait
from lb.errors import Problem

log = logging.getLogger(__name__)
_WATCH_S = 0.5
_IDENTITIES_S = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    """A change as it was asked for. `wanted` is given the catalog that it will be made to.

    `answer` makes the body, and the version for the ETag, from what was done. With `key` the
    answer is kept, and given again to the same request (`hash`).
    """

    identity: Identity
    wanted: Callable[[Catalog], Sequence[Wanted]]
    answer: Callable[[Staged], tuple[int, dict[str, Any], int]]
    why: str = ""
    dry: bool = False
    key: str = ""
    hash: bytes = b""


class Controller:
    """`check_documents`: let the core's own code validate what nodes would get."""

    def __init__(self, url: str, *, check_documents: bool = True) -> None:
        self.db = store.engine(url)
        self.catalog = Catalog()
        self.hub = Hub(lambda: self.catalog)
        self._check = check_documents
        self._lock = asyncio.Lock()
        self._stop = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._identities: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    async def open(self) -> None:
        """Bring the data base up to date and load it. Raises StoreError."""
        await asyncio.to_thread(store.migrate, self.db)
        self.catalog, self.hub.fleet = await asyncio.to_thread(self._load)
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """End; nobody must ask any more. What still is in a thread is waited for."""
        self._stop.set()
        if self._watcher is not None:
            await self._watcher
        await self.hub.close()
        async with self._lock:
            self.db.dispose()

    async def change(self, request: Request) -> Answer:
        """Make a change, or only say what it would do. Raises RefusedError, StoreError."""
        async with self._lock:
            before = self.catalog
            answer, after, pops = await asyncio.to_thread(self._change, request)
            self.catalog = after
        if after.revision > before.revision + 1:  # others have changed something, too
            self.hub.wake(list(self.hub.sessions))
        elif after is not before:
            catalogs = (before, after)
            self.hub.wake(node for pop in pops for c in catalogs for node in c.nodes_of(pop))
        return answer

    async def identify(self, token: str) -> Identity | None:
        """Whose token it is; a revocation is in force within seconds."""
        now = asyncio.get_running_loop().time()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._identities.get(digest)
        if known is not None and now - known[0] < _IDENTITIES_S:
            return known[1]
        found = await asyncio.to_thread(self._identify, token)
        self._identities.pop(digest, None)
        if found is not None:
            self._identities[digest] = (now, found)
            while len(self._identities) > 10_000:
                self._identities.popitem(last=False)
        return found

    async def audit(self, before: int | None, limit: int, tenant: str) -> list[dict[str, Any]]:
        """Entries of the audit, latest first."""

        def read() -> list[dict[str, Any]]:
            with store.transaction(self.db) as connection:
                return store.audit(connection, before, limit, tenant)

        return await asyncio.to_thread(read)

    def _identify(self, token: str) -> Identity | None:
        with store.transaction(self.db) as connection:
            return tokens.identify(connection, token)

    def _load(self) -> tuple[Catalog, str]:
        with store.transaction(self.db) as connection:
            return store.load(connection), store.fleet(connection)

    def _change(self, request: Request) -> tuple[Answer, Catalog, frozenset[str]]:
        with store.transaction(self.db) as connection:
            catalog = self.catalog
            if store.revision(connection, lock=True) != catalog.revision:
                catalog = store.load(connection)
            if request.key:
                kept = store.answer(connection, request.identity.name, request.key)
                if kept is not None:
                    _same(kept, request)
                    return kept, catalog, frozenset()
            staged = stage(catalog, request.wanted(catalog), request.identity.tenant)
            if self._check and staged.edits:
                check_nodes(staged)
            answer = Answer(request.hash, *request.answer(staged))
            if request.dry:
                return answer, catalog, frozenset()
            if request.key:
                store.keep_answer(connection, request.identity.name, request.key, answer)
            if not staged.edits:
                return answer, catalog, frozenset()
            author = Author(request.identity.name, request.why)
            store.write(connection, staged, author, request.identity.tenant)
            return answer, staged.catalog, staged.pops

    async def _watch(self) -> None:
        """See what another controller on the same data base changes."""
        while not self._stop.is_set():
            await wait(self._stop, _WATCH_S)
            try:
                async with self._lock:
                    changed = await asyncio.to_thread(self._newer)
                    if changed is not None:
                        self.catalog = changed
                        self.hub.wake(list(self.hub.sessions))
            except StoreError as error:
                log.warning("cannot look for changes: %s", error)

    def _newer(self) -> Catalog | None:
        with store.transaction(self.db) as connection:
            if store.revision(connection) == self.catalog.revision:
                return None
            return store.load(connection)


def _same(kept: Answer, request: Request) -> None:
    if kept.request != request.hash:
        text = "this idempotency key was used with another request: choose a new one"
        raise RefusedError(409, [Problem("", text)])
