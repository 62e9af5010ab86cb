"""Runs queries of the SQL interface in threads: a few at once, each of them stoppable."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.errors import QueryError, StoreError
from pipeline.sql.filter import check
from pipeline.sql.native import reframe
from pipeline.sql.options import SqlOptions
from pipeline.sql.request import HttpProblem, SqlRequest
from pipeline.sql.wire import blocks, encode, parameter
from pipeline.sql.words import Words, load
from pipeline.store import Answer, Store

_LOOK = 0.2  # seconds between looks at the client and the clock
_WORTH_ENCODING = 1024  # bytes
_GRACE = 5.0  # seconds past max_execution_time after which a query is killed from outside


@dataclass(frozen=True, slots=True)
class Reply:
    """A result, wrapped as the client wants it, in a format of ClickHouse."""

    body: bytes
    format: str
    encoding: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class About:
    """What the engine says of itself."""

    version: str
    timezone: str
    name: str


class ClientGone(StoreError):
    """The client closed its connection; its query was stopped."""


class Runner:
    """The queries of one SQL interface. `stop`, then `close`: the store has no user left."""

    def __init__(self, store: Store, options: SqlOptions) -> None:
        self._store = store
        self._options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._pool = ThreadPoolExecutor(options.concurrency, thread_name_prefix="sql")
        self._stopping: set[asyncio.Task[None]] = set()
        self._words: Words | None = None
        self._about: About | None = None
        self._ends = False
        self.waiting = 0
        self.running = 0

    async def about(self) -> About:
        """The engine's version, time zone and name. Raises QueryError."""
        if self._about is None:
            self._about = await asyncio.to_thread(self._load_about)
        return self._about

    async def run(self, request: SqlRequest, gone: Callable[[], bool]) -> Reply:
        """The result of a request. `gone` tells whether its client has left.

        Raises HttpProblem when too many queries are there, QueryError, NativeError, ClientGone.
        """
        await self._enter()
        self.running += 1
        mark = f"/* popscope-sql {uuid.uuid4().hex} */"
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._work, request, mark)
        try:
            await self._watch(work, request, gone, mark)
            return work.result()
        finally:
            # The slot is given back when the thread is free, not when the client has left.
            stopping = asyncio.create_task(self._finish(work, mark))
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)

    def stop(self) -> None:
        """Answer the queries that run with an error now, and take no others."""
        self._ends = True

    async def close(self) -> None:
        """Wait until the engine has stopped the queries, and let the threads go."""
        await asyncio.gather(*self._stopping)
        await asyncio.to_thread(self._pool.shutdown, wait=True)

    async def _enter(self) -> None:
        full = HttpProblem(
            503, 202, "TOO_MANY_SIMULTANEOUS_QUERIES",
            f"{self._options.concurrency} queries run and {self.waiting} wait. Try again soon.",
        )  # fmt: skip
        if self._ends or self.waiting >= self._options.waiting:
            raise full
        self.waiting += 1
        try:
            async with asyncio.timeout(self._options.wait_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise full from None
        finally:
            self.waiting -= 1

    async def _watch(
        self, work: asyncio.Future[Reply], request: SqlRequest, gone: Callable[[], bool], mark: str
    ) -> None:
        clock = asyncio.get_running_loop().time
        seconds = request.limits.execution_seconds
        end = clock() + seconds + _GRACE if seconds else float("inf")
        while not work.done():
            await asyncio.wait({work}, timeout=_LOOK)
            if not work.done() and gone():
                raise ClientGone("the client closed its connection")
            if not work.done() and self._ends:
                raise StoreError("the pipeline ends; ask again when it is back")
            if not work.done() and clock() > end:
                await self._kill(mark)

    async def _finish(self, work: asyncio.Future[Reply], mark: str) -> None:
        while not work.done():
            # Again and again: the first time, the query may not have begun yet.
            await self._kill(mark)
            await asyncio.wait({work}, timeout=_LOOK)
        if not work.cancelled():
            work.exception()
        self.running -= 1
        self._slots.release()

    async def _kill(self, mark: str) -> None:
        sql = f"KILL QUERY WHERE startsWith(query, '{mark}') ASYNC"
        await asyncio.to_thread(self._store.query, sql, "Null")

    def _work(self, request: SqlRequest, mark: str) -> Reply:
        try:
            return self._reply(request, mark)
        except UnicodeDecodeError as error:
            # The engine's message quotes bytes of the query that are no UTF-8.
            raise QueryError(bytes(error.object).decode(errors="replace")) from None

    def _reply(self, request: SqlRequest, mark: str) -> Reply:
        if self._words is None:
            self._words = load(self._store)
        with self._store.read_only(request.limits) as session:
            statement = check(session, self._words, request.text)
            fmt = statement.format or request.format
            if fmt.lower() not in self._words.formats:
                # The engine's Python binding has names of its own that give no bytes.
                raise HttpProblem(404, 73, "UNKNOWN_FORMAT", f"Unknown format {fmt!r}.")
            values = {
                name: parameter(text, statement.parameters[name])
                for name, text in request.parameters.items()
                if name in statement.parameters
            }
            answer = session.answer(f"{mark} {statement.sql}", fmt, values)
        body = answer.data
        if fmt == "Native" and request.protocol:
            body = reframe(body, request.protocol)
        encoding = request.encoding if len(body) >= _WORTH_ENCODING else ""
        body = blocks(body) if request.blocks else encode(body, encoding)
        return Reply(body, fmt, encoding, answer)

    def _load_about(self) -> About:
        row = self._store.query("SELECT version(), timezone(), displayName()", "TabSeparated")
        return About(*row.decode().strip().split("\t"))
