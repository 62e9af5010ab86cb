"""The errors of the package.

* AlertError
  - RuleError
  - StaleError
  - ScenarioError
  - ToolError
"""

from __future__ import annotations


class AlertError(Exception):
    """Base of every error that this package raises on purpose."""


class RuleError(AlertError):
    """A file of rules breaks a rule; the text names the file, the alert and what is wrong."""


class StaleError(AlertError):
    """Committed files differ from what the rules render; `paths` names them."""

    def __init__(self, paths: list[str], command: str) -> None:
        self.paths = paths
        super().__init__(f"stale: {', '.join(paths)}; run `{command}`")


class ScenarioError(AlertError):
    """A scenario cannot be played; the text names it and what is wrong with it."""


class ToolError(AlertError):
    """A program of Prometheus is missing or failed; the text says which, and what to install."""
