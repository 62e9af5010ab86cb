"""Where an alert sends whoever it woke: the panel that explains it, and the runbook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from alerts.errors import RuleError
from alerts.model import Alert
from dashboards.model import Board
from dashboards.render import boards


@dataclass(frozen=True, slots=True)
class Links:
    """Base addresses: of Grafana, and of the runbook (README.md of this package, published)."""

    grafana: str = "http://localhost:3000"
    runbook: str = "https://wiki.example.net/popscope/alerts/README.md"

    def __post_init__(self) -> None:
        """Raises RuleError for an address that a browser could not open from a message."""
        for name, url in (("Grafana", self.grafana), ("the runbook", self.runbook)):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise RuleError(f"the address of {name}, {url!r}, must be like https://HOST/PATH")

    def dashboard(self, alert: Alert) -> str:
        """The panel, with the alert's labels as the dashboard's variables (a template)."""
        known = {v.name for v in by_uid()[alert.board].variables}
        chosen = "".join(
            f"&var-{name}={{{{ $labels.{name} | urlquery }}}}"
            for name in alert.labels
            if name in known
        )
        return (
            f"{self.grafana.rstrip('/')}/d/{alert.board}"
            f"?from=now-{alert.range}&to=now{chosen}&viewPanel={alert.panel}"
        )

    def runbook_of(self, alert: Alert) -> str:
        """The alert's heading in the runbook."""
        return f"{self.runbook}#{alert.anchor}"


@cache
def by_uid() -> Mapping[str, Board]:
    """Every dashboard by its uid."""
    return {board.uid: board for board in boards().values()}


def texts(alert: Alert, links: Links) -> dict[str, str]:
    """The texts and links of an alert, as templates of Prometheus."""
    return {
        "summary": alert.summary,
        "description": alert.description,
        "dashboard_url": links.dashboard(alert),
        "runbook_url": links.runbook_of(alert),
    }
