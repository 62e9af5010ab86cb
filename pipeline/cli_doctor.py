"""`popscope doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from exporters import config as exporter_config
from exporters.errors import ConfigError
from pipeline import doctor as checks
from pipeline.cli_ask import URL
from pipeline.ledger.source import HttpSource

_COLOURS = {checks.OK: "green", checks.WARN: "yellow", checks.FAIL: "bold red", checks.SKIP: "dim"}
EXIT_BROKEN, EXIT_CONFIG = 1, 2


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The exporter's TOML file; without it defaults and POPSCOPE_EXPORT_*, as the exporter.",
)
@click.option(
    "--sql-url",
    envvar="POPSCOPE_SQL_URL",
    default=URL,
    show_default=True,
    help="The pipeline's SQL port.",
)
@click.option("--user", envvar="POPSCOPE_SQL_USER", default="", help="User of it, if any.")
@click.option(
    "--password",
    envvar="POPSCOPE_SQL_PASSWORD",
    default="",
    help="Password, or a token for reading. Better given as POPSCOPE_SQL_PASSWORD.",
)
@click.option("--json", "as_json", is_flag=True, help="One object: ok, and the checks.")
def doctor(path: Path | None, sql_url: str, user: str, password: str, as_json: bool) -> None:
    """Check a node's whole chain: segments, exporter, spool, ingest, store, watermark, rollups.

    Each check says what it saw, and what to do. Nothing is changed.

    \b
    Examples:
      popscope doctor --config /etc/popscope/export.toml
      popscope doctor --sql-url http://pipeline:8123 --json
    Exits with 0 all is well (or there are warnings), 1 a link is broken, 2 a wrong configuration.
    """
    try:
        config = exporter_config.load(path)
    except ConfigError as error:
        click.echo(f"error: {error}", err=True)
        raise click.exceptions.Exit(EXIT_CONFIG) from error
    found = []
    console = Console(soft_wrap=True)
    for finding in checks.Doctor(config, HttpSource(sql_url, user, password, 30.0)).examine():
        found.append(finding)
        if as_json:
            continue
        state = f"[{_COLOURS[finding.state]}]{finding.state:4}[/]"
        console.print(f"{state} {escape(finding.check)}: {escape(finding.evidence)}")
        if finding.remedy:
            console.print(f"     {escape(finding.remedy)}")
    broken = any(finding.state == checks.FAIL for finding in found)
    if as_json:
        click.echo(json.dumps({"ok": not broken, "checks": [asdict(f) for f in found]}))
    if broken:
        raise click.exceptions.Exit(EXIT_BROKEN)
