"""`popscope dashboards`: render, push, pull, diff and verify Grafana dashboards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from dashboards.errors import DashboardError
from dashboards.lint import lint
from dashboards.macros import TimeRange
from dashboards.render import PROMETHEUS_FOLDER, RENDERED, check, render

if TYPE_CHECKING:
    from dashboards.grafana import Grafana
    from dashboards.reconcile import Step

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
dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
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
    """Render Grafana dashboards, push them into a Grafana, and verify them there.

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
        folders = (output, output / PROMETHEUS_FOLDER)
        written = [d for folder in folders for d in load_rendered(folder).values()]
        for dashboard in written:
            lint(dashboard, frozenset(d["uid"] for d in written))
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


@dashboards.command("push")
@url_option
@token_option
@click.option(
    "--clickhouse",
    metavar="URL",
    help="Make the data source too: http://HOST:8123, or native://HOST:9000 for a server.",
)
@click.option("--clickhouse-user", default="default", show_default=True, help="Its user.")
@click.option(
    "--clickhouse-password", envvar="POPSCOPE_SQL_PASSWORD", default="", help="Its password."
)
@click.option("--prometheus", is_flag=True, help="The dashboard for Prometheus, too.")
@click.option("--prune/--no-prune", default=True, help="Delete dashboards that are ours no longer.")
@dry_run_option
@json_option
def push_command(
    url: str,
    token: str | None,
    clickhouse: str | None,
    clickhouse_user: str,
    clickhouse_password: str,
    prometheus: bool,
    prune: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring folder, data source and dashboards into a Grafana. Can be run again at any time.

    What is as it should be is left alone. A dashboard that somebody saves in the meantime is not
    overwritten. One that fails does not end the others. Exit code 1 when something is left to do.

    \b
    Examples:
      popscope dashboards push --url http://localhost:3000 --dry-run
      GRAFANA_TOKEN=glsa_... popscope dashboards push --url http://localhost:3000 --clickhouse http://127.0.0.1:8123
    """
    from dashboards.grafana import load_rendered
    from dashboards.push import Source, plan

    source = Source(clickhouse, clickhouse_user, clickhouse_password) if clickhouse else None
    rendered = load_rendered(RENDERED)
    if prometheus:
        rendered |= {"prometheus.json": load_rendered(RENDERED / PROMETHEUS_FOLDER)["node.json"]}
    apply(url, token, dry_run, as_json, lambda grafana: plan(grafana, rendered, source, prune))


@dashboards.command("diff")
@url_option
@token_option
@json_option
def diff_command(url: str, token: str | None, as_json: bool) -> None:
    """Show where the dashboards in a Grafana differ from ours. Exit code 1 when they do.

    \b
    Example:
      popscope dashboards diff --url http://localhost:3000
    """
    from dashboards.grafana import connect, load_rendered
    from dashboards.push import plan
    from dashboards.reconcile import Change
    from dashboards.reconcile import show as shown

    try:
        with connect(url, token) as grafana:
            steps = plan(grafana, load_rendered(RENDERED), None, prune=True)
    except DashboardError as error:
        raise click.ClickException(str(error)) from error
    show([asdict(o) for o in shown(s for s in steps if s.change is not Change.NONE)], as_json)
    if any(s.change is not Change.NONE for s in steps):
        raise click.exceptions.Exit(1)


@dashboards.command("pull")
@url_option
@token_option
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="A folder."
)
def pull_command(url: str, token: str | None, output: Path) -> None:
    """Write the dashboards as they are in a Grafana, to compare or to keep what somebody changed.

    \b
    Example:
      popscope dashboards pull --url http://localhost:3000 --output pulled
    """
    from dashboards.grafana import connect, load_rendered
    from dashboards.house import text
    from dashboards.push import pull

    try:
        with connect(url, token) as grafana:
            found = pull(grafana, load_rendered(RENDERED))
    except DashboardError as error:
        raise click.ClickException(str(error)) from error
    with writing():
        output.mkdir(parents=True, exist_ok=True)
        for name, tree in found.items():
            (output / name).write_text(text(tree))
            click.echo(f"wrote {name}")


def apply(
    url: str,
    token: str | None,
    dry_run: bool,
    as_json: bool,
    planned: Callable[[Grafana], list[Step]],
) -> None:
    """Plan and run steps on a Grafana, or only show them; exit code 1 when something is left."""
    from dashboards import reconcile
    from dashboards.grafana import connect

    try:
        with connect(url, token) as grafana:
            steps = planned(grafana)
            outcomes = reconcile.show(steps) if dry_run else reconcile.run(steps)
    except DashboardError as error:
        raise click.ClickException(str(error)) from error
    show([asdict(o) for o in outcomes], as_json)
    bad = [o for o in outcomes if o.is_bad]
    if bad:
        left = ", ".join(f"{o.what} {o.name}" for o in bad)
        raise click.ClickException(f"left to do: {left}")
    if not as_json and all(s.change is reconcile.Change.NONE for s in steps):
        click.echo("nothing to change")


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows with the same keys as a table or as JSON."""
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    table = Table(*(rows[0] if rows else []), box=None)
    for row in rows:
        table.add_row(*(str(v) for v in row.values()))
    Console().print(table)
