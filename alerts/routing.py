"""Who is told what: `routing.toml`, for Alertmanager and, as notification policies, for Grafana."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alerts.errors import RuleError

ROUTING = Path(__file__).with_name("routing.toml")
TEMPLATES = Path(__file__).with_name("templates") / "popscope.tmpl"
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Group:
    """How alerts are put together into one message. Times in seconds."""

    by: tuple[str, ...]
    wait: int
    interval: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who is told. An `optional` one without an address gets nothing."""

    name: str
    purpose: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts for which all matchers hold go to the receiver. What is None is as in the group."""

    matchers: tuple[str, ...]
    receiver: str
    by: tuple[str, ...]
    wait: int | None
    interval: int | None
    repeat: int | None


@dataclass(frozen=True, slots=True)
class Routing:
    """The first route that takes an alert has it; the last one takes all."""

    group: Group
    receivers: tuple[Receiver, ...]
    routes: tuple[Route, ...]


@cache
def load_routing(path: Path = ROUTING) -> Routing:
    """The routing. Raises RuleError, naming the file and what is wrong."""
    try:
        tree = tomllib.loads(path.read_text())
        found = Routing(
            group=_group(tree["group"]),
            receivers=tuple(_receiver(r) for r in tree["receiver"]),
            routes=tuple(_route(r) for r in tree["route"]),
        )
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{path.name}: {error}") from error
    except KeyError as error:
        raise RuleError(f"{path.name}: {error.args[0]} is missing") from error
    names = {r.name for r in found.receivers}
    for route in found.routes:
        if route.receiver not in names:
            raise RuleError(f"{path.name}: a route leads to {route.receiver}, which is no receiver")
        if bad := [m for m in route.matchers if not MATCHER.fullmatch(m)]:
            raise RuleError(f'{path.name}: {bad[0]} is no matcher, such as severity="critical"')
    if not found.routes or found.routes[-1].matchers:
        raise RuleError(f"{path.name}: the last route must take everything: matchers = []")
    return found


def _group(raw: Mapping[str, Any]) -> Group:
    return Group(tuple(raw["by"]), raw["wait"], raw["interval"], raw["repeat"])


def _receiver(raw: Mapping[str, Any]) -> Receiver:
    return Receiver(raw["name"], raw["purpose"], raw.get("optional", False))


def _route(raw: Mapping[str, Any]) -> Route:
    return Route(
        matchers=tuple(raw["matchers"]),
        receiver=raw["receiver"],
        by=tuple(raw.get("by", ())),
        wait=raw.get("wait"),
        interval=raw.get("interval"),
        repeat=raw.get("repeat"),
    )
