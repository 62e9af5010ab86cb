"""The core's own validation of what nodes would get, before a change is written."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from lb import check
from lb.control.controller.catalog import Catalog
from lb.control.controller.changes import Staged
from lb.control.desired import Desired
from lb.control.errors import RefusedError
from lb.errors import ConfigError, Problem

# A change that concerns more PoPs is checked with a node of so many of them: PoPs differ in their
# own addresses only, and each core checks again before it takes anything.
POPS_MAX = 8
_ELEMENT = re.compile(r"^/(pools|listeners|lists)/(\d+)(?:/backends/(\d+))?")
_KINDS = {"pools": "pool", "listeners": "listener", "lists": "list"}


def check_nodes(staged: Staged) -> None:
    """Raises RefusedError with what a core would refuse, and NotBuiltError."""
    problems: list[Problem] = []
    for pop in sorted(staged.pops)[:POPS_MAX]:
        for node in staged.catalog.nodes_of(pop)[:1]:
            problems += _check(staged.catalog, node)
    if problems:
        raise RefusedError(422, problems)


def _check(catalog: Catalog, node: str) -> list[Problem]:
    document = Desired(node, catalog.state_of(node)).document(1, {})
    with tempfile.TemporaryDirectory(prefix="popscope-controller-") as folder:
        path = Path(folder) / "node.json"
        path.write_text(json.dumps(document))
        try:
            check.check(path)
        except ConfigError as error:
            return [_named(problem, document, node) for problem in error.problems]
    return []


def _named(problem: Problem, document: dict[str, Any], node: str) -> Problem:
    """A problem in a node's document, by the resource that is the cause."""
    found = _ELEMENT.match(problem.path)
    if found is None:
        return Problem("", f"node {node!r}: {problem.path}: {problem.message}")
    element = document[found[1]][int(found[2])]
    kind, name = _KINDS[found[1]], element["name"]
    if found[3] is not None:
        kind, name = "member", element["backends"][int(found[3])]["name"]
    rest = problem.path[found.end() :]
    return Problem("", f"{kind} {name!r}{rest and ': '}{rest}: {problem.message} (node {node!r})")
