"""`popscope alerts`: render, test and push alert rules."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent
from typing import TYPE_CHECKING

import click

from alerts.errors import AlertError, RuleError
from alerts.links import Links
from alerts.model import Alert, load, named
from alerts.render import RENDERED, check, render
from dashboards.cli import (
    apply,
    dry_run_option,
    json_option,
    show,
    token_option,
    url_option,
    writing,
)
from dashboards.errors import DashboardError
from pipeline.errors import StoreError

if TYPE_CHECKING:
    from alerts.play import Outcome

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
    """Render, test and push alert rules for Prometheus and for Grafana.

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


@alerts.command("list")
@click.option("--area", help="Only the rules of this area, such as dataplane.")
@json_option
def list_command(area: str | None, as_json: bool) -> None:
    """List the rules: area, severity, forms, and the question that each one asks.

    \b
    Examples:
      popscope alerts list
      popscope alerts list --area services --json
    """
    found = [a for a in load() if area in (None, a.area)]
    if not found:
        areas = ", ".join(dict.fromkeys(a.area for a in load()))
        raise click.UsageError(f"no area {area!r}; there are {areas}")
    forms = {(True, True): "SQL, PromQL", (True, False): "SQL", (False, True): "PromQL"}
    show(
        [
            {
                "area": a.area,
                "alert": a.name,
                "severity": a.severity,
                "forms": forms[bool(a.sql), bool(a.promql)],
                "question": a.question,
            }
            for a in found
        ],
        as_json,
    )


@alerts.command("show")
@click.argument("name", metavar="ALERT")
@json_option
def show_command(name: str, as_json: bool) -> None:
    """Show one rule with its runbook: what it means, what to look at, what to do, how to silence.

    ALERT is its name, with or without `Popscope`. Needs no network: for the hour when the wiki is
    down, too. With --json, everything that the rule consists of.

    \b
    Examples:
      popscope alerts show PopscopeRxMissed
      popscope alerts show LcoreStuck --json
    """
    from alerts.runbook import entry

    try:
        alert = named(name if name.startswith("Popscope") else f"Popscope{name}")
    except RuleError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(asdict(alert), indent=1))
        return
    click.echo(entry(alert))
    for form, text in (("PromQL", alert.promql), ("SQL", alert.sql)):
        if text:
            click.echo(f"{form}:\n\n{indent(text, '    ')}\n")


@alerts.command("test")
@click.argument("names", metavar="[ALERT]...", nargs=-1)
@click.option("--promtool/--no-promtool", default=True, help="Play `series` to promtool.")
@click.option("--sql/--no-sql", default=True, help="Play `rows` to an embedded store.")
@json_option
def test_command(names: tuple[str, ...], promtool: bool, sql: bool, as_json: bool) -> None:
    """Play the scenarios to the rules: what must fire, wait, or not, at given instants.

    Without ALERT, all rules. A scenario in alerts/scenarios has rows over time for the SQL rule,
    series for the PromQL rule, and what must stand when: labels, value, the summary word for word.
    SQL runs as Grafana would run it (macros, frames, threshold, `for`, keep-firing) on an embedded
    store in a temporary folder; PromQL in promtool (Debian: prometheus). Nothing else is touched.

    Exit code 0: all went as expected; 1: something did not, and the table says what.

    \b
    Examples:
      popscope alerts test
      popscope alerts test --no-promtool PopscopeLcoreStuck
      popscope alerts test --json
    """
    if not (promtool or sql):
        raise click.UsageError("nothing is left to test: give one of --promtool and --sql")
    try:
        chosen = [named(n) for n in names] or list(load())
    except RuleError as error:
        raise click.UsageError(str(error)) from error
    try:
        check()
        outcomes = _outcomes(chosen, promtool, sql)
    except (AlertError, DashboardError, StoreError) as error:
        raise click.ClickException(str(error)) from error
    rows = [
        {"alert": o.alert, "scenario": o.scenario, "result": o.problem or "ok"} for o in outcomes
    ]
    show(rows, as_json)
    if any(o.problem for o in outcomes):
        raise click.exceptions.Exit(1)


