"""The errors of the package.

* DashboardError
  - StaleError
  - LintError
  - MacroError
  - FrameError
  - GrafanaError
    - GrafanaUnreachable
"""

from __future__ import annotations


class DashboardError(Exception):
    """Base of every error that this package raises on purpose."""


class StaleError(DashboardError):
    """Committed files differ from what the code renders; `paths` names them."""

    def __init__(self, paths: list[str], command: str) -> None:
        self.paths = paths
        super().__init__(f"stale: {', '.join(paths)}; run `{command}`")


class LintError(DashboardError):
    """A dashboard breaks rules; `problems` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class MacroError(DashboardError):
    """A query uses a macro or a variable that the datasource would not expand."""


class FrameError(DashboardError):
    """The datasource or an alert rule would refuse the shape of a query's result."""


class GrafanaError(DashboardError):
    """Grafana refused a request; the text says which and why."""


class GrafanaUnreachable(GrafanaError):
    """No answer from Grafana's address."""
