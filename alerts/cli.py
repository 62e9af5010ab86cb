"""`popscope alerts`: render, test and push alert rules."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent
from typing import TYPE_CHECKING

import click

from alerts.cli_deploy import configure, push
from alerts.errors import AlertError, RuleError
from alerts.links import Links
from alerts.model import Alert, load, named
from alerts.options import grafana_option, runbook_option
from alerts.render import RENDERED, check, render
from dashboards.cli import json_option, show, writing
from dashboards.errors import DashboardError
from pipeline.errors import StoreError

if TYPE_CHECKING:
    from alerts.play import Outcome


@click.group()
def alerts() -> None:
    """Render, test and push alert rules for Prometheus and for Grafana.

    Every rule asks one question, in SQL for Grafana, in PromQL for Prometheus, or in both. At three
    in the morning: `popscope alerts show ALERT` has the runbook without a network.

    \b
    Files of a checkout:
      alerts/rules/*.toml        rules, one file an area, each with its texts and its runbook
      alerts/scenarios/*.toml    what happens, and which alerts must then stand
      alerts/reasons.toml        drop reasons: which lose packets of our own service, what to do
      alerts/routing.toml        receivers, routes, grouping
      alerts/rendered/           what `render` makes of them, and the second half of README.md

    \b
    Exit codes:
      0  done
      1  a test failed, files are stale, or something is left to do
      2  the command line is wrong

    \b
    Examples:
      popscope alerts list --area services
      popscope alerts show LcoreStuck
      popscope alerts test PopscopeLcoreStuck
      popscope alerts configure --target 127.0.0.1:9109=ams/ams-d1 \\
        --webhook http://127.0.0.1:8000/alerts --output watch
      GRAFANA_TOKEN=glsa_... popscope alerts push --url http://grafana:3000 --dry-run
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
    """Write the rules for Prometheus and Grafana, and the runbook.

    \b
    Files:
      popscope.rules.yml       for Prometheus
      grafana.json             rule groups, as `popscope alerts push` sends them
      grafana-alerting.yaml    for Grafana's folder provisioning/alerting; it fills in the addresses
                               $POPSCOPE_NOTIFY_ON_CALL, _TICKETS, _LOG, _DEAD_MANS_SWITCH
    Into a folder of your own, with the addresses that links should have; without one, the committed
    files and the runbook in alerts/README.md are brought up to date.

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


for _command in (configure, push):
    alerts.add_command(_command)
