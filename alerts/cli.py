"""`popscope alerts`: render, test and publish alert rules."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path

import click

from alerts.errors import AlertError, RuleError, ToolError
from alerts.links import Links
from alerts.model import load
from alerts.render import PROMETHEUS, RENDERED, check, render
from dashboards.cli import json_option, show, token_option, url_option, writing
from dashboards.errors import DashboardError

TESTS = Path(__file__).resolve().parents[1] / "tests" / "alerts"
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


@click.group()
def alerts() -> None:
    """Render, test and publish alert rules for Prometheus and for Grafana.

    Rules are data in alerts/rules, one file an area; alerts/README.md is the runbook.
    """


@alerts.command("render")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 when stale.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=RENDERED,
    show_default="alerts/rendered",
    help="Folder for the files.",
)
@grafana_option
@runbook_option
def render_command(only_check: bool, output: Path, grafana_url: str, runbook_url: str) -> None:
    """Write the rule file of Prometheus and the rule groups of Grafana.

    \b
    Examples:
      popscope alerts render
      popscope alerts render --output /etc/prometheus/rules --grafana-url https://grafana.example.net
      popscope alerts render --check
    """
    try:
        if only_check:
            check(output)
            return
        with writing():
            changed = render(output, Links(grafana_url, runbook_url))
        for path in changed:
            click.echo(f"wrote {path.name}")
    except AlertError as error:
        raise click.ClickException(str(error)) from error


@alerts.command("test")
@click.option("--promtool/--no-promtool", default=True, help="Run tests/alerts/*.test.yml.")
@click.option("--sql/--no-sql", default=True, help="Run the SQL scenarios on an embedded store.")
@json_option
def test_command(promtool: bool, sql: bool, as_json: bool) -> None:
    """Test the rules: promtool's unit tests, and the SQL rules on data that must and must not fire.

    Works from a checkout. Exit code 1 when a test fails.

    \b
    Example:
      popscope alerts test --no-promtool
    """
    from alerts.prometheus import run_tool

    if not (promtool or sql):
        raise click.UsageError("nothing is left to test: give one of --promtool and --sql")
    rows = []
    try:
        check()
        if promtool:
            run_tool(["promtool", "check", "rules", str(RENDERED / PROMETHEUS)])
            for path in _unit_tests():
                run_tool(["promtool", "test", "rules", str(path)])
                rows.append({"alert": "promtool", "scenario": path.name, "result": "ok"})
        rows += _sql_rows() if sql else []
    except (AlertError, DashboardError) as error:
        raise click.ClickException(str(error)) from error
    show(rows, as_json)
    if any(row["result"] != "ok" for row in rows):
        raise click.exceptions.Exit(1)


def _unit_tests() -> list[Path]:
    if not (found := sorted(TESTS.glob("*.test.yml"))):
        raise ToolError("tests/alerts is not here: run it from a checkout, or with --no-promtool")
    return found


def _sql_rows() -> list[dict[str, str]]:
    from alerts.scenarios import run_all

    return [
        {"alert": o.alert, "scenario": o.scenario, "result": o.problem or "ok"}
        for o in run_all(load())
    ]


@alerts.command("configure")
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    metavar="HOST:PORT=POP/NODE",
    help="An exporter, and the node on which it runs; once for each.",
)
@click.option("--webhook", required=True, help="URL that Alertmanager posts alerts to.")
@click.option(
    "--scrape-seconds",
    default=15,
    show_default=True,
    type=click.IntRange(1, 20),
    help="Time between two scrapes.",
)
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="A folder."
)
@grafana_option
@runbook_option
def configure_command(
    targets: tuple[str, ...],
    webhook: str,
    scrape_seconds: int,
    output: Path,
    grafana_url: str,
    runbook_url: str,
) -> None:
    """Write a Prometheus and an Alertmanager configuration with the rules; print how to start them.

    \b
    Example:
      popscope alerts configure --target 127.0.0.1:9109=ams/ams-d1 \\
        --webhook http://127.0.0.1:8000/alerts --output watch
    """
    from alerts.prometheus import Watch, target, write

    try:
        watch = Watch(
            targets=tuple(target(t) for t in targets),
            webhook=webhook,
            scrape_seconds=scrape_seconds,
            links=Links(grafana_url, runbook_url),
        )
    except RuleError as error:
        raise click.UsageError(str(error)) from error
    with writing():
        commands = write(output, watch)
    for line in (commands.prometheus, commands.alertmanager):
        click.echo(shlex.join(line))


@alerts.command("publish")
@url_option
@token_option
@click.option(
    "--datasource", default="popscope-clickhouse", show_default=True, help="Uid of the data source."
)
@click.option(
    "--grafana-url",
    help="Base of the dashboard links in the alerts, where it is not --url.",
)
@runbook_option
@json_option
def publish_command(
    url: str,
    token: str | None,
    datasource: str,
    grafana_url: str | None,
    runbook_url: str,
    as_json: bool,
) -> None:
    """Bring the rule groups into the folder Popscope of a Grafana. Can be run again at any time.

    \b
    Example:
      GRAFANA_TOKEN=glsa_... popscope alerts publish --url http://localhost:3000
    """
    from alerts.grafana import groups
    from alerts.publish import publish
    from dashboards.grafana import connect

    try:
        tree = groups(load(), Links(grafana_url or url, runbook_url))
        with connect(url, token) as grafana:
            changes = publish(grafana, tree, datasource)
    except (AlertError, DashboardError) as error:
        raise click.ClickException(str(error)) from error
    show([asdict(c) for c in changes], as_json)
