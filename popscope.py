"""The command `popscope`: one face for the commands that the packages bring.

A package is imported only when one of its commands runs, so a node that exports needs no store.
"""

from __future__ import annotations

import importlib

import click

# command: (module, attribute, what the overview says of it)
COMMANDS = {
    "lb": ("lb.cli", "lb", "Run and configure the load balancer's core."),
    "export": ("exporters.cli", "export", "Serve a node's counters and ship them to the pipeline."),
    "top": ("exporters.top.cli", "top", "Watch this node's cores live in the terminal."),
    "pipeline": ("pipeline.cli", "pipeline", "Take frames in, keep them, answer SQL."),
    "ledger": ("pipeline.cli", "ledger", "Prove what became of every packet."),
    "sql": ("pipeline.cli", "sql", "Ask the store in SQL."),
    "dashboards": ("dashboards.cli", "dashboards", "Render and publish Grafana dashboards."),
    "alerts": ("alerts.cli", "alerts", "Render, test and publish alert rules."),
    "demo": ("tests.demo.cli", "demo", "Run the whole system on this machine (from a checkout)."),
    "bench": ("tests.bench.cli", "bench", "Measure it (from a checkout)."),
}


class Commands(click.Group):
    """A group that imports a command's package when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"`popscope {cmd_name}` needs the module {error.name}, which is not installed "
                "here: install popscope[all], or run `make setup` in a checkout"
            ) from error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.command(cls=Commands)
@click.version_option(package_name="popscope")
def main() -> None:
    """Popscope: a load balancer whose every packet is accounted for, from the wire to SQL."""
