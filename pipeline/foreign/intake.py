"""From an HTTP request to rows in the store, whatever the protocol is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
from aiohttp import web

from pipeline.access.guard import Access, Grant
from pipeline.errors import BadRequest, Overloaded, StoreError, TooLarge
from pipeline.foreign.commit import ForeignCommitter
from pipeline.foreign.decoder import TENANT, Decoder
from pipeline.foreign.metrics import ForeignMetrics
from pipeline.foreign.native import Format
from pipeline.foreign.options import ForeignOptions
from pipeline.foreign.recent import Outcome, Recent, digest
from pipeline.foreign.rows import Request

DEFAULT_TENANT = "default"
TENANT_HEADER = "X-Scope-OrgID"
Unpack = Callable[[bytes, int], bytes | pa.Buffer]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request of which nothing is stored, or not known to be."""

    status: int
    text: str
    retry_after: int = 0

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)} if self.retry_after else {}


class Intake:
    """What remote write and OTLP share."""

    def __init__(
        self,
        decoder: Decoder,
        committer: ForeignCommitter,
        options: ForeignOptions,
        metrics: ForeignMetrics,
        access: Access,
    ) -> None:
        self._decoder, self._committer, self._options = decoder, committer, options
        self._metrics, self._access = metrics, access
        self._recent = Recent()

    async def take(self, request: web.Request, form: Format, unpack: Unpack) -> Outcome | Refusal:
        """Store a request; `unpack` gives its plain body, in the decoder's thread."""
        try:
            grant = self._access.authorize(request, "write")
            with self._committer.arriving():
                return await self._take(request, _tenant(request, grant), form, unpack)
        except Overloaded as error:
            code = 503 if self._committer.stopping else 429
            return Refusal(code, str(error), error.retry_after)
        except StoreError as error:
            return Refusal(503, str(error), 2)
        except TooLarge as error:
            return Refusal(413, str(error))
        except BadRequest as error:
            return Refusal(400, str(error))
        except web.HTTPException as error:
            retry_after = int(error.headers.get("Retry-After", 0))
            return Refusal(error.status, error.text or error.reason, retry_after)

    async def _take(
        self, request: web.Request, tenant: str, form: Format, unpack: Unpack
    ) -> Outcome:
        options = self._options
        size = request.content_length
        size = options.body_bytes if size is None else size
        if size > options.body_bytes:
            raise TooLarge(_too_large(options.body_bytes))
        self._committer.hold(size)
        try:
            body = await _read(request, options)
            self._metrics.received.inc(len(body))
            key = digest(tenant.encode(), bytes([form]), body)
            outcome, repeated = await self._recent.once(
                key, lambda: self._store(tenant, form, lambda: unpack(body, options.plain_bytes))
            )
            if repeated:
                self._metrics.repeated.inc()
            return outcome
        finally:
            self._committer.release(size)

    async def _store(
        self, tenant: str, form: Format, unpack: Callable[[], bytes | pa.Buffer]
    ) -> Outcome:
        decoded = await self._decoder.take(tenant, form, unpack)
        self._committer.hold(decoded.size)
        try:
            if decoded.columns:
                await self._committer.commit(Request(tenant, decoded))
        finally:
            self._committer.release(decoded.size)
        self._metrics.rejections(decoded)
        return Outcome(
            decoded.samples,
            decoded.histograms,
            decoded.exemplars,
            decoded.rejected,
            decoded.exemplars_rejected,
        )


def _tenant(request: web.Request, grant: Grant) -> str:
    """The token's tenant, or the one that the request names. Raises HTTPForbidden for another."""
    tenant = request.headers.get(TENANT_HEADER, grant.tenant or DEFAULT_TENANT)
    if grant.tenant and tenant != grant.tenant:
        raise web.HTTPForbidden(
            text=f"the token {grant.name} is for the tenant {grant.tenant}, not for {tenant[:80]!r}"
        )
    if not TENANT.fullmatch(tenant):
        raise BadRequest(
            f"the header {TENANT_HEADER} is {tenant[:80]!r}: a tenant has 1 to 63 letters, digits, "
            "dots, dashes and underscores, and begins with a letter or digit"
        )
    return tenant


async def _read(request: web.Request, options: ForeignOptions) -> bytes:
    """The body as sent. A client that went away without a word gives its memory back, too."""
    data = bytearray()
    try:
        async with asyncio.timeout(options.body_seconds):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > options.body_bytes:
                    raise TooLarge(_too_large(options.body_bytes))
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(
            text=f"{len(data)} bytes of the body came in {options.body_seconds:g} s, and not all"
        ) from error
    return bytes(data)


def _too_large(limit: int) -> str:
    return f"the body is more than {limit} bytes as sent: send fewer samples at once"
