"""The errors of the package.

* LbError
  - CatalogueError
  - ConfigError
  - ControlError
  - EvidenceError
  - MaglevError
  - MatchError
  - NotBuiltError
  - RunError
"""

from __future__ import annotations

from dataclasses import dataclass


class LbError(Exception):
    """Base of every error that this package raises on purpose."""


class CatalogueError(LbError):
    """An entry of the counter catalogue breaks a rule; the text names the entry and the rule."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration: a JSON pointer (RFC 6901) and what is wrong there."""

    path: str
    message: str


class ConfigError(LbError):
    """A core refused a configuration, with every problem found; nothing was changed."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.path}: {p.message}" for p in problems))


class ControlError(LbError):
    """A core's control socket cannot be reached, or answered out of protocol."""


class EvidenceError(LbError):
    """An evidence file cannot be read; the text says what is wrong where."""


class MaglevError(LbError):
    """A Maglev table cannot be built from what was given; the text says why."""


class MatchError(LbError):
    """An expression that chooses packets is wrong; the text names the word."""


class NotBuiltError(LbError):
    """A program or library of the core is not there; the text says how to build it."""


class RunError(LbError):
    """A core cannot be started with these options on this machine; the text says what to do."""
