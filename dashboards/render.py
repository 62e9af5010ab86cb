"""Writes the dashboards as JSON files, and tells whether the committed ones are those."""

from __future__ import annotations

from pathlib import Path

from dashboards import node
from dashboards.errors import StaleError
from dashboards.house import rendered
from dashboards.model import Board

RENDERED = Path(__file__).with_name("rendered")


def boards() -> dict[str, Board]:
    """File name and dashboard, of all there are."""
    return {"node.json": node.board()}


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
