"""Bring a Grafana to what we want: what differs is found first, shown, and then done, step by step.

A step that fails does not end the others; whoever asked is told what was done and what is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from dashboards.errors import GrafanaError, GrafanaUnreachable

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SHOWN = 12
_LONGEST = 60


class Change(StrEnum):
    """What is to be done with one thing, or became of it."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    NONE = "unchanged"
    FAILED = "failed"
    LEFT = "left"


DONE = {Change.CREATE: "created", Change.UPDATE: "updated", Change.DELETE: "deleted"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing: what differs there, and how it is put right (None: nothing to do)."""

    what: str
    name: str
    change: Change
    differs: tuple[str, ...] = ()
    act: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step: created, updated, deleted, unchanged, failed (why), left (not tried).

    In a dry run: what would be done.
    """

    what: str
    name: str
    change: str
    detail: str = ""

    @property
    def is_bad(self) -> bool:
        return self.change in (Change.FAILED, Change.LEFT)


def planned(what: str, name: str, plan: Callable[[], Step]) -> Step:
    """The step, or one that fails when what is there cannot be read. Raises GrafanaUnreachable."""
    try:
        return plan()
    except GrafanaUnreachable:
        raise
    except GrafanaError as error:
        return Step(what, name, Change.FAILED, (str(error),), partial(_fail, error))


def _fail(error: GrafanaError) -> None:
    raise error


def step(what: str, name: str, there: object, ours: object, write: Callable[[], object]) -> Step:
    """Create or update, or nothing when everything that we set is so there."""
    if there is None:
        return Step(what, name, Change.CREATE, act=write)
    found = tuple(differences(there, ours))
    if not found:
        return Step(what, name, Change.NONE)
    return Step(what, name, Change.UPDATE, found, write)


def show(steps: Iterable[Step]) -> list[Outcome]:
    """A dry run."""
    return [Outcome(s.what, s.name, s.change, _listed(s.differs)) for s in steps]


def run(steps: Iterable[Step]) -> list[Outcome]:
    """Do what is to be done. When Grafana is gone, what remains is left."""
    outcomes: list[Outcome] = []
    gone = False
    for item in steps:
        if item.act is None:
            outcomes.append(Outcome(item.what, item.name, item.change))
        elif gone:
            outcomes.append(Outcome(item.what, item.name, Change.LEFT, "Grafana is gone"))
        else:
            outcomes.append(_done(item))
            gone = outcomes[-1].detail.startswith(GrafanaUnreachable.__name__)
    return outcomes


def _done(item: Step) -> Outcome:
    assert item.act is not None
    try:
        item.act()
    except GrafanaUnreachable as error:
        detail = f"{GrafanaUnreachable.__name__}: {error}"
        return Outcome(item.what, item.name, Change.FAILED, detail)
    except GrafanaError as error:
        return Outcome(item.what, item.name, Change.FAILED, str(error))
    return Outcome(item.what, item.name, DONE[item.change], _listed(item.differs))


def _listed(differs: tuple[str, ...]) -> str:
    more = f"\n... and {len(differs) - _SHOWN} more" if len(differs) > _SHOWN else ""
    return "\n".join(differs[:_SHOWN]) + more


def differences(there: object, ours: object, path: str = "") -> Iterator[str]:
    """Where something is not as we set it. What Grafana adds (ids, versions) is no matter."""
    if isinstance(ours, dict) and isinstance(there, dict):
        for key, value in ours.items():
            yield from differences(there.get(key), value, f"{path}.{key}" if path else key)
    elif isinstance(ours, list) and isinstance(there, list):
        if len(there) != len(ours):
            yield f"{path}: {len(there)} there, {len(ours)} here"
        for i, (a, b) in enumerate(zip(there, ours, strict=False)):
            yield from differences(a, b, f"{path}[{_named(b, i)}]")
    elif _seconds(there) != _seconds(ours):
        yield f"{path}: {_short(there)} there, {_short(ours)} here"


def _named(item: object, place: int) -> str:
    """An element of a list by its title, where it has one."""
    if isinstance(item, dict):
        return str(next((item[k] for k in ("title", "name", "refId") if item.get(k)), place))
    return str(place)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _seconds(value: object) -> object:
    """A duration as seconds: Grafana writes 60s as 1m."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        return value
    hours, minutes, seconds = (int(n or 0) for n in match.groups())
    return hours * 3_600 + minutes * 60 + seconds
