"""Writes the dashboards as JSON files, and tells whether the committed ones are those."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from dashboards import recording
from dashboards.boards import (
    backend,
    capacity,
    control,
    fleet,
    lcore,
    node,
    pipeline,
    pop,
    prometheus,
    vip,
)
from dashboards.errors import StaleError
from dashboards.house import fitted, rendered
from dashboards.model import Board

RENDERED = Path(__file__).with_name("rendered")
PROMETHEUS_FOLDER = "prometheus"


BOARDS = (fleet, pop, node, lcore, vip, backend, control, pipeline, capacity)


@cache
def boards() -> dict[str, Board]:
    """File name and dashboard, of all there are, in the order of the way through them."""
    made = [fitted(module.board()) for module in BOARDS]
    return {f"{board.uid.removeprefix('popscope-')}.json": board for board in made}


def files() -> dict[str, str]:
    """Path in the folder, and text, of all that is rendered: also the set for Prometheus."""
    made = {name: rendered(board) for name, board in boards().items()}
    return made | {
        f"{PROMETHEUS_FOLDER}/node.json": rendered(prometheus.board()),
        f"{PROMETHEUS_FOLDER}/recording.rules.yml": recording.rendered(),
    }


def render(folder: Path = RENDERED) -> list[Path]:
    """Write every file; returns those that changed."""
    (folder / PROMETHEUS_FOLDER).mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in files().items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed


def check(folder: Path = RENDERED) -> None:
    """Raises StaleError when a file is missing, differs, or belongs to no dashboard."""
    wanted = files()
    found = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*.*") if p.is_file()}
    stale = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
    if stale:
        raise StaleError([f"dashboards/rendered/{n}" for n in stale], "popscope dashboards render")
