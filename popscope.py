"""The command `popscope`: one face for the commands that the packages bring.

A package is imported only when one of its commands runs, so a node that exports needs no store.
"""

from __future__ import annotations

import click

from lb.lazy import LazyGroup

# command: (module, attribute, what the overview says of it)
COMMANDS = {
    "lb": ("lb.cli", "lb", "Run and configure the load balancer's core."),
    "export": ("exporters.cli", "export", "Serve a node's counters and ship them to the pipeline."),
    "top": ("exporters.top.cli", "top", "Watch this node's cores live in the terminal."),
    "pipeline": ("pipeline.cli", "pipeline", "Take frames in, keep them, answer SQL."),
    "ledger": ("pipeline.cli", "ledger", "Prove what became of every packet."),
    "sql": ("pipeline.cli", "sql", "Ask the store in SQL."),
    "doctor": ("pipeline.cli_doctor", "doctor", "Check a node's whole chain, and say what to do."),
    "dashboards": ("dashboards.cli", "dashboards", "Render and publish Grafana dashboards."),
    "alerts": ("alerts.cli", "alerts", "Render, test and publish alert rules."),
    "demo": ("tests.demo.cli", "demo", "Run the whole system on this machine (from a checkout)."),
    "bench": ("tests.bench.cli", "bench", "Measure it (from a checkout)."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
@click.version_option(package_name="popscope")
def main() -> None:
    """Popscope: a load balancer whose every packet is accounted for, from the wire to SQL."""
