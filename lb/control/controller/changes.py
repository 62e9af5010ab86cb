"""Changes to the catalog: checked as a whole, before anything is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from lb.control.controller.catalog import Catalog, Id
from lb.control.desired import dump
from lb.control.errors import RefusedError
from lb.control.model.base import NAME_PATTERN, Spec
from lb.control.model.resources import KINDS, Owned
from lb.errors import Problem


@dataclass(frozen=True, slots=True)
class Wanted:
    """One resource as someone wants it; a spec of None removes it. `place` is in the request.

    `if_version`: it must have this version (0: must not exist) or the change is refused.
    """

    kind: str
    name: str
    spec: Mapping[str, Any] | None
    place: str = ""
    if_version: int | None = None

    @property
    def id(self) -> Id:
        return self.kind, self.name


@dataclass(frozen=True, slots=True)
class Edit:
    """What a change does to a resource."""

    action: Literal["create", "modify", "delete"]
    id: Id
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        kind, name = self.id
        shown = {"action": self.action, "kind": kind, "name": name}
        return {**shown, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Staged:
    """Checked changes: the catalog with them, and those that change something."""

    catalog: Catalog
    edits: tuple[Edit, ...]
    pops: frozenset[str]


def parse(wanted: Sequence[Wanted]) -> dict[Id, Spec | None]:
    """Raises RefusedError with every mistake and its place."""
    parsed: dict[Id, Spec | None] = {}
    problems = []
    for want in wanted:
        if want.id in parsed:
            problems.append(Problem(want.place, f"{want.kind} {want.name!r} is there twice"))
        parsed[want.id] = None
        if want.spec is None:
            continue
        try:
            parsed[want.id] = KINDS[want.kind].model_validate(want.spec)
        except ValidationError as error:
            problems += [
                Problem(f"{want.place}{pointer(e['loc'])}", e["msg"]) for e in error.errors()
            ]
    if problems:
        raise RefusedError(422, problems)
    return parsed


def pointer(loc: tuple[int | str, ...]) -> str:
    """A place in a document as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in loc)


def stage(catalog: Catalog, wanted: Sequence[Wanted], tenant: str = "") -> Staged:
    """Check changes against all that is there. Raises RefusedError. `tenant`: whose they are."""
    parsed = parse(wanted)
    _check_versions(catalog, wanted)
    changes = {id_: spec for id_, spec in parsed.items() if _differs(catalog, id_, spec)}
    after = catalog.with_changes(changes, catalog.revision + 1)
    places = {want.id: want.place for want in wanted}
    problems = [
        problem for id_ in parsed for problem in _problems(catalog, after, id_, places[id_], tenant)
    ]
    if problems:
        raise RefusedError(_status(problems), [problem for _, problem in problems])
    pops = {pop for id_ in changes for c in (catalog, after) for pop in c.pops_of(id_)}
    edits = tuple(_edit(catalog, after, id_) for id_ in changes)
    return Staged(after, edits, frozenset(pops))


def _differs(catalog: Catalog, id_: Id, spec: Spec | None) -> bool:
    before = catalog.get(id_)
    if before is None:
        return spec is not None
    return spec is None or dump(spec) != before.document


def _edit(before: Catalog, after: Catalog, id_: Id) -> Edit:
    old, new = before.get(id_), after.get(id_)
    action: Literal["create", "modify", "delete"] = (
        "create" if old is None else "delete" if new is None else "modify"
    )
    return Edit(action, id_, old.document if old else None, new.document if new else None)


def _check_versions(catalog: Catalog, wanted: Sequence[Wanted]) -> None:
    problems = []
    for want in wanted:
        found = catalog.get(want.id)
        version = found.version if found else 0
        if want.if_version is not None and version != want.if_version:
            has = f"has version {version}" if found else "does not exist"
            text = f"{want.kind} {want.name!r} {has}, not {want.if_version}: read it again"
            problems.append(Problem(want.place, text))
    if problems:
        raise RefusedError(412, problems)


Judged = tuple[int, Problem]


def _status(problems: Sequence[Judged]) -> int:
    statuses = {status for status, _ in problems}
    return next(status for status in (403, 409, 422) if status in statuses)


def _problems(before: Catalog, after: Catalog, id_: Id, place: str, tenant: str) -> list[Judged]:
    kind, name = id_
    old, new = before.get(id_), after.get(id_)
    if old is None and new is None:
        return [(409, Problem(place, f"there is no {kind} {name!r}"))]
    owners = {c.tenant_of(r) for c, r in ((before, old), (after, new)) if r is not None}
    if tenant and owners != {tenant}:
        text = f"{kind} {name!r} does not belong to the tenant {tenant!r}"
        return [(403, Problem(place, text))]
    if new is None:
        users = ", ".join(f"{k} {n!r}" for k, n in sorted(after.named_by(id_))[:5])
        text = f"{kind} {name!r} is used by {users}: change or remove them first"
        return [(409, Problem(place, text))] if users else []
    return [(422, problem) for problem in _bad_references(after, id_, place)]


def _bad_references(after: Catalog, id_: Id, place: str) -> list[Problem]:
    resource = after.get(id_)
    assert resource is not None
    problems = []
    mine = after.tenant_of(resource)
    for at, kind, name in resource.spec.references():
        target = after.get((kind, name))
        if target is None:
            text = f"there is no {kind} {name!r}: make it first, or in the same request"
            problems.append(Problem(place + at, text))
        elif isinstance(target.spec, Owned) and target.tenant not in ("", mine):
            problems.append(Problem(place + at, f"{kind} {name!r} is another tenant's"))
    return problems


def from_file(document: Any) -> list[Wanted]:
    """The resources of a declarative file: {"resources": [{"kind", "name", "spec"}, ...]}.

    Raises RefusedError.
    """
    listed = document.get("resources") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise RefusedError(400, [Problem("/resources", "must be an array")])
    problems, wanted = [], []
    for i, entry in enumerate(listed):
        place = f"/resources/{i}"
        if not isinstance(entry, dict) or set(entry) != {"kind", "name", "spec"}:
            problems.append(Problem(place, "must be an object of kind, name and spec"))
        elif entry["kind"] not in KINDS:
            kinds = ", ".join(KINDS)
            problems.append(Problem(f"{place}/kind", f"{entry['kind']!r} is none of {kinds}"))
        elif not valid_name(entry["name"]):
            problems.append(Problem(f"{place}/name", NAME_RULE))
        else:
            spec = entry["spec"] if isinstance(entry["spec"], dict) else {"": entry["spec"]}
            wanted.append(Wanted(entry["kind"], entry["name"], spec, f"{place}/spec"))
    if problems:
        raise RefusedError(422, problems)
    return wanted


NAME_RULE = "must be 1 to 63 letters, digits, dots, underscores or hyphens"


def valid_name(name: Any) -> bool:
    """Whether it may name a resource."""
    return isinstance(name, str) and re.fullmatch(NAME_PATTERN, name) is not None
