"""A Grafana by its HTTP API: publish what is ours, and verify that it works there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaException
from niquests.exceptions import RequestException

from dashboards.errors import GrafanaError, GrafanaUnreachable

Json: TypeAlias = dict[str, Any]
Answer = TypeVar("Answer")
FOLDER, FOLDER_TITLE = "popscope", "Popscope"
PROVISIONING = Path(__file__).with_name("provisioning")
# Of the ClickHouse datasource's current versions; earlier Grafanas take its versions before 4.15.
OLDEST_GRAFANA = (11, 6)
NOT_FOUND, DENIED = 404, (401, 403)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class Grafana(Protocol):
    """What is used of grafana_client.GrafanaApi."""

    client: Any
    dashboard: Any
    folder: Any
    datasource: Any
    alertingprovisioning: Any
    plugin: Any


@dataclass(frozen=True, slots=True)
class Change:
    """What publishing did to one thing: created, updated or unchanged."""

    what: str
    name: str
    change: str


@contextmanager
def connect(url: str, token: str | None, timeout: float = 30.0) -> Iterator[Grafana]:
    """A client. `token`: of a service account; None: user and password from the URL."""
    api: Grafana = GrafanaApi.from_url(url, credential=token, timeout=timeout)
    try:
        yield api
    finally:
        api.client.s.close()


def ask(what: str, call: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
    """Call Grafana. Raises GrafanaError that says what was wanted and why it failed."""
    try:
        return call(*arguments, **named)
    except (GrafanaException, RequestException) as error:
        raise _explained(what, error) from error


def maybe(what: str, call: Callable[..., Answer], *arguments: Any) -> Answer | None:
    """As `ask`, and None for what is not there."""
    try:
        return call(*arguments)
    except (GrafanaException, RequestException) as error:
        if getattr(error, "status_code", 0) == NOT_FOUND:
            return None
        raise _explained(what, error) from error


def _explained(what: str, error: Exception) -> GrafanaError:
    if isinstance(error, RequestException):
        return GrafanaUnreachable(f"{what}: Grafana cannot be reached: {error}")
    if getattr(error, "status_code", 0) in DENIED:
        return GrafanaError(
            f"{what}: the token is not accepted or may not do this: "
            "use one of a service account with the role Editor"
        )
    return GrafanaError(f"{what}: {getattr(error, 'message', error)}")


def ensure_folder(grafana: Grafana) -> Change:
    """The folder of our dashboards and rules."""
    if maybe("read the folder", grafana.folder.get_folder, FOLDER):
        return Change("folder", FOLDER_TITLE, "unchanged")
    ask("create the folder", grafana.folder.create_folder, FOLDER_TITLE, FOLDER)
    return Change("folder", FOLDER_TITLE, "created")


def publish(grafana: Grafana, dashboards: dict[str, Json]) -> list[Change]:
    """Bring dashboards into the folder; what is already the same is left alone."""
    return [ensure_folder(grafana), *(_publish(grafana, d) for d in dashboards.values())]


def _publish(grafana: Grafana, dashboard: Json) -> Change:
    uid, title = dashboard["uid"], dashboard["title"]
    there = maybe(f"read {title}", grafana.dashboard.get_dashboard, uid)
    if there and contains(there["dashboard"], dashboard) and there["meta"]["folderUid"] == FOLDER:
        return Change("dashboard", title, "unchanged")
    body = {
        "dashboard": dashboard,
        "folderUid": FOLDER,
        "overwrite": True,
        "message": "popscope dashboards publish",
    }
    ask(f"write {title}", grafana.dashboard.update_dashboard, body)
    return Change("dashboard", title, "updated" if there else "created")


def contains(there: object, ours: object) -> bool:
    """Whether everything that we set is so there; Grafana adds keys, such as ids and versions."""
    if isinstance(ours, dict):
        return isinstance(there, dict) and all(contains(there.get(k), v) for k, v in ours.items())
    if isinstance(ours, list):
        if not isinstance(there, list) or len(there) != len(ours):
            return False
        return all(contains(a, b) for a, b in zip(there, ours, strict=True))
    return _seconds(there) == _seconds(ours)


def _seconds(value: object) -> object:
    """A duration as seconds: Grafana writes 60s as 1m."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        return value
    hours, minutes, seconds = (int(n or 0) for n in match.groups())
    return hours * 3_600 + minutes * 60 + seconds


def version(grafana: Grafana) -> tuple[int, ...]:
    """Of the server, such as (11, 6, 0)."""
    health: Json = ask("read the health", grafana.client.GET, "/health")
    return tuple(int(n) for n in re.findall(r"\d+", str(health.get("version", "")))[:3])


def load_rendered(folder: Path) -> dict[str, Json]:
    """The committed dashboards, by file name."""
    return {p.name: json.loads(p.read_text()) for p in sorted(folder.glob("*.json"))}
