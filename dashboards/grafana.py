"""A Grafana by its HTTP API: the client, and errors that say what was wanted and why it failed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaException, GrafanaTimeoutError
from niquests.exceptions import JSONDecodeError, RequestException

from dashboards.errors import GrafanaError, GrafanaUnreachable

Json: TypeAlias = dict[str, Any]
Answer = TypeVar("Answer")
FOLDER, FOLDER_TITLE = "popscope", "Popscope"
PROVISIONING = Path(__file__).with_name("provisioning")
# Of the ClickHouse datasource's current versions; earlier Grafanas take its versions before 4.15.
OLDEST_GRAFANA = (11, 6)
NOT_FOUND, DENIED, CONFLICT = 404, (401, 403), 412


class Grafana(Protocol):
    """What is used of grafana_client.GrafanaApi."""

    client: Any
    dashboard: Any
    folder: Any
    datasource: Any
    alertingprovisioning: Any
    plugin: Any
    search: Any


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
    code = getattr(error, "status_code", 0)
    if isinstance(error, JSONDecodeError):
        return GrafanaError(f"{what}: the answer is not Grafana's, which is JSON: {error}")
    if isinstance(error, RequestException | GrafanaTimeoutError):
        return GrafanaUnreachable(f"{what}: Grafana cannot be reached: {error}")
    if code in DENIED:
        return GrafanaError(
            f"{what}: the token is not accepted or may not do this: use one of a service account "
            "with the role Editor (Admin for the data source, contact points and policies)"
        )
    if code == CONFLICT:
        return GrafanaError(
            f"{what}: somebody changed it meanwhile: look at it, and run this again"
        )
    return GrafanaError(f"{what}: {getattr(error, 'message', error)}")


def version(grafana: Grafana) -> tuple[int, ...]:
    """Of the server, such as (11, 6, 0)."""
    health: Json = ask("read the health", grafana.client.GET, "/health")
    return tuple(int(n) for n in re.findall(r"\d+", str(health.get("version", "")))[:3])


def load_rendered(folder: Path) -> dict[str, Json]:
    """The committed dashboards, by file name."""
    return {p.name: json.loads(p.read_text()) for p in sorted(folder.glob("*.json"))}
