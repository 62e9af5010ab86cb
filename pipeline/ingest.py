"""`POST /v1/frames`: frames in, acknowledged when they are committed."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from exporters.frames import Header
from exporters.intervals import Intervals
from pipeline import frames
from pipeline.access.guard import Access, Grant
from pipeline.admission import Verdict, Waiter
from pipeline.commit import Committer
from pipeline.errors import BadRequest, Overloaded, StoreError, TooLarge
from pipeline.frames import Body, Damaged, Reader
from pipeline.metrics import Metrics

log = logging.getLogger(__name__)
_MOST_TOLD = 100  # of the sets of unknown columns: each is logged once


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """Limits in bytes, of a body as sent and as unpacked, and of the seconds in which it comes.

    `token`: a bearer token for all that sends, "" for none; `[access]` has those of their own.
    """

    body_bytes: int = 32 << 20
    plain_bytes: int = 128 << 20
    body_seconds: float = 30.0
    decode_threads: int = 2
    token: str = ""


@dataclass(slots=True)
class _Outcome:
    """What became of the frames of one request."""

    stored: list[Header]
    overlaps: list[str]
    failed: int = 0


class Ingest:
    """The handler and its decoding threads."""

    def __init__(
        self,
        committer: Committer,
        reader: Reader,
        options: IngestOptions,
        metrics: Metrics,
        access: Access,
    ) -> None:
        self._reader, self._access = reader, access
        self._committer, self._options, self._metrics = committer, options, metrics
        self._told: set[tuple[str, ...]] = set()
        self._threads = ThreadPoolExecutor(options.decode_threads, thread_name_prefix="decode")

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/frames", self.post)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def post(self, request: web.Request) -> web.Response:
        """Answer 200, 400, 401, 403, 408, 409 (overlap), 413, 429, 503.

        A refusal names the frames that it is of; one that names none is of the body as a whole.
        """
        try:
            grant = self._access.authorize(request, "export")
            answer = await self._take(request, grant)
        except Overloaded as error:
            code = 429 if self._committer.ready else 503
            answer = _json(code, {"error": str(error)}, error.retry_after)
        except TooLarge as error:
            alone = [Damaged(0, str(error), error.alone)] if error.alone else []
            answer = _json(413, _refusal(f"the body is too large: {error}", alone))
        except BadRequest as error:
            answer = _json(400, _refusal(f"the body as a whole cannot be read: {error}", []))
        except web.HTTPException as error:
            retry_after = int(error.headers.get("Retry-After", 0))
            answer = _json(error.status, {"error": error.text or error.reason}, retry_after)
        self._metrics.requests.labels(str(answer.status)).inc()
        return answer

    async def _take(self, request: web.Request, grant: Grant) -> web.Response:
        size = request.content_length
        size = self._options.body_bytes if size is None else size
        if size > self._options.body_bytes:
            raise TooLarge(f"it has {size} bytes, and may have {self._options.body_bytes}")
        self._committer.hold(size)
        held = size
        try:
            data = await self._read(request)
            self._metrics.received.inc(len(data))
            encoding = request.headers.get("Content-Encoding", "")
            loop = asyncio.get_running_loop()
            plain, body = await loop.run_in_executor(self._threads, self._decode, data, encoding)
            if plain > held:
                self._committer.hold(plain - held)
                held = plain
            for frame in body.frames:
                grant.check_pop(frame.header.pop, f"frame {frame.header.seq}")
            return await self._store(body)
        finally:
            self._committer.release(held)

    async def _read(self, request: web.Request) -> bytes:
        """The body as sent. A client that went away without a word gives its memory back, too."""
        data, limit, seconds = bytearray(), self._options.body_bytes, self._options.body_seconds
        try:
            async with asyncio.timeout(seconds):
                async for chunk in request.content.iter_any():
                    data += chunk
                    if len(data) > limit:
                        raise TooLarge(f"it has more than {limit} bytes")
        except TimeoutError as error:
            raise web.HTTPRequestTimeout(
                text=f"{len(data)} bytes of the body came in {seconds:g} s, and not all of it"
            ) from error
        return bytes(data)

    def _decode(self, data: bytes, encoding: str) -> tuple[int, Body]:
        plain = frames.inflate(data, encoding, self._options.plain_bytes)
        return len(plain), self._reader.read(plain)

    async def _store(self, body: Body) -> web.Response:
        outcome = _Outcome([], [])
        waiting: list[tuple[Header, Waiter]] = []
        for frame in body.frames:
            verdict, waiter = self._committer.offer(frame)
            if verdict is Verdict.OVERLAP:
                outcome.overlaps.append(
                    f"frames {frame.header.first}..{frame.header.seq} of stream "
                    f"{frame.header.stream:016x}: some of them are stored already, or on their way"
                )
            elif verdict is Verdict.UNDECIDED:
                outcome.failed += 1
            elif waiter is None:
                outcome.stored.append(frame.header)
            else:
                waiting.append((frame.header, waiter))
            self._count(verdict, frame.unknown)
        for header, waiter in waiting:
            try:
                await asyncio.shield(waiter)
                outcome.stored.append(header)
            except StoreError:
                outcome.failed += 1
        return self._answer(body, outcome)

    def _count(self, verdict: Verdict, unknown: tuple[str, ...]) -> None:
        if verdict is Verdict.OVERLAP:
            self._metrics.frames.labels("overlap").inc()
        elif verdict in (Verdict.STORED, Verdict.PENDING):
            self._metrics.frames.labels("duplicate").inc()
        if verdict is Verdict.NEW and unknown:
            self._metrics.unknown.inc(len(unknown))
            if unknown not in self._told and len(self._told) < _MOST_TOLD:
                self._told.add(unknown)
                log.warning("not stored, for this version does not know it: %s", ", ".join(unknown))

    def _answer(self, body: Body, outcome: _Outcome) -> web.Response:
        answer: dict[str, Any] = {"stored": acknowledgement(outcome.stored)}
        self._metrics.frames.labels("damaged").inc(len(body.damaged))
        if body.damaged:
            answer |= _refusal(body.damaged[0].error, body.damaged)
            if body.unread:
                answer["unread"] = body.unread
            return _json(400, answer)
        if outcome.failed:
            answer["error"] = f"{outcome.failed} frames could not be committed now"
            return _json(503, answer, 2)
        if outcome.overlaps:
            answer["error"] = "; ".join(outcome.overlaps)
            return _json(409, answer)
        return _json(200, answer)


def _refusal(text: str, frames: list[Damaged]) -> dict[str, Any]:
    """What is refused, frame by frame: its place in the body, and who it says that it is."""
    errors = []
    for frame in frames:
        stream, seq = frame.identity or (None, None)
        shown = None if stream is None else f"{stream:016x}"
        errors.append({"frame": frame.index, "stream": shown, "seq": seq, "error": frame.error})
    first = {"frame": errors[0]["frame"]} if errors else {}
    return {"error": text, "errors": errors, **first}


def acknowledgement(headers: list[Header]) -> list[dict[str, Any]]:
    """Streams and the ranges of sequence numbers that are in the store."""
    streams: dict[int, Intervals] = {}
    for header in headers:
        streams.setdefault(header.stream, Intervals()).add(header.first, header.seq)
    return [{"stream": f"{s:016x}", "ranges": list(map(list, n))} for s, n in streams.items()]


def _json(code: int, answer: dict[str, Any], retry_after: int = 0) -> web.Response:
    headers = {"Retry-After": str(retry_after)} if retry_after else None
    return web.json_response(answer, status=code, headers=headers)
