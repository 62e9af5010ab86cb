"""Where the core's programs and libraries are: a build folder, or the system."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lb.errors import NotBuiltError

VARIABLE = "POPSCOPE_CORE_BUILD"
BUILD = Path(__file__).resolve().parents[1] / "build/core"
# Meson leaves what a sub-folder declares in a sub-folder.
_FOLDERS = ("", "core/base")
_LIBRARIES = (Path("/usr/local/lib"), Path("/usr/lib"))


def _build_folders() -> list[Path]:
    root = Path(os.environ.get(VARIABLE) or BUILD)
    return [root / folder for folder in _FOLDERS]


def _find(name: str, folders: list[Path]) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _missing(name: str) -> NotBuiltError:
    places = ", ".join(str(folder) for folder in _build_folders()[:1])
    return NotBuiltError(
        f"{name} is not in {places}, nor installed: run `make core` in a checkout, "
        f"or set {VARIABLE} to the meson build folder"
    )


def program(name: str) -> Path:
    """A program of the core. Raises NotBuiltError."""
    found = _find(name, _build_folders())
    installed = None if found else shutil.which(name)
    if installed:
        return Path(installed)
    if not found:
        raise _missing(name)
    return found


def library(name: str) -> Path:
    """A shared library of the core, `lib<name>.so`. Raises NotBuiltError."""
    file = f"lib{name}.so"
    found = _find(file, [*_build_folders(), *_LIBRARIES])
    if not found:
        raise _missing(file)
    return found
