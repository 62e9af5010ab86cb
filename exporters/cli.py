"""`popscope export`: run the exporter, check its configuration, look into segments and spools."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import sys
from pathlib import Path
from typing import Any

import click

from exporters import config as configuration
from exporters.credentials import Credentials
from exporters.errors import ConfigError, ExporterError

EXIT_CONFIG, EXIT_FAILED, EXIT_LAW = 2, 1, 3
CONFIG = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file. Without it: defaults and environment variables.",
)


@click.group()
def export() -> None:
    """Serve a node's counters and ship them to the pipeline.

    The exporter reads the statistics segments of the load balancer's cores on this machine,
    serves them on /metrics (Prometheus text and OpenMetrics), and puts what was counted in every
    interval into a spool on disk, from which it goes to the pipeline exactly once.
    """


def _load(path: Path | None) -> configuration.Config:
    try:
        settings = configuration.load(path)
        credentials = Credentials(settings.pipeline)
        credentials.headers()
        credentials.tls()
        return settings
    except ConfigError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_CONFIG)


@export.command()
@CONFIG
@click.option("--check", is_flag=True, help="Check the configuration and exit.")
def run(path: Path | None, check: bool) -> None:
    """Run the exporter until SIGTERM or SIGINT.

    It may start before the cores, and survives their restarts. One exporter a spool.

    \b
    Examples:
      popscope export run --config /etc/popscope/export.toml
      POPSCOPE_EXPORT_POP=fra1 POPSCOPE_EXPORT_SPOOL_DIRECTORY=./spool popscope export run

    \b
    Exit status: 0 stopped in order, 1 failed (spool in use, port taken), 2 bad configuration.
    """
    settings = _load(path)
    if check:
        click.echo("the configuration is good")
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    from exporters.service import Exporter

    try:
        asyncio.run(Exporter(settings).run())
    except ExporterError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)


@export.command()
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(path: Path | None, as_json: bool) -> None:
    """Check the configuration, and print it as it would be used.

    \b
    Example:
      popscope export check --config /etc/popscope/export.toml

    Exit status: 0 good, 2 bad; then what is wrong stands on standard error.
    """
    raw = dataclasses.asdict(_load(path))
    if raw["pipeline"]["token"]:
        raw["pipeline"]["token"] = "***"
    if as_json:
        click.echo(json.dumps(raw, default=str))
        return
    for key, value in raw.items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        for name, item in pairs:
            click.echo(f"{key}{'.' if name else ''}{name} = {_plain(item)}")


@export.command()
@click.argument("run_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--all", "zeros", is_flag=True, help="Show counters that are 0, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(run_dir: Path, zeros: bool, as_json: bool) -> None:
    """Print the counters of an instance as they are in shared memory now, and the ledger law.

    RUN_DIR is the instance's folder, such as /run/popscope/a. Nothing is changed; a running
    exporter is not disturbed.

    \b
    Examples:
      popscope export show /run/popscope/a
      popscope export show /run/popscope/a --json | jq '.[0].ledger'

    \b
    Exit status: 0, 1 no segment could be read, 3 the law does not hold in some row.
    """
    from exporters import show as shows

    try:
        readings = shows.read(run_dir)
    except ExporterError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)
    if as_json:
        click.echo(json.dumps([shows.to_json(r) for r in readings]))
    else:
        shows.print_tables(readings, zeros)
    if any(map(shows.violations, readings)):
        click.echo("error: the ledger law does not hold; see the column residual", err=True)
        sys.exit(EXIT_LAW)


@export.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--frames", "each", is_flag=True, help="List every frame.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def spool(directory: Path, each: bool, as_json: bool) -> None:
    """Look into a spool: its files, what waits, what is damaged. Changes nothing.

    \b
    Examples:
      popscope export spool /var/lib/popscope/spool
      popscope export spool /var/lib/popscope/spool --frames --json

    Exit status: 0, 1 the spool cannot be read or holds damage.
    """
    from exporters import show as shows

    try:
        raw = shows.inspect_spool(directory, each)
    except ExporterError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)
    if as_json:
        click.echo(json.dumps(raw))
    else:
        shows.print_spool(raw)
    sys.exit(EXIT_FAILED if raw["damaged"] else 0)


def _plain(value: Any) -> str:
    return ":".join(map(str, value)) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    export()
