"""Writes the dashboards as JSON files, and tells whether the committed ones are those."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from dashboards.boards import (
    backend,
    capacity,
    control,
    fleet,
    lcore,
    node,
    pipeline,
    pop,
    vip,
)
from dashboards.errors import StaleError
from dashboards.house import fitted, rendered
from dashboards.model import Board

RENDERED = Path(__file__).with_name("rendered")


BOARDS = (fleet, pop, node, lcore, vip, backend, control, pipeline, capacity)


@cache
def boards() -> dict[str, Board]:
    """File name and dashboard, of all there are, in the order of the way through them."""
    made = [fitted(module.board()) for module in BOARDS]
    return {f"{board.uid.removeprefix('popscope-')}.json": board for board in made}


def render(folder: Path = RENDERED) -> list[Path]:
    """Write every dashboard; returns the files that changed."""
    folder.mkdir(exist_ok=True)
    changed = []
    for name, board in boards().items():
        path, text = folder / name, rendered(board)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed


def check(folder: Path = RENDERED) -> None:
    """Raises StaleError when a file is missing, differs, or belongs to no dashboard."""
    wanted = {name: rendered(board) for name, board in boards().items()}
    found = {p.name: p.read_text() for p in folder.glob("*.json")}
    stale = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
    if stale:
        raise StaleError([f"dashboards/rendered/{n}" for n in stale], "popscope dashboards render")
