"""Events and alerts that others tell: stored once, or refused with what is wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.access.guard import Grant
from pipeline.errors import BadRequest
from pipeline.store.embedded import EmbeddedStore
from pipeline.told import MOST, parse_alerts, parse_events
from tests.unit.pipeline_serving import Client, serving
from tests.unit.pipeline_stores import fresh_store

NOW = datetime.now(UTC).replace(microsecond=123_456)
EVENT = {
    "ts": NOW.isoformat(),
    "pop": "ams",
    "node": "ams-d1",
    "kind": "health",
    "subject": "web/b1",
    "state": "down",
    "reason": "checks_failed",
    "detail": "tcp: refused 'by' \"it\"\n",
}
ALERT = {
    "status": "firing",
    "labels": {
        "alertname": "PopscopePacketsDropped",
        "severity": "warning",
        "area": "dataplane",
        "pop": "ams",
        "node": "ams-d1",
        "instance": "core0",
        "lcore": "1",
        "reason": "no_backend",
    },
    "annotations": {"summary": "ams-d1 (ams) drops 2 packets a second: no_backend"},
    "startsAt": NOW.isoformat().replace("+00:00", "Z"),
    "endsAt": "0001-01-01T00:00:00Z",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    found = fresh_store(tmp_path_factory.mktemp("told") / "store")
    yield found
    found.close()


@pytest.fixture
async def client(store: EmbeddedStore, tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(store) as found:
        yield found


async def post(client: Client, path: str, body: bytes | str) -> tuple[int, dict[str, Any]]:
    async with client.session.post(client.url + path, data=body) as answer:
        found: dict[str, Any] = await answer.json()
        return answer.status, found


def rows(store: EmbeddedStore, kind: str) -> list[dict[str, Any]]:
    sql = f"SELECT * FROM popscope.events WHERE kind = '{kind}' ORDER BY ts, state"
    found: list[dict[str, Any]] = store.query_arrow(sql).to_pylist()
    return found


async def test_events_are_stored_once(client: Client, store: EmbeddedStore) -> None:
    up = {**EVENT, "state": "up"}
    lines = "\n".join(json.dumps(e) for e in (EVENT, up, EVENT)) + "\n"
    assert await post(client, "/v1/events", lines) == (200, {"stored": 2, "known": 1})
    assert await post(client, "/v1/events", lines) == (200, {"stored": 0, "known": 3})
    assert await post(client, "/v1/events", "\n") == (200, {"stored": 0, "known": 0})
    down, _ = rows(store, "health")
    assert down == {**EVENT, "ts": NOW.replace(microsecond=123_000)}
    assert client.value("events_total", outcome="stored") == 2


async def test_alerts_are_events_and_told_again_they_are_known(
    client: Client, store: EmbeddedStore
) -> None:
    body = json.dumps({"version": "4", "alerts": [ALERT]})
    assert await post(client, "/v1/alerts", body) == (200, {"stored": 1, "known": 0})
    assert await post(client, "/v1/alerts", body) == (200, {"stored": 0, "known": 1})
    ended = {**ALERT, "status": "resolved", "endsAt": (NOW + timedelta(seconds=9)).isoformat()}
    body = json.dumps({"alerts": [ended]})
    assert await post(client, "/v1/alerts", body) == (200, {"stored": 1, "known": 0})
    firing, resolved = rows(store, "alert")
    assert firing["subject"] == "PopscopePacketsDropped lcore=1 reason=no_backend"
    assert (firing["pop"], firing["node"], firing["reason"]) == ("ams", "ams-d1", "warning")
    assert firing["detail"].startswith("ams-d1 (ams) drops")
    assert (resolved["state"], resolved["ts"] - firing["ts"]) == ("resolved", timedelta(seconds=9))


def test_an_alert_from_before_the_table_is_left_out() -> None:
    old = {**ALERT, "startsAt": (NOW - timedelta(days=100)).isoformat()}
    assert len(parse_alerts(json.dumps({"alerts": [old, ALERT]}).encode())) == 1


async def test_one_wrong_line_stores_nothing(client: Client, store: EmbeddedStore) -> None:
    before = len(rows(store, "health"))
    other = {**EVENT, "subject": "web/b9"}
    lines = json.dumps(other) + "\n" + json.dumps({**other, "kind": "two words"})
    status, answer = await post(client, "/v1/events", lines)
    assert (status, answer["error"][:29]) == (400, "line 2: kind must be one word")
    assert len(rows(store, "health")) == before
    assert client.value("events_total", outcome="refused") == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": ""}, "kind must be one word"),
        ({"detail": "x" * 4_001}, "detail is longer than 4000"),
        ({"ts": "yesterday"}, "'yesterday' is no time"),
        ({"ts": "1999-01-01T00:00:00Z"}, "older than 89 days"),
        ({"ts": (NOW + timedelta(days=1)).isoformat()}, "in the future"),
        ({"state": 1}, "must have the texts"),
        ({"more": "x"}, "must have the texts"),
    ],
)
def test_an_event_that_is_wrong_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=f"line 1: .*{says}"):
        parse_events(json.dumps({**EVENT, **change}).encode(), Grant())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"[]", "no JSON object"),
        (b"{", "no JSON: "),
        (b"{}", "no list `alerts`"),
        (b'{"alerts": [1]}', "alert 1: lacks labels"),
        (json.dumps({"alerts": [{**ALERT, "status": "x"}]}).encode(), "neither firing nor"),
        (json.dumps({"alerts": [{**ALERT, "startsAt": None}]}).encode(), "'None' is no time"),
    ],
)
def test_what_is_no_webhook_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        parse_alerts(body)


def test_too_many_events_are_refused() -> None:
    with pytest.raises(BadRequest, match=f"{MOST + 1} events"):
        parse_events(b"{}\n" * (MOST + 1), Grant())
