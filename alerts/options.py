"""Options that several commands have."""

from __future__ import annotations

import click

from alerts.links import Links

grafana_option = click.option(
    "--grafana-url",
    default=Links().grafana,
    show_default=True,
    help="Base of the dashboard links in the alerts.",
)
runbook_option = click.option(
    "--runbook-url",
    default=Links().runbook,
    show_default=True,
    help="Where alerts/README.md is published; alerts link to its headings.",
)
