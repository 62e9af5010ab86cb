"""That a boot was counted, and by which stream: noted beside its segment as `counted-<boot id>`.

A spool that is lost takes with it what it knew of boots that live on. The note lives as long as the
segment does, and tells the next spool that this boot was counted: it must begin with what the
segment holds then, or what is stored would count twice.
"""

from __future__ import annotations

import os
from pathlib import Path

from exporters.segment import PREFIX

NAME = "counted-"


def path_of(segment: Path) -> Path:
    return segment.with_name(NAME + segment.name.removeprefix(PREFIX))


def write(segment: Path, stream: int) -> None:
    """Note it, and clear away notes whose segment is gone. Raises OSError."""
    for note in segment.parent.glob(NAME + "*"):
        if not note.with_name(PREFIX + note.name.removeprefix(NAME)).exists():
            note.unlink(missing_ok=True)
    _replace(path_of(segment), f"{stream:016x}\n")


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)
