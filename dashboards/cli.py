"""`popscope dashboards`: render, verify and publish Grafana dashboards."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from dashboards.errors import DashboardError
from dashboards.lint import lint
from dashboards.macros import TimeRange
from dashboards.render import RENDERED, check, render

url_option = click.option(
    "--url",
    envvar="GRAFANA_URL",
    required=True,
    help="Of Grafana, such as http://localhost:3000 (or GRAFANA_URL).",
)
token_option = click.option(
    "--token",
    envvar="GRAFANA_TOKEN",
    help="Of a service account (or GRAFANA_TOKEN, which keeps it out of the list of processes).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")


@contextmanager
def writing() -> Iterator[None]:
    """Files that cannot be written end a command with their name."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


@click.group()
def dashboards() -> None:
    """Render, verify and publish Grafana dashboards.

    The dashboards are generated; their JSON is in dashboards/rendered and can be imported as it
    is. They need Grafana 11.6 or newer and the ClickHouse data source 4.x.
    """


@dashboards.command("render")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 when stale.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=RENDERED,
    show_default="dashboards/rendered",
    help="Folder for the JSON files.",
)
def render_command(only_check: bool, output: Path) -> None:
    """Write the dashboards' JSON, or check that it is fresh and keeps the rules.

    \b
    Examples:
      popscope dashboards render
      popscope dashboards render --check
    """
    from dashboards.grafana import load_rendered

    try:
        if only_check:
            check(output)
        else:
            with writing():
                changed = render(output)
            for path in changed:
                click.echo(f"wrote {path.name}")
        for dashboard in load_rendered(output).values():
            lint(dashboard)
    except DashboardError as error:
        raise click.ClickException(str(error)) from error


@dashboards.command("verify")
@url_option
@token_option
@click.option(
    "--datasource", default="popscope-clickhouse", show_default=True, help="Uid of the data source."
)
@click.option("--minutes", default=30, show_default=True, help="Range of the queries, up to now.")
@json_option
def verify_command(
    url: str, token: str | None, datasource: str, minutes: int, as_json: bool
) -> None:
    """Check a Grafana: version, plugin, data source, and every query of every dashboard.

    Exit code 0: all queries run (some may have no rows); 1: something failed.

    \b
    Example:
      popscope dashboards verify --url http://localhost:3000 --token glsa_...
    """
    from dashboards.grafana import connect, load_rendered
    from dashboards.verify import verify

    now = int(time.time() * 1_000)
    span = TimeRange(now - minutes * 60_000, now, max(minutes * 60, 1_000))
    try:
        with connect(url, token) as grafana:
            found = verify(grafana, load_rendered(RENDERED), datasource, span)
    except DashboardError as error:
        raise click.ClickException(str(error)) from error
    show([asdict(f) for f in found], as_json)
    if any(f.state == "failed" for f in found):
        raise click.exceptions.Exit(1)


@dashboards.command("publish")
@url_option
@token_option
@json_option
def publish_command(url: str, token: str | None, as_json: bool) -> None:
    """Bring the dashboards into the folder Popscope of a Grafana. Can be run again at any time.

    \b
    Example:
      GRAFANA_TOKEN=glsa_... popscope dashboards publish --url http://localhost:3000
    """
    from dashboards.grafana import connect, load_rendered, publish

    try:
        with connect(url, token) as grafana:
            changes = publish(grafana, load_rendered(RENDERED))
    except DashboardError as error:
        raise click.ClickException(str(error)) from error
    show([asdict(c) for c in changes], as_json)


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows with the same keys as a table or as JSON."""
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    table = Table(*(rows[0] if rows else []), box=None)
    for row in rows:
        table.add_row(*(str(v) for v in row.values()))
    Console().print(table)
