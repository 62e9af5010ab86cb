"""`POST /v1/events` and `POST /v1/alerts`: what others tell, into the table `events`.

Events are JSON, one object a line, in the table's columns. Alerts are what Alertmanager and Grafana
post to a webhook; each becomes an event of the kind `alert`. Sending again stores nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pyarrow as pa
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from pipeline.access.guard import Access, Grant
from pipeline.errors import BadRequest, StoreError
from pipeline.store import Store

Json: TypeAlias = dict[str, Any]
MOST = 10_000
OLDEST, NEWEST = timedelta(days=89), timedelta(minutes=10)
_COLUMNS = ("ts", "pop", "node", "kind", "subject", "state", "reason", "detail")
_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,80}")
_LONGEST = {"pop": 200, "node": 200, "subject": 500, "detail": 4_000}
# Labels that are columns, or that say nothing about which alert it is.
_NOT_SUBJECT = {"alertname", "pop", "node", "severity", "area", "instance", "grafana_folder"}
_TEXTS = ("labels", "annotations")
_RETRY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `events`."""

    ts: datetime
    pop: str
    node: str
    kind: str
    subject: str
    state: str
    reason: str
    detail: str


class Told:
    """The handlers."""

    def __init__(self, store: Store, access: Access, registry: CollectorRegistry) -> None:
        self._store, self._access = store, access
        self._one_at_a_time = asyncio.Lock()
        self._events = Counter(
            "popscope_pipeline_events",
            "Events told by others: stored, known already, refused.",
            ["outcome"],
            registry=registry,
        )

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/events", self.events)
        app.router.add_post("/v1/alerts", self.alerts)

    async def events(self, request: web.Request) -> web.Response:
        """Answer 200, 400, 401, 403, 413, 503. A body of which one line is wrong is not stored."""
        grant = self._access.authorize(request, "export")
        return await self._answer(request, lambda body: parse_events(body, grant))

    async def alerts(self, request: web.Request) -> web.Response:
        """As `events`."""
        self._access.authorize(request, "write")
        return await self._answer(request, parse_alerts)

    async def _answer(
        self, request: web.Request, parse: Callable[[bytes], list[Event]]
    ) -> web.Response:
        try:
            found = parse(await request.read())
            stored = await self._store_new(found)
        except BadRequest as error:
            self._events.labels("refused").inc()
            return web.json_response({"error": str(error)}, status=400)
        except StoreError as error:
            headers = {"Retry-After": str(_RETRY_SECONDS)}
            return web.json_response({"error": str(error)}, status=503, headers=headers)
        self._events.labels("stored").inc(stored)
        self._events.labels("known").inc(len(found) - stored)
        return web.json_response({"stored": stored, "known": len(found) - stored})

    async def _store_new(self, events: list[Event]) -> int:
        """One request at a time: two that tell the same must not both find it new."""
        if not events:
            return 0
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._insert, events)

    def _insert(self, events: list[Event]) -> int:
        moments = ", ".join(sorted({_moment(e.ts) for e in events}))
        names = ", ".join(_COLUMNS)
        sql = f"SELECT {names} FROM popscope.events WHERE ts IN ({moments})"
        known = {tuple(row.values()) for row in self._store.query_arrow(sql).to_pylist()}
        rows = [row for row in dict.fromkeys(map(astuple, events)) if row not in known]
        if rows:
            columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
            types = [pa.timestamp("ms", "UTC"), *([pa.string()] * (len(_COLUMNS) - 1))]
            schema = pa.schema(list(zip(_COLUMNS, types, strict=True)))
            self._store.insert("events", pa.table(columns, schema=schema))
        return len(rows)


def _moment(ts: datetime) -> str:
    return f"fromUnixTimestamp64Milli({round(ts.timestamp() * 1_000)}, 'UTC')"


def parse_events(body: bytes, grant: Grant) -> list[Event]:
    """Raises BadRequest that names the line, HTTPForbidden for a PoP of others."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) > MOST:
        raise BadRequest(f"{len(lines)} events, and {MOST} may come at once")
    found = []
    for number, line in enumerate(lines, 1):
        where = f"line {number}"
        raw = _object(line, where)
        if set(raw) != set(_COLUMNS) or not all(isinstance(v, str) for v in raw.values()):
            raise BadRequest(f"{where}: must have the texts {', '.join(_COLUMNS)}, nothing else")
        event = Event(_time(raw["ts"], where), *(raw[c] for c in _COLUMNS[1:]))
        if event.ts <= datetime.now(UTC) - OLDEST:
            raise BadRequest(f"{where}: {raw['ts'][:40]} is older than {OLDEST.days} days")
        _check(event, where)
        grant.check_pop(event.pop, where)
        found.append(event)
    return found


def parse_alerts(body: bytes) -> list[Event]:
    """Raises BadRequest for what is no webhook of Alertmanager or Grafana.

    One that began before the table's oldest day is left out: it was told when it began.
    """
    alerts = _object(body, "the body").get("alerts")
    if not isinstance(alerts, list) or len(alerts) > MOST:
        raise BadRequest("the body has no list `alerts`, as Alertmanager and Grafana post it")
    found = (_alert(raw, f"alert {number}") for number, raw in enumerate(alerts, 1))
    oldest = datetime.now(UTC) - OLDEST
    return [event for event in found if event.ts > oldest]


def _alert(raw: Any, where: str) -> Event:
    labels, notes = ((raw.get(k) if isinstance(raw, dict) else None) for k in _TEXTS)
    if not isinstance(labels, dict) or not isinstance(notes, dict) or "alertname" not in labels:
        raise BadRequest(f"{where}: lacks labels with an alertname, or annotations")
    state = raw.get("status")
    if state not in ("firing", "resolved"):
        raise BadRequest(f"{where}: the status {state!r} is neither firing nor resolved")
    texts = {str(k): str(v) for k, v in labels.items()}
    event = Event(
        ts=_time(str(raw.get("startsAt" if state == "firing" else "endsAt")), where),
        pop=texts.get("pop", ""),
        node=texts.get("node", ""),
        kind="alert",
        subject=" ".join(_subject(texts))[: _LONGEST["subject"]],
        state=state,
        reason=texts.get("severity", "none"),
        detail=str(notes.get("summary", ""))[: _LONGEST["detail"]],
    )
    _check(event, where)
    return event


def _subject(labels: Mapping[str, str]) -> Iterator[str]:
    """The alert's name, and what tells it from others of the name."""
    yield labels["alertname"]
    yield from (f"{k}={v}" for k, v in sorted(labels.items()) if k not in _NOT_SUBJECT)


def _object(text: bytes, where: str) -> Json:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadRequest(f"{where}: no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadRequest(f"{where}: no JSON object")
    return found


def _time(text: str, where: str) -> datetime:
    """To the millisecond. Raises BadRequest for what is no time, or not yet."""
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise BadRequest(
            f"{where}: {text[:40]!r} is no time, as 2026-01-31T12:00:00Z is"
        ) from error
    if found > datetime.now(UTC) + NEWEST:
        raise BadRequest(f"{where}: {text[:40]} is in the future")
    return found.replace(microsecond=found.microsecond // 1_000 * 1_000)


def _check(event: Event, where: str) -> None:
    for name in ("kind", "state", "reason"):
        if not _WORD.fullmatch(getattr(event, name)):
            raise BadRequest(f"{where}: {name} must be one word of at most 80 characters")
    for name, longest in _LONGEST.items():
        if len(getattr(event, name)) > longest:
            raise BadRequest(f"{where}: {name} is longer than {longest} characters")
