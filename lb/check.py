"""Validation of a configuration without a core, by the core's own code."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lb.built import program
from lb.core_client import parse_config
from lb.errors import ConfigError, LbError, Problem
from lb.maglev import Backend

PROGRAM = "popscope-core-check"


@dataclass(frozen=True, slots=True)
class Pool:
    name: str
    backends: tuple[Backend, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A valid configuration, defaults filled in."""

    generation: int
    maglev_size: int
    pools: tuple[Pool, ...]


def check(path: Path, generation: int = 0, ports: int = 0) -> Checked:
    """Validate a file. `generation` is the one in force; `ports` the core's, 0 if unknown.

    Raises ConfigError with every problem, NotBuiltError, LbError when the check itself fails.
    """
    argv = [str(program(PROGRAM)), str(path.absolute()), str(generation), str(ports)]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        answer: dict[str, Any] = json.loads(run.stdout)
        if answer["ok"]:
            return _checked(answer)
        problems = [Problem(e["path"], e["message"]) for e in answer["errors"]]
    except (ValueError, KeyError) as error:
        raise LbError(f"{PROGRAM} failed ({run.returncode}): {run.stderr.strip()}") from error
    raise ConfigError(problems)


def _checked(answer: dict[str, Any]) -> Checked:
    pools = tuple(
        Pool(
            pool["name"],
            tuple(Backend(b["name"], b["address"], b["weight"]) for b in pool["backends"]),
        )
        for pool in answer["pools"]
    )
    return Checked(answer["generation"], answer["maglev_size"], pools)


def read(path: Path) -> dict[str, Any]:
    """A configuration file as a document to apply. Raises ConfigError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("", f"{path}: {error}")]) from error
    return parse_config(text, str(path))