def _outcomes(chosen: list[Alert], promtool: bool, sql: bool) -> list[Outcome]:
    from alerts import play, promtests
    from alerts.scenarios import scenarios

    mine = [s for s in scenarios() if s.alert in chosen]
    found: list[Outcome] = []
    if promtool:
        with TemporaryDirectory(prefix="popscope-promtool-") as folder:
            found += promtests.run(Path(folder), chosen, mine)
    if sql:
        with play.scratch_store() as store:
            found += play.play(store, mine)
    return found


@alerts.command("configure")
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    metavar="HOST:PORT=POP/NODE",
    help="An exporter, and the node on which it runs; once for each.",
)
@click.option("--webhook", required=True, help="URL that Alertmanager posts all alerts to.")
@click.option(
    "--receiver",
    "receivers",
    multiple=True,
    metavar="NAME=URL",
    help="Another URL for one receiver of alerts/routing.toml: on-call, tickets, log, or "
    "dead-mans-switch, which gets nothing without one.",
)
@click.option(
    "--pipeline", "pipelines", multiple=True, metavar="HOST:PORT", help="A pipeline to watch, too."
)
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
    receivers: tuple[str, ...],
    pipelines: tuple[str, ...],
    scrape_seconds: int,
    output: Path,
    grafana_url: str,
    runbook_url: str,
) -> None:
    """Write a Prometheus and an Alertmanager configuration with the rules; print how to start them.

    Routes, grouping and receivers are those of alerts/routing.toml; what one alert holds back of
    others is with its rule. Both programs listen on the loopback. Nothing is started.

    \b
    Examples:
      popscope alerts configure --target 127.0.0.1:9109=ams/ams-d1 \\
        --webhook http://127.0.0.1:8000/alerts --output watch
      popscope alerts configure --target 10.0.0.1:9109=ams/ams-d1 --pipeline 10.0.0.9:8080 \\
        --webhook https://chat.example.net/hook --receiver on-call=https://pager.example.net/hook \\
        --output /etc/popscope-alerts
    """
    from alerts.prometheus import Watch, target, write

    try:
        watch = Watch(
            targets=tuple(target(t) for t in targets),
            webhook=webhook,
            scrape_seconds=scrape_seconds,
            receivers=dict(_pair(r) for r in receivers),
            pipelines=pipelines,
            links=Links(grafana_url, runbook_url),
        )
    except RuleError as error:
        raise click.UsageError(str(error)) from error
    with writing():
        commands = write(output, watch)
    for line in (commands.prometheus, commands.alertmanager):
        click.echo(shlex.join(line))


def _pair(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not equals:
        raise RuleError(f"{text!r} is not NAME=URL, as in on-call=https://pager.example.net/hook")
    return name, url


@alerts.command("push")
@url_option
@token_option
@click.option(
    "--datasource", default="popscope-clickhouse", show_default=True, help="Uid of the data source."
)
@click.option(
    "--notify",
    "addresses",
    multiple=True,
    metavar="[RECEIVER=]URL|EMAIL",
    help="Make contact points, message and policies too. An address of one receiver of "
    "alerts/routing.toml, or of all that have none of their own.",
)
@click.option(
    "--grafana-url",
    help="Base of the dashboard links in the alerts, where it is not --url.",
)
@runbook_option
@click.option("--prune/--no-prune", default=True, help="Delete rules that are ours no longer.")
@dry_run_option
@json_option
def push_command(
    url: str,
    token: str | None,
    datasource: str,
    addresses: tuple[str, ...],
    grafana_url: str | None,
    runbook_url: str,
    prune: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring rule groups, and how they are delivered, into a Grafana. Can be run again at any time.

    A group is replaced as a whole or not at all; one that fails does not end the others. Other
    routes of the tree of policies stay. Exit code 1 when something is left to do.

    \b
    Examples:
      popscope alerts push --url http://localhost:3000 --dry-run
      GRAFANA_TOKEN=glsa_... popscope alerts push --url http://localhost:3000 --notify https://pager.example.net/hook
    """
    from alerts.grafana import groups
    from alerts.push import plan

    try:
        tree = groups(load(), Links(grafana_url or url, runbook_url))
        apply(url, token, dry_run, as_json, lambda g: plan(g, tree, datasource, addresses, prune))
    except AlertError as error:
        raise click.ClickException(str(error)) from error
