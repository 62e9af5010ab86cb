"""Where an alert sends whoever it woke: the runbook and the dashboard."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.model import Alert
from dashboards.links import NODE_UID

# Labels that are variables of the dashboard.
VARIABLES = ("pop", "node", "instance", "lcore")


@dataclass(frozen=True, slots=True)
class Links:
    """Base addresses: of Grafana, and of the runbook (README.md of this package, published)."""

    grafana: str = "http://localhost:3000"
    runbook: str = "alerts/README.md"

    def dashboard(self, alert: Alert) -> str:
        """The dashboard with the alert's labels as its variables (a template)."""
        chosen = "".join(
            f"&var-{v}={{{{ $labels.{v} | urlquery }}}}" for v in VARIABLES if v in alert.linked
        )
        return f"{self.grafana.rstrip('/')}/d/{NODE_UID}?from=now-30m&to=now{chosen}"

    def runbook_of(self, alert: Alert) -> str:
        """The alert's heading in the runbook."""
        return f"{self.runbook}#{alert.anchor}"
