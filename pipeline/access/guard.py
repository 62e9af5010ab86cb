"""Lets requests in, or says why not."""

from __future__ import annotations

import base64
import hmac
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from pipeline.access import tokens
from pipeline.access.tokens import Token
from pipeline.errors import ConfigError

log = logging.getLogger(__name__)
_RELOAD_SECONDS = 0.5
_FOR = {
    "export": "sending frames",
    "write": "sending metrics",
    "read": "reading",
    "admin": "backups",
}
_SENDING = ("export", "write")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """`tokens`: the file of tokens, "" for none: then whoever reaches the port is let in.

    `requests_per_second`: of one token, unless it says otherwise; 0 for any.
    """

    tokens: str = ""
    requests_per_second: float = 0.0

    def problems(self) -> list[str]:
        """What is wrong with the file."""
        try:
            if self.tokens:
                tokens.read(Path(self.tokens))
        except ConfigError as error:
            return error.problems
        return []


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request may do: `pop` is the only one that its frames may be of, "" is any."""

    name: str = ""
    pop: str = ""
    tenant: str = ""

    def check_pop(self, pop: str, what: str) -> None:
        """Raises HTTPForbidden for another PoP."""
        if self.pop and pop != self.pop:
            raise web.HTTPForbidden(
                text=f"{what} is of PoP {pop}, and the token {self.name} is for {self.pop}"
            )


@dataclass(slots=True)
class _Bucket:
    """Requests that may come now; it fills with the rate, up to a second of it."""

    left: float
    at: float


class Access:
    """The tokens, as the file has them now. `shared`: one more for all that sends, from the
    configuration itself.
    """

    def __init__(
        self,
        options: AccessOptions,
        shared: str = "",
        registry: CollectorRegistry | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._options, self._shared, self._clock = options, shared, clock
        self._tokens: dict[str, Token] = {}
        self._stamp: tuple[int, ...] = ()
        self._checked = -math.inf
        self._buckets: dict[str, _Bucket] = {}
        registry = registry or CollectorRegistry()
        self._requests = Counter(
            "popscope_pipeline_access",
            "Requests that needed a token, by what was decided.",
            ["decision"],
            registry=registry,
        )
        self._failures = Counter(
            "popscope_pipeline_token_file_failures",
            "Times that the file of tokens could not be read again; the last good one holds.",
            registry=registry,
        )
        if options.tokens:
            self._tokens = tokens.read(Path(options.tokens))

    def needed(self, role: str) -> bool:
        """Whether a request has to bring a token for this."""
        return bool(self._options.tokens) or (bool(self._shared) and role in _SENDING)

    def authorize(self, request: web.Request, role: str) -> Grant:
        """What the request may do. Raises HTTPUnauthorized, HTTPForbidden, HTTPTooManyRequests."""
        if not self.needed(role):
            return Grant()
        return self.admit(_presented(request), role)

    def admit(self, presented: str, role: str) -> Grant:
        """As `authorize`, for a token that came in another way."""
        try:
            grant = self._decide(presented, role)
        except web.HTTPException as error:
            self._requests.labels(_DECISIONS[error.status]).inc()
            raise
        self._requests.labels("granted").inc()
        return grant

    def _decide(self, presented: str, role: str) -> Grant:
        if not presented:
            raise _unauthorized("a token is needed: Authorization: Bearer ...")
        shared = self._shared if role in _SENDING else ""
        if shared and hmac.compare_digest(presented.encode(), shared.encode()):
            return Grant()
        token = self._find(presented)
        now = self._clock()
        if (state := token.state(now)) != "valid":
            raise _unauthorized(f"the token {token.name} is {state}: ask for another one")
        if token.role != role:
            raise web.HTTPForbidden(
                text=f"the token {token.name} is for {_FOR[token.role]}, not for {_FOR[role]}"
            )
        self._limit(token, now)
        return Grant(token.name, token.pop, token.tenant)

    def _find(self, presented: str) -> Token:
        self._reload()
        token = self._tokens.get(tokens.id_of(presented))
        known = token.hash if token else ""
        if not hmac.compare_digest(known, tokens.digest(presented)) or token is None:
            raise _unauthorized("the token is not the right one")
        return token

    def _limit(self, token: Token, now: float) -> None:
        rate = token.rate or self._options.requests_per_second
        if not rate:
            return
        bucket = self._buckets.setdefault(token.id, _Bucket(max(rate, 1.0), now))
        bucket.left = min(bucket.left + max(now - bucket.at, 0) * rate, max(rate, 1.0))
        bucket.at = now
        if bucket.left < 1:
            wait = math.ceil((1 - bucket.left) / rate)
            raise web.HTTPTooManyRequests(
                text=f"the token {token.name} may make {rate:g} requests a second",
                headers={"Retry-After": str(wait)},
            )
        bucket.left -= 1

    def _reload(self) -> None:
        """Read the file when it changed, as often as it is worth to look."""
        if not self._options.tokens or self._clock() - self._checked < _RELOAD_SECONDS:
            return
        self._checked = self._clock()
        path = Path(self._options.tokens)
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode)
            if stamp != self._stamp:
                self._tokens = tokens.read(path)
                self._stamp = stamp
        except (OSError, ConfigError) as error:
            self._failures.inc()
            log.error("the tokens stay as they were: %s", error)

    @web.middleware
    async def reading(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Asks for a token wherever something is read; senders are asked by their handlers."""
        if request.method in ("GET", "HEAD") and request.path != "/healthz":
            self.authorize(request, "read")
        return await handler(request)


_DECISIONS = {401: "refused", 403: "forbidden", 429: "limited"}


def _presented(request: web.Request) -> str:
    """The token of a request: as bearer, or as the password that a browser asks for."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _unauthorized(text: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(
        text=text, headers={"WWW-Authenticate": 'Basic realm="popscope", Bearer'}
    )
